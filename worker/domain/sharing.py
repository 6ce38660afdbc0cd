"""Which sends may share a call, and what its refusal means for each of them."""

from collections.abc import Iterable, Sequence

from schemas import FailureCode
from worker.domain.limits import MOST_PER_CALL

# Refusals of what the jobs of a call have in common: asked again one by one, each would hear the same.
_ABOUT_ALL = frozenset({FailureCode.SENDER_REFUSED.value, FailureCode.TEXT_REFUSED.value})


def together(waiting: Iterable[Sequence[str]]) -> list[int]:
    """Choose who shares the next call: indexes of *waiting*, in order.

    At most 100 numbers, none of them twice: the reply names ids by number, and could not tell two messages
    to one phone apart. Who does not fit is left for the next call, at the front of which it then stands.
    """
    chosen: list[int] = []
    numbers: set[str] = set()
    for index, recipients in enumerate(waiting):
        if len(numbers) + len(recipients) <= MOST_PER_CALL and numbers.isdisjoint(recipients):
            chosen.append(index)
            numbers.update(recipients)
        if len(numbers) == MOST_PER_CALL:
            break
    return chosen


def within(sizes: Iterable[int], room: int) -> int:
    """Tell how many of the first of *sizes* fit into *room*; the first one always goes."""
    taken = used = 0
    for size in sizes:
        used += size
        if taken and used > room:
            break
        taken += 1
    return taken


def may_concern_one(code: str) -> bool:
    """Tell whether a call was perhaps refused because of one number among many."""
    return code not in _ABOUT_ALL
