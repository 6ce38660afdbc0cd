"""What the account paid in a soak, against what was sent and what the workers counted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.support.chaos_scene import Arrived
from tests.support.credit_notes import COUNTERS, READING, Note
from worker.simulator.sends import Send

_MOST_READINGS = 2  # the one under way, and the next


@dataclass(frozen=True)
class Planted:
    """A text that was sent a second time behind the workers' backs.

    Attributes:
        at: seconds since the epoch.
        recipients: how many got it.
        credits: what it cost.
        readings: noted from then on up to the one that shows it, which is the last of them; 0: none does.
        seconds: from then on to that one.
        gap: what the counters say was spent for nothing that is known, at the reading before and at that one.
    """

    at: float
    recipients: int
    credits: int = 0
    readings: int = 0
    seconds: float = 0.0
    gap: tuple[float, float] = (0.0, 0.0)

    @property
    def found(self) -> bool:
        """Whether the first reading that was begun after it shows it."""
        return 0 < self.readings <= _MOST_READINGS

    def lines(self) -> list[str]:
        """Return the figures, one a line."""
        found = f"by reading {self.readings}, after {self.seconds:.1f} s" if self.found else "NOT IN TIME"
        return [
            f"planted: {self.recipients} texts again, {self.credits} credits; found {found}",
            f"spent, neither predicted nor in doubt: {self.gap[0]:g} before, {self.gap[1]:g} with it",
        ]


@dataclass(frozen=True)
class Bill:
    """The figures, in credits.

    Attributes:
        paid: the balance's fall.
        accepted: segments over the message ids that results name.
        doubtful: the same of recipients who are `uncertain`, as far as the gateway has sent to them.
        counted: by the workers, those that were killed too, by the name of the counter.
        twice: falls of the balance that were counted more than once.
        uncounted: falls that were not counted; a death between a reading and its count.
        planted: None where nothing was.
    """

    paid: int = 0
    accepted: int = 0
    doubtful: int = 0
    counted: Mapping[str, float] | None = None
    twice: float = 0.0
    uncounted: float = 0.0
    deaths: int = 0
    planted: Planted | None = None

    @property
    def unexplained(self) -> int:
        """Paid for what no result tells of."""
        return self.paid - self.accepted - self.doubtful

    @property
    def wrong(self) -> list[str]:
        """What does not hold, in words."""
        if self.counted is None:
            return []
        predicted, spent = self.counted["predicted"], self.counted["spent"]
        must_hold = {
            f"unexplained {self.unexplained}": not self.unexplained,
            f"predicted {predicted:g}": self.accepted <= predicted <= self.accepted + self.doubtful,
            f"counted twice {self.twice:g}": not self.twice,
            f"spent {spent:g}": spent + self.uncounted == self.paid,
            f"not counted {self.uncounted:g} without a death": not self.uncounted or self.deaths > 0,
        }
        return [words for words, holds in must_hold.items() if not holds]

    @property
    def kept(self) -> bool:
        """Whether what was paid is what was sent."""
        return not self.wrong

    def lines(self) -> list[str]:
        """Return the figures, one a line."""
        if self.counted is None:
            return []
        counted = ", ".join(f"{name} {self.counted[name]:g}" for name in COUNTERS)
        return [
            f"credits paid {self.paid}: accepted {self.accepted}, uncertain and sent {self.doubtful}",
            f"credits paid for what no result tells of {self.unexplained}",
            f"counted by the workers: {counted}; falls not counted {self.uncounted:g}",
            *(f"BILL: {words}" for words in self.wrong),
            *(self.planted.lines() if self.planted else ()),
        ]


def bill(
    sends: Sequence[Send],
    words: Iterable[Arrived],
    notes: Iterable[Sequence[Note]],
    *,
    initial: int,
    deaths: int,
    planted: Planted | None,
) -> Bill:
    """Add up.

    Args:
        sends: what the gateway carried out, in its order.
        words: the last result of each part.
        notes: of each worker.
        initial: the balance at the beginning.
        deaths: of workers, and other moments in which a reading may be lost.
        planted: what was.
    """
    by_worker = [list(some) for some in notes]
    every = sorted((note for some in by_worker for note in some), key=lambda note: note.at)
    counted = {name: sum(note.amount for note in every if note.name == name) for name in COUNTERS}
    known = _Known.of(words)
    costs = {one.seq: one.segments * len(one.to) for one in sends}
    paid = sum(costs.values())
    doubtful = sum(known.doubtful(one) for one in sends)
    twice, uncounted = _tiled(by_worker, initial, paid)
    found = _found(planted, sends, every, initial) if planted else None
    return Bill(paid, known.accepted, doubtful, counted, twice, uncounted, deaths, found)


@dataclass(frozen=True)
class _Known:
    """What results tell.

    Attributes:
        accepted: segments over their ids.
        uncertain: recipients, each with the text, of whom nobody knows.
    """

    accepted: int
    uncertain: frozenset[str]

    @classmethod
    def of(cls, words: Iterable[Arrived]) -> "_Known":
        accepted, uncertain = 0, set()
        for one in words:
            if not one.key.startswith("send."):
                continue
            for row in one.body["recipients"]:
                if row["outcome"] == "accepted":
                    ids = 1 + len(row.get("earlier_message_ids", ()))
                    accepted += ids * int(one.body["segments"])
                elif row["outcome"] == "uncertain":
                    uncertain.add(row["recipient"])
        return cls(accepted, frozenset(uncertain))

    def doubtful(self, send: Send) -> int:
        """What a call cost for recipients of whom nobody knows; nobody is in two jobs."""
        return send.segments * sum(name in self.uncertain for name in send.to)


def _tiled(by_worker: Iterable[Sequence[Note]], initial: int, paid: int) -> tuple[float, float]:
    """Lay the counted falls side by side; return how much of them overlaps, and what they leave out.

    Where a worker died between a count and the reading that belongs to it, nobody knows where the fall lies:
    it takes what the others leave out, or is one too many.
    """
    falls: list[tuple[float, float]] = []
    anywhere = 0.0
    for notes in by_worker:
        seen = [one for one in notes if one.name in {"spent", READING}]
        for note, after in pairwise(seen):
            if note.name == "spent" and note.amount and after.name == READING:
                falls.append((initial - after.amount - note.amount, initial - after.amount))
        if seen and seen[-1].name == "spent":
            anywhere += seen[-1].amount
    twice = uncounted = reached = 0.0
    for begin, end in sorted(falls):
        twice += max(0.0, min(reached, end) - begin)
        uncounted += max(0.0, begin - reached)
        reached = max(reached, end)
    uncounted += paid - reached
    return twice + max(0.0, anywhere - uncounted), max(0.0, uncounted - anywhere)


def _found(planted: Planted, sends: Sequence[Send], notes: Sequence[Note], initial: int) -> Planted:
    """Find the first reading that shows it: the balance fell by all that was sent up to then, and by that."""
    paid = 0
    seen: set[tuple[str, str]] = set()
    for one in sends:
        paid += one.segments * len(one.to)
        if one.at >= planted.at and all((name, one.message) in seen for name in one.to):
            break
        seen.update((name, one.message) for name in one.to)
    cost = one.segments * len(one.to)
    after = [note for note in notes if note.name == "spent" and note.at >= planted.at]
    lefts = [note for note in notes if note.name == READING and note.at >= planted.at]
    shows = next((note for note in lefts if initial - note.amount >= paid), None)
    if shows is None:
        return Planted(planted.at, planted.recipients, cost)
    until = [note.at for note in after if note.at <= shows.at]
    earlier = max((note.at for note in notes if note.name == "spent" and note.at < planted.at), default=0.0)
    before = until[-2] if len(until) > 1 else earlier
    return Planted(
        planted.at,
        planted.recipients,
        cost,
        len(until),
        shows.at - planted.at,
        (_gap(notes, before), _gap(notes, shows.at)),
    )


def _gap(notes: Iterable[Note], at: float) -> float:
    """What the counters said at that time: spent, and neither predicted nor in doubt."""
    signs = {"spent": 1, "predicted": -1, "uncertain": -1}
    return sum(signs.get(note.name, 0) * note.amount for note in notes if note.at <= at)
