"""What the demo shows at its end."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from schemas import DeliveryResult, DeliveryStatus, Outcome, SendResult
from scripts.demo.campaign import Outcomes, Row

OUTCOME_STYLE = {
    Outcome.ACCEPTED: "green",
    Outcome.DND: "yellow",
    Outcome.DND_UNVERIFIED: "yellow",
    Outcome.INVALID: "magenta",
}
STATUS_STYLE = {
    DeliveryStatus.DELIVERED: "green",
    DeliveryStatus.PENDING: "yellow",
    DeliveryStatus.UNKNOWN: "yellow",
}
WHY = "message id, or why not"
# Delivery statuses by message id and recipient.
Deliveries = Mapping[tuple[str, str], DeliveryStatus]


def deliveries(parts: Iterable[DeliveryResult]) -> dict[tuple[str, str], DeliveryStatus]:
    """Return every recipient's status by message id and number."""
    return {
        (message.message_id, to.recipient): to.status
        for part in parts
        for message in part.messages
        for to in message.recipients
    }


def campaign_table(rows: Sequence[Row], outcomes: Outcomes, delivered: Deliveries) -> Table:
    """Return a line for every row of the campaign's file, repeats included."""
    table = _table(f"The campaign, {len(rows)} rows")
    for column in ("recipient", "text", "outcome", WHY, "delivery"):
        table.add_column(column, no_wrap=column != WHY, max_width=24)
    seen: set[tuple[str, str]] = set()
    for row in rows:
        table.add_row(*_cells(row, outcomes, delivered, seen))
    return table


def _cells(
    row: Row, outcomes: Outcomes, delivered: Deliveries, seen: set[tuple[str, str]]
) -> tuple[str, ...]:
    result = row.outcome(outcomes)
    if result is None:
        return (repr(row.recipient)[1:-1], row.template, "[red]none", "", "")
    key = (row.template, result.recipient)
    outcome = _styled(result.outcome, OUTCOME_STYLE)
    note = result.message_id or (result.error.detail if result.error else "on the DND list")
    if key in seen:
        return (row.recipient, row.template, outcome, "[dim]a repeat, sent once", "")
    seen.add(key)
    status = delivered.get((result.message_id, result.recipient)) if result.message_id else None
    return (row.recipient, row.template, outcome, note, _styled(status, STATUS_STYLE) if status else "")


def large_table(parts: Sequence[SendResult], counts: Counter[str], calls: int, seconds: float) -> Table:
    """Return the figures of the large job."""
    table = _table("The large job")
    table.show_header = False
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_row("recipients", f"{sum(counts.values()):,}")
    for outcome in Outcome:
        if count := counts[outcome.value]:
            table.add_row(f"  {outcome}", f"{count:,}")
    table.add_row("result parts", str(len(parts)))
    table.add_row("sendSMS calls", str(calls))
    table.add_row("seconds", f"{seconds:.2f}")
    return table


def _table(title: str) -> Table:
    """Return one without frames: the campaign's has to fit into 80 columns."""
    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))


def _styled(
    value: Outcome | DeliveryStatus, styles: Mapping[Outcome, str] | Mapping[DeliveryStatus, str]
) -> str:
    style = {str(name): style for name, style in styles.items()}.get(str(value), "red")
    return f"[{style}]{value}"
