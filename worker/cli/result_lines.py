"""A result as lines for people."""

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from worker.cli.terminal import printable
from worker.client.following import SeenResult

_COLOURS = {
    "accepted": typer.colors.GREEN,
    "delivered": typer.colors.GREEN,
    "balance": typer.colors.GREEN,
    "done": typer.colors.GREEN,
    "dnd": typer.colors.YELLOW,
    "dnd_unverified": typer.colors.YELLOW,
    "pending": typer.colors.YELLOW,
    "expired": typer.colors.YELLOW,
    "invalid": typer.colors.YELLOW,
    "cancelled": typer.colors.YELLOW,
    "recorded": typer.colors.GREEN,
    "too_late": typer.colors.YELLOW,
}


def lines_of(result: SeenResult) -> list[str]:
    """Return a line a recipient, message or error; what others wrote cannot steer the terminal."""
    body = result.body
    if "unreadable" in body:
        return [f"{printable(result.routing_key)}  not a result: {printable(body['unreadable'])}"]
    part = f"{body['part']}/{body['parts']}" if "part" in body and "parts" in body else ""
    part = part or (f"t{body['track']}" if "track" in body else "")
    revised = f" (revision {body['revision']})" if "revision" in body else ""
    start = f"{printable(body.get('job_id') or '-'):<24} {printable(part):<6}"
    return [f"{start} {line}{revised}" for line in _rows(body)]


def _rows(body: Mapping[str, Any]) -> Iterator[str]:
    if body.get("status") == "rejected":
        yield from (_row("", "rejected", _fault(error)) for error in _list(body, "errors"))
    elif body.get("error"):
        yield _row("", body.get("status"), _said(body))
    elif "remaining_credits" in body:
        yield _row("", body.get("status"), f"{body['remaining_credits']} credits{_threshold(body)}")
    elif "http_status" in body:
        yield _row("", body.get("status"), f"HTTP {body['http_status']}")
    elif "target" in body:
        yield _row(body["target"], body.get("status"), "")
    elif "messages" in body:
        yield from (row for message in _list(body, "messages") for row in _message_rows(message))
    else:
        yield from (
            _row(one.get("recipient"), one.get("outcome"), one.get("message_id") or _said(one))
            for one in _list(body, "recipients")
        )


def _message_rows(message: Mapping[str, Any]) -> Iterator[str]:
    message_id = message.get("message_id")
    if not message.get("found"):
        yield _row("", "not found", message_id)
    for one in _list(message, "recipients"):
        said = "  ".join(filter(None, (str(one.get("raw_status") or ""), _said(one))))
        yield _row(one.get("recipient"), one.get("status"), f"{message_id}  {said}")


def _row(who: object, what: object, more: object) -> str:
    colour = _COLOURS.get(str(what), typer.colors.RED)
    word = typer.style(f"{printable(what):<14}", fg=colour)
    return f"{printable(who):<16} {word} {printable(more)}"


def _fault(error: Mapping[str, Any]) -> str:
    """Name the place, unless the words do."""
    loc = error.get("loc")
    place = ".".join(map(str, loc)) if isinstance(loc, list) else ""
    words = str(error.get("msg", ""))
    return words if not place or place.rpartition(".")[2] in words else f"{place} {words}"


def _said(holder: Mapping[str, Any]) -> str:
    error = holder.get("error")
    if isinstance(error, dict):
        return f"{error.get('code')}: {error.get('detail')}"
    return str(error or "")


def _threshold(body: Mapping[str, Any]) -> str:
    return f", fewer than {body['threshold']}" if "threshold" in body else ""


def _list(holder: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return a list of objects; whatever else stands there is left out."""
    found = holder.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
