"""What came of a soak: the figures, and whether they keep the promise."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tests.soak.bill import Bill
from tests.soak.features import NONE, Features
from tests.support.chaos_scene import Arrived
from tests.support.checked_ledger import Changes

WORKER_LOST = "worker_lost"


@dataclass(frozen=True)
class Tally:
    """The figures of a soak.

    Attributes:
        strikes: what was done to whom, counted.
        under_way: different calls that were under way at a kill or freeze, by the ledger.
        doubles: texts that somebody got too often.
        lost: recipients without an outcome.
        changed: results that came again with other content and without a higher revision.
        unpublished: accepted outcomes whose id is not the gateway's.
        uncertain: calls that ended so because a worker was lost.
        unexplained: those of them that were not under way at any kill.
        entries: what was changed in the ledger, held against the model of the protocol.
        features: scheduled, held, cancelled, followed, and calls of the Web API.
        bill: what the account paid, against what was sent.
        memory: MiB of the worker that nobody killed, when warm and at the end; empty without one.
    """

    jobs: int
    recipients: int
    strikes: Mapping[str, int]
    redeliveries: int
    under_way: int
    doubles: int
    lost: int
    changed: int
    unpublished: int
    uncertain: int
    unexplained: int
    dead: int
    entries: Changes = field(default_factory=Changes)
    features: Features = NONE
    bill: Bill = field(default_factory=Bill)
    memory: tuple[float, ...] = field(default=())

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        broken = (self.doubles, self.lost, self.changed, self.unpublished, self.unexplained, self.dead)
        held = not any(broken) and not self.entries.wrong and self.features.kept and self.bill.kept
        return held and self.uncertain <= self.under_way

    @property
    def finds_the_planted(self) -> bool:
        """Whether it has found the text that was sent again by nobody's order, and that alone is wrong."""
        planted = self.bill.planted
        if planted is None or not planted.found or self.bill.unexplained != planted.credits:
            return False
        paid = self.bill.paid - planted.credits
        spent = {**(self.bill.counted or {}), "spent": (self.bill.counted or {})["spent"] - planted.credits}
        others = replace(self.bill, paid=paid, counted=spent)
        return replace(self, doubles=self.doubles - planted.recipients, bill=others).kept

    def lines(self) -> list[str]:
        """Return the figures, one a line."""
        strikes = ", ".join(f"{name} {count}" for name, count in sorted(self.strikes.items()))
        memory = " -> ".join(f"{mib:.0f}" for mib in self.memory)
        return [
            f"jobs {self.jobs} ({self.recipients} recipients), strikes: {strikes}",
            f"redeliveries {self.redeliveries}, doubles {self.doubles}, lost {self.lost}",
            f"uncertain {self.uncertain} (calls under way at the strikes: {self.under_way})",
            f"changed results {self.changed}, ids not published {self.unpublished}, dead letters {self.dead}",
            f"changes of ledger entries: {self.entries.words()}",
            *self.features.lines(),
            *self.bill.lines(),
            *[f"NOT IN THE MODEL: {words}" for words in self.entries.wrong[:5]],
            *([f"memory of the worker that lives through it, MiB: {memory}"] if memory else []),
        ]


def lost_recipients(wanted: Mapping[str, set[str]], results: list[Arrived]) -> int:
    """Count recipients that no result names."""
    return sum(unanswered(wanted, results).values())


def unanswered(wanted: Mapping[str, set[str]], results: list[Arrived]) -> dict[str, int]:
    """Return how many recipients no result names, of the jobs that have any."""
    seen: dict[str, set[str]] = {}
    for one in send_results(results):
        seen.setdefault(one.job_id, set()).update(one.outcomes)
    missing = {job: len(recipients - seen.get(job, set())) for job, recipients in wanted.items()}
    return {job: count for job, count in missing.items() if count}


def send_results(results: Iterable[Arrived]) -> list[Arrived]:
    """Return those of send jobs."""
    return [one for one in results if one.key.startswith("send.")]


def changed_results(results: list[Arrived]) -> int:
    """Count message ids under which two contents of one revision came, or one recipient in two parts."""
    contents: dict[tuple[str, int], set[str]] = {}
    for one in results:
        contents.setdefault((one.message_id, one.revision), set()).add(repr(one.body))
    return sum(len(bodies) > 1 for bodies in contents.values())


def last_words(results: list[Arrived]) -> dict[str, Arrived]:
    """Return the result of the highest revision for each message id."""
    words: dict[str, Arrived] = {}
    for one in results:
        if one.message_id not in words or one.revision > words[one.message_id].revision:
            words[one.message_id] = one
    return words


def lost_calls(words: Mapping[str, Arrived]) -> set[str]:
    """Return the ledger's keys of the parts, and api jobs, whose worker was lost in the call."""
    found = {
        f"api/{one.job_id}"
        for one in words.values()
        if one.key.startswith("api.") and one.body.get("error", {}).get("code") == WORKER_LOST
    }
    for one in send_results(words.values()):
        codes = Counter(entry.get("error", {}).get("code") for entry in one.body["recipients"])
        if codes[WORKER_LOST]:
            part = one.body["part"]
            found.add(one.job_id if one.body["parts"] == 1 else f"{one.job_id}/{part}")
    return found
