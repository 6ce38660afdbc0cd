"""The crash table as values: the walks of all kinds of jobs, and what must hold after a kill at each step.

`docs/crash-table.md` shows the same rows under the same ids, with the words of `crash_words.txt`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.chaos_steps import Moment

PLAIN = "919876543210"
# Of jobs that come with another one.
SECOND, THIRD = "919876543211", ("919876543212", "919876543220", "919876543221")
LISTED = "919876543200"  # the simulator's DND list holds what ends in 00
OPEN = "919876543217"  # and never has a final status for what ends in 17
MANY = tuple(f"9198765{number:05d}" for number in range(101, 10_000) if 20 <= number % 100 < 99)[:150]


@dataclass(frozen=True)
class Walk:
    """A kind of job, the steps of its undisturbed walk, and where it ends.

    Attributes:
        steps: names as in `tests.support.chaos_steps`, in order.
        job: without its id; bytes are published as they are. Its ``send_after`` is in seconds.
        others: jobs that come with it, to go out in the same call.
        key: routing key of the jobs.
        faults: of the simulator, before the job comes.
        gateway: options of the simulator.
        result: prefix of the routing key that every result must have, or several.
        dead: the job ends as a dead letter as well.
        ordered: the steps follow each other; where not, only how often each occurs is certain.
        settings: of every worker.
    """

    steps: tuple[str, ...]
    job: Mapping[str, Any] | bytes
    others: tuple[Mapping[str, Any], ...] = ()
    key: str = "send"
    faults: tuple[Mapping[str, Any], ...] = ()
    gateway: Mapping[str, Any] = field(default_factory=dict)
    result: str | tuple[str, ...] = "send."
    dead: bool = False
    ordered: bool = True
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def tracked(self) -> bool:
        """Whether its messages are followed."""
        return isinstance(self.job, Mapping) and bool(self.job.get("track"))

    @property
    def jobs(self) -> Mapping[str, Mapping[str, Any] | bytes]:
        """All that is published, by the ids that it gets."""
        return {f"job-{number}": job for number, job in enumerate((self.job, *self.others), 1)}


@dataclass(frozen=True)
class Row:
    """One line of the crash table.

    Attributes:
        moment: None is the undisturbed walk.
        outcomes: how many recipients end how; empty where the job has none.
        calls: how many sendSMS calls the gateway carried out; None where that is left to chance.
        repeated: the result is published at least twice, the same one.
    """

    walk: str
    moment: Moment | None
    outcomes: Mapping[str, int] = field(default_factory=dict)
    calls: int | None = 0
    repeated: bool = False

    @property
    def id(self) -> str:
        """What the table in the documentation calls it."""
        return f"{self.walk}/{self.moment or 'whole'}"


def _send(*recipients: str, **fields: object) -> Mapping[str, Any]:
    return {"recipients": list(recipients), "text": "Your parcel is on its way", **fields}


_DOWN = {"status": 503}
_ONCE = {**_DOWN, "times": 1}
_FIRST = ("swap", "call", "swap", "delay", "ack")
_STATUS = {"message_ids": ["f" * 24]}
_ONE_CALL = {"WORKER_MAX_CALLS": 2, "WORKER_URGENT_CALLS": 1}
_OTHERS = (_send(SECOND, category="service"), _send(*THIRD, category="service"))
# One bulk call at a time: behind the worker's own first question the jobs gather.
_JOINT = {"WORKER_COALESCE_SENDS": True, **_ONE_CALL, "WORKER_PREFETCH": 3}
_REFUSAL = "Invalid mobile numbers"
_REFUSAL_WITH_ID = f'{{"status": "error", "error": "{_REFUSAL}", "message_id": "532073f7e4b05199d2c3d812"}}'

WALKS: Mapping[str, Walk] = {
    "send": Walk(("dnd", "swap", "call", "swap", "result", "ack"), _send(PLAIN, LISTED)),
    "large": Walk(
        (*("swap", "part", "part", "ack"), *("swap", "call", "swap", "result", "ack") * 2),
        _send(*MANY, category="service"),
        ordered=False,
        settings={"WORKER_SHARE_ABOVE": 100},
    ),
    "kept": Walk(
        (*("dnd", "dnd", "swap"), *("swap", "call", "swap", "result") * 2, "ack"),
        _send(*MANY),
        ordered=False,
        # One bulk call at a time, so that the parts take turns: only a result goes beside the next claim.
        settings=_ONE_CALL,
    ),
    "joint": Walk(
        ("swap", "call", "swap", *("result", "ack") * 3),
        _send(PLAIN, category="service"),
        others=_OTHERS,
        ordered=False,
        settings=_JOINT,
    ),
    "divided": Walk(
        ("swap", "call", *("swap",) * 3, *("swap", "call", "swap") * 2, *("result", "ack") * 3),
        _send(PLAIN, category="service"),
        others=_OTHERS,
        faults=({"command": "sendSMS", "body": _REFUSAL, "times": 1},),
        ordered=False,
        settings=_JOINT,
    ),
    "refused-with-ids": Walk(
        ("swap", "call", *("swap",) * 3, *("result", "ack") * 3),
        _send(PLAIN, category="service"),
        others=_OTHERS,
        faults=({"command": "sendSMS", "body": _REFUSAL_WITH_ID, "when": "after", "times": 1},),
        result="send.uncertain",
        ordered=False,
        settings=_JOINT,
    ),
    "delayed": Walk(
        (*_FIRST, "swap", "swap", "call", "swap", "result", "ack"),
        _send(PLAIN, category="service"),
        faults=({"command": "sendSMS", **_ONCE},),
    ),
    "dnd-delayed": Walk(
        ("dnd", "swap", "delay", "ack", "swap", "dnd", "swap", "call", "swap", "result", "ack"),
        _send(PLAIN),
        faults=({"command": "check_DNDnumber", **_ONCE},),
    ),
    "scheduled": Walk(
        ("swap", "wait", "ack", "swap", "call", "swap", "result", "ack"),
        _send(PLAIN, category="service", send_after=2),
        settings={"WORKER_SEND_AFTER_LIMIT": 60},
    ),
    "tracked": Walk(
        (
            *("swap", "call", "swap", "result", "follow", "swap", "ack"),
            *("status", "swap", "result", "follow", "swap", "ack"),
            *("status", "swap", "result", "swap", "ack"),
        ),
        _send(PLAIN, OPEN, category="service", track=True),
        gateway={"ripen_after": 0},
        result=("send.", "delivery.final"),
        # The first look a second after acceptance has an end, the second one ends the other by the limit.
        settings={"WORKER_TRACK_DELAYS": "1,4", "WORKER_TRACK_LIMIT": 4},
    ),
    "given-up": Walk(
        (*_FIRST, "swap", "swap", "call", "swap", "swap", "result", "dead", "ack"),
        _send(PLAIN, category="service"),
        faults=({"command": "sendSMS", **_DOWN},),
        result="send.failed",
        dead=True,
    ),
    "resend": Walk(
        (*_FIRST, "swap", "swap", "call", "swap", "result", "ack"),
        _send(PLAIN, category="service", on_uncertain="resend"),
        faults=({"command": "sendSMS", "kind": "drop", "when": "after", "times": 1},),
    ),
    "rejected": Walk(("result", "dead", "ack"), b'{"recipents": []}', result="send.rejected", dead=True),
    "status": Walk(("status", "result", "ack"), _STATUS, key="status", result="delivery.pending"),
    "status-delayed": Walk(
        ("status", "delay", "ack", "status", "result", "ack"),
        _STATUS,
        key="status",
        faults=({"command": "message_status", **_ONCE},),
        result="delivery.pending",
    ),
    "status-given-up": Walk(
        ("status", "delay", "ack", "status", "result", "dead", "ack"),
        _STATUS,
        key="status",
        faults=({"command": "message_status", **_DOWN},),
        result="delivery.failed",
        dead=True,
    ),
    "account": Walk(("account", "result", "ack"), {}, key="account", result="account.balance"),
    "cancel": Walk(
        ("swap", "swap", "swap", "result", "ack"),
        {"target": "a-job-that-comes-later"},
        key="cancel",
        result="cancel.recorded",
    ),
}

_BOTH = {"accepted": 1, "dnd": 1}
_LOST = {"uncertain": 1, "dnd": 1}
_ONE = {"accepted": 1}
_DOUBT = {"uncertain": 1}
_TWO = {"accepted": 2}
_ALL = {"accepted": 150}
_FIRST_PART = {"uncertain": 100, "accepted": 50}
_SECOND_PART = {"uncertain": 50, "accepted": 100}
_THREE_JOBS = {"accepted": 5}
_THREE_DOUBTS = {"uncertain": 5}
_FIRST_HALF = {"uncertain": 2, "accepted": 3}
_SECOND_HALF = {"uncertain": 3, "accepted": 2}


def _at(step: str, nth: int = 1) -> Moment:
    return Moment(step, nth)


def _end(nth: int = 1) -> Moment:
    return Moment("ack", nth, "after")


ROWS: tuple[Row, ...] = (
    Row("send", None, _BOTH, 1),
    Row("send", _at("dnd"), _BOTH, 1),
    Row("send", _at("swap"), _BOTH, 1),
    Row("send", _at("call"), _LOST, 0),
    Row("send", _at("swap", 2), _LOST, 1),
    Row("send", _at("result"), _BOTH, 1),
    Row("send", _at("ack"), _BOTH, 1, repeated=True),
    Row("send", _end(), _BOTH, 1),
    Row("large", None, _ALL, 2),
    Row("large", _at("swap"), _ALL, 2),
    Row("large", _at("part"), _ALL, 2),
    Row("large", _at("part", 2), _ALL, 2),
    Row("large", _at("call"), _FIRST_PART, 1),
    Row("large", _at("swap", 3), _FIRST_PART, 2),
    Row("large", _at("result"), _ALL, 2),
    Row("large", _at("ack", 2), _ALL, 2, repeated=True),
    Row("large", _at("ack", 3), _ALL, 2, repeated=True),
    Row("kept", None, _ALL, 2),
    Row("kept", _at("dnd"), _ALL, 2),
    Row("kept", _at("swap"), _ALL, 2),
    Row("kept", _at("swap", 2), _ALL, 2),
    Row("kept", _at("call"), _FIRST_PART, 1),
    Row("kept", _at("swap", 3), _FIRST_PART, 2),
    Row("kept", _at("result"), _ALL, 2),
    Row("kept", _at("swap", 4), _ALL, 2),
    Row("kept", _at("call", 2), _SECOND_PART, 1),
    Row("kept", _at("swap", 5), _SECOND_PART, 2),
    Row("kept", _at("result", 2), _ALL, 2),
    Row("kept", _at("ack"), _ALL, 2, repeated=True),
    Row("kept", _end(), _ALL, 2),
    Row("joint", None, _THREE_JOBS, 1),
    # Nobody holds them together when they come again: they go in one call, or in up to three.
    Row("joint", _at("swap"), _THREE_JOBS, calls=None),
    Row("joint", _at("call"), _THREE_DOUBTS, 0),
    Row("joint", _at("swap", 2), _THREE_DOUBTS, 1),
    Row("joint", _at("result"), _THREE_JOBS, 1),
    Row("joint", _at("result", 2), _THREE_JOBS, 1),
    Row("joint", _at("result", 3), _THREE_JOBS, 1),
    Row("joint", _at("ack"), _THREE_JOBS, 1, repeated=True),
    Row("joint", _at("ack", 2), _THREE_JOBS, 1, repeated=True),
    Row("joint", _at("ack", 3), _THREE_JOBS, 1, repeated=True),
    Row("joint", _end(3), _THREE_JOBS, 1),
    Row("divided", None, _THREE_JOBS, 2),
    Row("divided", _at("swap", 2), _THREE_DOUBTS, 0),
    Row("divided", _at("swap", 5), _THREE_JOBS, calls=None),
    Row("divided", _at("call", 2), _FIRST_HALF, 1),
    Row("divided", _at("swap", 6), _FIRST_HALF, 2),
    Row("divided", _at("swap", 7), _THREE_JOBS, 2),
    Row("divided", _at("call", 3), _SECOND_HALF, 1),
    Row("divided", _at("swap", 8), _SECOND_HALF, 2),
    Row("refused-with-ids", None, _THREE_DOUBTS, 1),
    Row("refused-with-ids", _at("swap", 2), _THREE_DOUBTS, 1),
    Row("refused-with-ids", _at("swap", 3), _THREE_DOUBTS, 1),
    Row("refused-with-ids", _at("swap", 4), _THREE_DOUBTS, 1),
    Row("refused-with-ids", _at("result"), _THREE_DOUBTS, 1),
    Row("refused-with-ids", _at("result", 3), _THREE_DOUBTS, 1),
    Row("refused-with-ids", _at("ack"), _THREE_DOUBTS, 1, repeated=True),
    Row("delayed", None, _ONE, 1),
    Row("delayed", _at("call"), _DOUBT, 0),
    Row("delayed", _at("swap", 2), _DOUBT, 0),
    Row("delayed", _at("delay"), _ONE, 1),
    Row("delayed", _at("ack"), _ONE, 1, repeated=True),
    Row("delayed", _at("swap", 4), _ONE, 1),
    Row("delayed", _at("call", 2), _DOUBT, 0),
    Row("delayed", _at("result"), _ONE, 1),
    Row("delayed", _at("ack", 2), _ONE, 1, repeated=True),
    Row("dnd-delayed", None, _ONE, 1),
    Row("dnd-delayed", _at("swap"), _ONE, 1),
    Row("dnd-delayed", _at("delay"), _ONE, 1),
    Row("dnd-delayed", _at("ack"), _ONE, 1, repeated=True),
    Row("scheduled", None, _ONE, 1),
    Row("scheduled", _at("swap"), _ONE, 1),
    Row("scheduled", _at("wait"), _ONE, 1),
    Row("scheduled", _at("ack"), _ONE, 1),  # its second result comes up to a second later
    Row("scheduled", _at("swap", 2), _ONE, 1),
    Row("scheduled", _at("call"), _DOUBT, 0),
    Row("scheduled", _at("result"), _ONE, 1),
    Row("tracked", None, _TWO, 1),
    Row("tracked", _at("follow"), _TWO, 1, repeated=True),
    Row("tracked", _at("swap", 3), _TWO, 1, repeated=True),
    Row("tracked", _at("ack"), _TWO, 1, repeated=True),
    Row("tracked", _at("status"), _TWO, 1),
    Row("tracked", _at("swap", 4), _TWO, 1),
    Row("tracked", _at("result", 2), _TWO, 1),
    Row("tracked", _at("follow", 2), _TWO, 1, repeated=True),
    Row("tracked", _at("swap", 5), _TWO, 1, repeated=True),
    Row("tracked", _at("ack", 2), _TWO, 1),
    Row("tracked", _at("status", 2), _TWO, 1),
    Row("tracked", _at("swap", 6), _TWO, 1),
    Row("tracked", _at("result", 3), _TWO, 1),
    Row("tracked", _at("swap", 7), _TWO, 1, repeated=True),
    Row("tracked", _at("ack", 3), _TWO, 1),
    Row("given-up", None, {"failed": 1}),
    Row("given-up", _at("swap", 6), {"failed": 1}),
    Row("given-up", _at("result"), {"failed": 1}),
    Row("given-up", _at("dead"), {"failed": 1}, repeated=True),
    Row("given-up", _at("ack", 2), {"failed": 1}, repeated=True),
    Row("resend", None, _ONE, 2),
    Row("resend", _at("call"), _ONE, 2),
    Row("resend", _at("swap", 2), _ONE, 2),
    Row("resend", _at("delay"), _ONE, 2),
    Row("resend", _at("call", 2), _ONE, 2),
    Row("resend", _at("swap", 5), _ONE, 3),
    Row("resend", _at("result"), _ONE, 2),
    Row("rejected", None),
    Row("rejected", _at("result")),
    Row("rejected", _at("dead"), repeated=True),
    Row("rejected", _at("ack"), repeated=True),
    Row("status", None),
    Row("status", _at("status")),
    Row("status", _at("result")),
    Row("status", _at("ack"), repeated=True),
    Row("status-delayed", None),
    Row("status-delayed", _at("delay")),
    Row("status-delayed", _at("ack"), repeated=True),
    Row("status-given-up", None),
    Row("status-given-up", _at("result")),
    Row("status-given-up", _at("dead"), repeated=True),
    Row("account", None),
    Row("account", _at("account", 2)),
    Row("account", _at("result")),
    Row("account", _at("ack"), repeated=True),
    Row("cancel", None),
    Row("cancel", _at("swap")),
    Row("cancel", _at("swap", 2)),
    Row("cancel", _at("swap", 3)),
    Row("cancel", _at("result")),
    Row("cancel", _at("ack"), repeated=True),
)

# The ledger is in play at each of these; the other steps are the same code.
ON_SERVERS = tuple(row for row in ROWS if row.walk in {"send", "joint", "divided"})
