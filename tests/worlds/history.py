"""What happened in a world: what the oracles judge, and what a person reads."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.support.checked_ledger import Changes
from tests.worlds.gateway import Call
from tests.worlds.plan import Job, World
from tests.worlds.queues import Published
from tests.worlds.web import WebCall

Line = tuple[float, str, str]

_GOES_ON = 5.0  # seconds
_CUT = 0.2  # seconds; a call that is cancelled ends a few rounds of the loop later


@dataclass(slots=True)
class Life:
    """One worker process, from start to end.

    Attributes:
        how: it ended: ``killed``, ``stopped``; empty while it runs.
        drained: seconds that its stop took.
        left: what it had left behind when its work was done, and after its end.
    """

    host: str
    began: float
    ended: float | None = None
    how: str = ""
    code: int | None = None
    drained: float = 0.0
    left: tuple[str, ...] = ()


@dataclass(slots=True)
class Frozen:
    """A time in which a host stood still."""

    host: str
    began: float
    ended: float


@dataclass
class History:
    """Times are the loop's; `began` is the plan's zero.

    Attributes:
        finished: whether all work was done in time.
        submitted: when each job was published.
        deliveries: how often each message was handed out, by queue and message.
        in_hand: at each look, how many messages each host held.
        bodies: at each look, how many bytes of bodies each host kept.
        cancelled: when the work on a delivery was cancelled, and on which host.
        waiting: at each look, how many messages were ready in the queues of work.
        unready: at each look, who was not ready, and why.
        results: parsed bodies of the results of each exchange, in their order; those of tracking apart.
        seen: the last state of each ledger entry.
        written: each state of an entry, with its time and key.
        changes: of entries, as the model of the protocol names them, and those that it does not know.
        unhandled: what the event loop was told that nobody handled.
    """

    world: World
    began: float = 0.0
    ended: float = 0.0
    finished: bool = False
    steps: int = 0
    submitted: list[tuple[float, Job]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    web_calls: list[WebCall] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)
    results: list[tuple[Published, dict[str, Any]]] = field(default_factory=list)
    tracked: list[tuple[Published, dict[str, Any]]] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    frozen: list[Frozen] = field(default_factory=list)
    deliveries: Counter[tuple[str, int]] = field(default_factory=Counter)
    in_hand: list[tuple[float, Mapping[str, int]]] = field(default_factory=list)
    bodies: list[tuple[float, str, int]] = field(default_factory=list)
    cancelled: list[tuple[float, str]] = field(default_factory=list)
    waiting: list[tuple[float, int]] = field(default_factory=list)
    unready: list[tuple[float, str, Mapping[str, str]]] = field(default_factory=list)
    seen: dict[str, bytes] = field(default_factory=dict)
    written: list[tuple[float, str, bytes]] = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)
    lines: list[Line] = field(default_factory=list)
    notes: list[Line] = field(default_factory=list)
    unhandled: list[str] = field(default_factory=list)
    stuck: str = ""

    def note(self, at: float, host: str, what: str) -> None:
        """Put a line into the trace."""
        self.notes.append((at, host, what))

    def trace(self) -> Iterator[str]:
        """Tell what happened when, a line each."""
        for at, host, what in sorted([*self.notes, *self.lines], key=lambda line: line[0]):
            yield f"{at - self.began:10.4f}  {host:12} {what}"

    def sends(self) -> Iterator[Call]:
        """Yield the sendSMS calls."""
        return (call for call in self.calls if call.command == "sendSMS")

    def is_frozen(self, host: str, at: float) -> bool:
        """Tell whether a host stands still at a time, or has just gone on, and has given nothing back yet."""
        return any(each.host == host and each.began <= at <= each.ended + _GOES_ON for each in self.frozen)

    def was_cut_off(self, host: str, at: float) -> bool:
        """Tell whether the work on a delivery was cancelled there right before."""
        return any(where == host and when <= at <= when + _CUT for when, where in self.cancelled)

    def results_of(self, name: str) -> list[tuple[Published, dict[str, Any]]]:
        """Return the results of one job, in their order."""
        return self.by_job.get(name, [])

    @cached_property
    def by_job(self) -> Mapping[str, list[tuple[Published, dict[str, Any]]]]:
        """Results by job id."""
        found: dict[str, list[tuple[Published, dict[str, Any]]]] = defaultdict(list)
        for published, result in self.results:
            found[result.get("job_id") or ""].append((published, result))
        return found
