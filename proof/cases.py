"""What is searched: the small case of every test run, the large one, and the broken variants."""

from dataclasses import dataclass, replace

from proof.spin import Search

_PLAIN = {"PLAIN_JOB": 1}
_RESEND = {"RESEND_JOB": 1}
_LARGE = {"LARGE_JOB": 1}
_FORGETS = {"FAULTS": 2, "FORGETS": 1, "REPLAYS": 1}
_LATER = {"SEND_AFTER": 4, "EXPIRES": 5}
_ONE, _TWO = {"FIRST": 1}, {"FIRST": 3}  # tracked messages, one bit each
_LATE = {"FIRST": 1, "LATE": 2}


def _large(job: dict[str, int], **more: int) -> Search:
    return Search({**job, **more}, optimise=2, memory=7_500, slots=27)


def _larger(small: Search, **more: int) -> Search:
    return replace(small, bounds={**small.bounds, **more}, optimise=2, memory=7_500, slots=27)


def _scheduled(**more: int) -> Search:
    return Search({**_LATER, **more}, "scheduled")


def _tracked(messages: dict[str, int], **more: int) -> Search:
    return Search({"FAULTS": 1, "LOOKS": 2, **messages, **more}, "tracked")


@dataclass(frozen=True, slots=True)
class Variant:
    """A mistake in the protocol.

    Attributes:
        name: as variants.pml has it.
        caught_by: the promise that must not hold any more.
        search: the least in which the mistake shows.
    """

    name: str
    caught_by: str
    search: Search


SMALL = {
    "a job": Search({**_PLAIN, "FAULTS": 3}),
    "a job that asks for a repeat": Search({**_RESEND, "FAULTS": 3}),
    "a large job": Search({**_LARGE, "FAULTS": 1}),
    "a job, and a ledger that forgets": Search({**_PLAIN, **_FORGETS}),
    "a repeat, and a ledger that forgets": Search({**_RESEND, **_FORGETS}),
    "a job that is stopped": Search({**_PLAIN, "FAULTS": 2, "REPLAYS": 1, "CANCELS": 1}),
    "a repeat that is stopped": Search({**_RESEND, "FAULTS": 2, "CANCELS": 1}),
    "a large job that is stopped": Search({**_LARGE, "FAULTS": 1, "CANCELS": 1}),
    "every job ends": Search({**_RESEND, "FAULTS": 2}, liveness=True),
    "a job that waits": _scheduled(FAULTS=2),
    "a job that waits and is stopped": _scheduled(FAULTS=2, CANCELS=1),
    "every job that waits ends": Search({**_LATER, "FAULTS": 1, "CANCELS": 1}, "scheduled", liveness=True),
    "a tracked message": _tracked(_ONE),
    "two tracked messages": _tracked(_TWO, FAULTS=0),
    "a tracked message by a late reply": _tracked(_LATE, LOOKS=1, FOLLOWED=1),
    "tracked messages, and a ledger that forgets": _tracked(_TWO, LOOKS=1, FORGETS=1),
    "every look ends": Search({**_ONE, "FAULTS": 1, "LOOKS": 1}, "tracked", liveness=True),
}
LARGE = {
    "a job": _large(_PLAIN, WORKERS=3, FAULTS=4),
    "a job that asks for a repeat": _large(_RESEND, WORKERS=3, FAULTS=4, MOST=3),
    "a large job": _large(_LARGE, WORKERS=2, FAULTS=3),
    "a repeat that is stopped": _large(_RESEND, WORKERS=3, FAULTS=2, CANCELS=1),
    "two jobs": _large({**_PLAIN, **_RESEND}, WORKERS=3, FAULTS=2),
    "a repeat, and a ledger that forgets": _large(_RESEND, WORKERS=3, **_FORGETS),
    "a job that waits and is stopped": _larger(
        _scheduled(FAULTS=3, CANCELS=1), WORKERS=3, SEND_AFTER=5, EXPIRES=6
    ),
    "a tracked message": _larger(_tracked(_ONE), FAULTS=2),
    "a tracked message by a late reply": _larger(_tracked(_LATE), LOOKS=1),
    "two tracked messages, and a ledger that forgets": _larger(_tracked(_TWO), FORGETS=1, FAULTS=0),
    "two tracked messages and three workers": _larger(_tracked(_TWO), FAULTS=0, WORKERS=3),
}


def _variant(
    name: str, caught_by: str, job: dict[str, int], *, liveness: bool = False, **more: int
) -> Variant:
    return Variant(name, caught_by, Search({**job, **more}, broken=name, liveness=liveness))


def _late(name: str, caught_by: str) -> Variant:
    return Variant(name, caught_by, Search({**_LATER, "FAULTS": 1, "CANCELS": 1}, "scheduled", broken=name))


def _lost(name: str, caught_by: str, messages: dict[str, int], **more: int) -> Variant:
    # The first mistake is enough: some of them never come to an end.
    bounds = {"LOOKS": 2, "FAULTS": 1, **messages, **more}
    return Variant(name, caught_by, Search(bounds, "tracked", broken=name, first=True))


VARIANTS = (
    _variant("CALL_FIRST", "nobody_twice", _PLAIN),
    _variant("NO_LEASE", "doubt_has_a_reason", _PLAIN),
    _variant("BLIND_TAKEOVER", "nobody_twice", _PLAIN),
    _variant("BLIND_WRITE", "every_id_published", _PLAIN),
    _variant("LOST_SWAP_WON", "nobody_twice", _PLAIN),
    _variant("NO_RECHECK", "no_call_after_accepted", _RESEND),
    _variant("CLAIM_LEFT", "doubt_has_a_reason", _PLAIN),
    _variant("LATE_DROPPED", "every_id_published", _PLAIN),
    _variant("LATE_GIVEN_UP", "every_id_published", _PLAIN),
    _variant("FORGOTTEN_LET_GO", "every_id_published", _PLAIN, FAULTS=1, FORGETS=1),
    _variant("CALL_IN_SPITE", "no_claim_after_accepted", _RESEND),
    _variant("UNCOUNTED", "nobody_twice", _RESEND),
    _variant("UNSENT_FOR_DOUBT", "unsent_is_unsent", _RESEND),
    _variant("SAME_REVISION", "same_revision_same_result", _PLAIN),
    _variant("ACK_FIRST", "every_recipient_told", _PLAIN),
    _variant("PARTS_UNCONFIRMED", "every_recipient_told", _LARGE, FAULTS=1),
    _variant("PLAN_LATER", "nobody_twice", _LARGE, FAULTS=1),
    _variant("NEVER_OVER", "nobody_waits_for_ever", _PLAIN),
    _variant("NO_WAIT", "acceptance cycle", _PLAIN, liveness=True),
    _variant("PARTS_UNMARKED", "no_call_after_recorded", _LARGE, FAULTS=0, CANCELS=1),
    _variant("MARK_UNSEEN", "no_call_after_recorded", _PLAIN, FAULTS=0, CANCELS=1),
    _variant("ANSWER_EARLY", "no_call_after_recorded", _PLAIN, FAULTS=0, CANCELS=1),
    _late("WAITS_UNACKED", "everyone_told"),
    _late("UNOPENED", "entry_outlives_wait"),
    _late("UNRENEWED", "entry_outlives_wait"),
    _late("WAITS_AT_ONCE", "entry_outlives_wait"),
    _late("LADDER_TRUSTED", "not_early"),
    _late("END_UNSEEN", "not_late"),
    _late("BLIND_CLAIM", "nobody_twice"),
    _late("ANSWERED_EARLY", "no_call_after_recorded"),
    _lost("LOOKED_UNACKED", "no_look_lost", _ONE),
    _lost("NAMED_FIRST", "no_look_lost", _ONE),
    _lost("UNNAMED_DROPPED", "no_look_lost", _ONE, FAULTS=0),
    _lost("TOLD_FIRST", "same_result_again", _ONE),
    _lost("NUMBERED_ALIKE", "same_result_again", _TWO, FAULTS=0),
    _lost("BLIND_UNIT", "same_result_again", _ONE),
    _lost("ENDED_AGAIN", "one_end_each", _ONE),
    _lost("FOLLOWED_ONCE", "every_message_ends", _LATE, FAULTS=0),
    _lost("UNTOLD_DROPPED", "every_message_ends", _LATE, LOOKS=1, FOLLOWED=1),
    _lost("BARE_MESSAGE", "every_message_ends", _ONE, FAULTS=0, FORGETS=1),
    _lost("NOT_FOLLOWED", "every_message_ends", _ONE),
)
