"""How the recipients of a job are divided: who is sent to, in which calls, in which parts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from schemas import FailureCode, Outcome
from worker.domain.entry import Call, Part, Settled, Split
from worker.domain.errors import PermanentError
from worker.domain.limits import MOST_PER_PART
from worker.domain.recipients import Distinct

Calls = tuple[tuple[str, ...], ...]
T = TypeVar("T")


def invalid_ones(recipients: Distinct) -> tuple[Settled, ...]:
    """Settle those that cannot be a mobile number."""
    return tuple(
        [
            Settled(spelling, Outcome.INVALID, code=FailureCode.INVALID_NUMBER, detail=detail)
            for spelling, detail in recipients.invalid.items()
        ]
    )


def listed_ones(valid: Iterable[str], dnd: Mapping[str, bool | PermanentError]) -> tuple[Settled, ...]:
    """Settle those that the DND endpoint lists, says nothing about or refuses to look up."""
    settled = []
    for name in valid:
        said = dnd.get(name)
        if said is True:
            settled.append(Settled(name, Outcome.DND))
        elif said is not False:
            words = _unverified(said)
            settled.append(
                Settled(name, Outcome.DND_UNVERIFIED, code=FailureCode.DND_UNVERIFIED, detail=words)
            )
    return tuple(settled)


def _unverified(refusal: PermanentError | None) -> str:
    if refusal is None:
        return "the DND endpoint's reply does not name this number"
    return f"the gateway refused to look this number up in the DND list: {refusal.detail}"


def split(settled: Sequence[Settled], calls: Calls) -> Split:
    """Plan a large job: a part for each call, then the settled ones in parts of their own."""
    sent = tuple(Part(recipients, calls=(Call(recipients),)) for recipients in calls)
    unsent = tuple(
        Part(tuple(one.recipient for one in some), some) for some in batches(settled, MOST_PER_PART)
    )
    return Split(sent + unsent)


def batches(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """Split *items* into tuples of at most *size*, in order."""
    iterator = iter(items)
    while batch := tuple(islice(iterator, size)):
        yield batch
