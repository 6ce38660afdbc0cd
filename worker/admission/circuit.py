"""Whether a command of the gateway works, and whose trouble it is when it fails. Knows no waiting."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from worker.ports import Subject

_BLIND = 30.0  # seconds between trials of a gateway that never answers the account command
_REMEMBERED = 2_000  # senders and texts that were served, or turned away


class CircuitState(StrEnum):
    """Whether calls pass."""

    CLOSED = "closed"
    OPEN = "open"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True)
class CircuitPolicy:
    """When a circuit opens, and how long it stays so.

    Attributes:
        failures: in a row that make one ask whether the gateway is there at all.
        cooldown: seconds between two trials, the longest between two questions to the account.
        longest_wait: seconds that a wait asked for by the other side (``Retry-After``) is obeyed at the most.
    """

    failures: int = 5
    cooldown: float = 5.0
    longest_wait: float = 300.0


class Circuit:
    """One command's: closed while calls pass, open in an outage, on trial when the gateway answers again.

    On trial one call goes out, and another each *cooldown* while none has an answer.

    Attributes:
        state: changed by the methods alone.
        good: a key that was answered lately: a number, an id.
        trials: under way.
        tried_since: when it went on trial last.
    """

    def __init__(self, policy: CircuitPolicy) -> None:
        self._policy = policy
        self._in_a_row = 0
        self._common: frozenset[Hashable] = frozenset()
        self._known: OrderedDict[Hashable, None] = OrderedDict()
        self._turned_away: OrderedDict[Hashable, None] = OrderedDict()
        self._served_sizes: set[Hashable] = set()
        self._not_before = 0.0
        self._next_trial = 0.0
        self._opened = 0.0
        self.state = CircuitState.CLOSED
        self.good: str | None = None
        self.trials = 0
        self.tried_since = 0.0

    def served(self, about: Subject) -> None:
        """The gateway answered a call: the circuit is closed."""
        self._in_a_row = 0
        self.state = CircuitState.CLOSED
        if about.keys:
            self.good = about.keys[0]
        _remember(self._known, about.lasting)
        self._served_sizes.update(about.sizes)
        if self._turned_away:
            for one in _own(about):
                self._turned_away.pop(one, None)

    def turned_away(self, about: Subject) -> bool:
        """The gateway had no room for a call, and serves others; tell whether that says how many it takes.

        Not where nothing of this sender's has ever been served, and not for the second time of the same text
        or number: the gateway may turn these away whatever else it does.
        """
        sender_known = all(one in self._known for one in about.lasting[:1])
        again = any(one in self._turned_away for one in _own(about))
        _remember(self._turned_away, _own(about))
        return self.state is CircuitState.CLOSED and sender_known and not again

    def failed(self, about: Subject, *, now: float, retry_after: float | None = None) -> bool:
        """The gateway did not serve a call; tell whether that makes enough in a row."""
        # As long as nobody was served, a sender explains nothing: all jobs may have the same one.
        lasting = about.lasting if self._known else about.lasting[1:]
        common = frozenset((*lasting, *about.sizes, *about.keys))
        self._common = self._common & common if self._in_a_row else common
        self._in_a_row += 1
        if retry_after is not None:
            self._not_before = max(self._not_before, now + min(retry_after, self._policy.longest_wait))
        return self._in_a_row >= self._policy.failures

    @property
    def fails(self) -> bool:
        """Whether there are still enough failures in a row."""
        return self._in_a_row >= self._policy.failures

    @property
    def is_ones_own(self) -> bool:
        """Whether all failures in a row have something in common that has never been served.

        One text, one sender, one number, calls of many numbers: the gateway may be well for all others.
        """
        return any(one not in self._known and one not in self._served_sizes for one in self._common)

    def forgive(self) -> None:
        """Count anew: the failures were one job's own."""
        self._in_a_row = 0
        self._not_before = 0.0

    def open(self, *, now: float) -> None:
        """Let no call pass."""
        self.state = CircuitState.OPEN
        self._opened = now

    def answers(self, *, now: float, blind: bool = False) -> None:
        """The gateway is there again: the next call tries whether the command works.

        Where nobody can tell (*blind*), that is tried now and then all the same.
        """
        since = self._opened + _BLIND if blind else self._not_before
        if self.state is CircuitState.OPEN and now >= max(since, self._not_before):
            self.state = CircuitState.TRIAL
            self._next_trial = self.tried_since = now

    def passes(self, *, now: float) -> bool:
        """Tell whether a call may go out now; on trial, whether it is time for another one."""
        if self.state is CircuitState.TRIAL:
            return now >= self._next_trial
        return self.state is CircuitState.CLOSED

    def begin_trial(self, *, now: float) -> None:
        """A call goes out to try."""
        self.trials += 1
        self._next_trial = now + self._policy.cooldown

    def unused(self, *, now: float) -> None:
        """The trial was not made after all: the next in line tries."""
        if self.state is CircuitState.TRIAL:
            self._next_trial = now


def _own(about: Subject) -> tuple[Hashable, ...]:
    """What a call has for itself: its text and its first number, not its sender."""
    return (*about.lasting[1:], *about.keys[:1])


def _remember(memory: OrderedDict[Hashable, None], several: Iterable[Hashable]) -> None:
    for one in several:
        memory[one] = None
        memory.move_to_end(one)
    while len(memory) > _REMEMBERED:
        memory.popitem(last=False)
