"""What a worker has going: compared before and after its work, it tells what was left behind."""

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

from tests.worlds.process import Process

_OWN = "worker."
_CACHES = ("NumberMemory",)
_PLAIN = frozenset({str, bytes, int, float, bool, type(None)})  # most of what there is, with nothing inside


def census(process: Process, *, without: Collection[asyncio.Task[object]] = ()) -> Counter[str]:
    """Count tasks by their names, but for those *without*, and what waits in the worker's objects."""
    counted: Counter[str] = Counter()
    for task in process.host.tasks:
        if not task.done() and task not in without:
            counted[f"task {getattr(task.get_coro(), '__qualname__', '?')}"] += 1
    for what, many in _waiting(process.assembly):
        counted[what] += many
    return counted


def left_over(
    process: Process, usual: Counter[str], *, without: Collection[asyncio.Task[object]] = ()
) -> tuple[str, ...]:
    """Name what *process* has more of than *usual* with nothing to do, but for the tasks *without*."""
    now = census(process, without=without)
    found = [
        f"{what}: {now[what]} in place of {usual[what]}" for what in sorted(now) if now[what] > usual[what]
    ]
    if under_way := process.way.under_way + process.web.under_way:
        found.append(f"calls under way: {under_way}")
    return tuple(found + [f"{name} in flight: {value}" for name, value in _in_flight(process) if value])


def _in_flight(process: Process) -> Iterator[tuple[str, float]]:
    """Read the gauges of it that have to be 0 in the end."""
    metrics = process.assembly.metrics
    gauges = {"calls": metrics.calls.in_flight}
    gauges |= {f"jobs of {lane}": gauge for lane, gauge in metrics.jobs.in_flight.items()}
    for name, gauge in gauges.items():
        yield from ((name, sample.value) for metric in gauge.collect() for sample in metric.samples)


def after_end(process: Process, timers: int, ends: int) -> tuple[str, ...]:
    """Name what is left of a process that has ended."""
    tasks = [task for task in process.host.tasks if not task.done()]
    found = [f"task {getattr(task.get_coro(), '__qualname__', task)} after the end" for task in tasks]
    if timers:
        found.append(f"{timers} timers after the end")
    if ends:
        found.append(f"{ends} connections after the end")
    return tuple(found)


def _waiting(root: object) -> Iterator[tuple[str, int]]:
    """Walk our own objects; yield locks held, leaves of semaphores in use, and futures that wait."""
    seen: set[int] = set()
    left = [("", root)]
    while left:
        place, each = left.pop()
        if type(each) in _PLAIN or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, asyncio.Future):
            if not isinstance(each, asyncio.Task) and not each.done():
                yield f"future {place}", 1
        elif isinstance(each, asyncio.Lock):
            yield f"lock {place}", each.locked()
        elif isinstance(each, asyncio.Semaphore):
            yield f"leaves taken of {place}", -each._value
        elif isinstance(each, dict):
            left.extend((f"{place}{{}}", value) for value in [*each.values(), *each.keys()])
        elif isinstance(each, list | tuple | set | frozenset | deque):
            left.extend((f"{place}[]", value) for value in each)
        # mypy: a class that nothing is known of may have no hash.
        elif (slots := _slots_of_ours(type(each))) is not None:  # type: ignore[arg-type]
            fields = _fields(each, slots)
            left.extend((f"{type(each).__name__}.{name}", value) for name, value in fields)


@cache
def _slots_of_ours(kind: type[Any]) -> tuple[str, ...] | None:
    """Return the slots of a class of the worker's; None of another one."""
    if not kind.__module__.startswith(_OWN) or kind.__name__ in _CACHES:
        return None
    return tuple(name for each in kind.__mro__ for name in getattr(each, "__slots__", ()))


def _fields(each: object, slots: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    for name in slots:
        if hasattr(each, name):
            yield name, getattr(each, name)
    yield from getattr(each, "__dict__", {}).items()
