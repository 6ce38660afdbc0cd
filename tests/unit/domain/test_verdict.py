"""What is known of a call after something happened to it."""

from datetime import timedelta

import pytest

from schemas import Outcome
from tests.support.fakes import START
from worker.domain import verdict
from worker.domain.disposition import RetryPolicy
from worker.domain.entry import Call, CallState, Entry, MessageIds, Part, begin, release
from worker.domain.entry_codec import decode, encode
from worker.domain.errors import (
    AccountError,
    AccountTrouble,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)
from worker.domain.merging import merged
from worker.domain.messages import Delay, Delivery, Lane
from worker.domain.sent_ids import SentIds
from worker.domain.verdict import Wishes

NEW = Entry("f", Part(("1", "2"), calls=(Call(("1", "2")),)))
CALLING = begin(NEW, 0, started=1.0)
REPEATED = begin(release(CALLING, 0, went_out=True), 0, started=2.0)
NOT_SENT = (
    TransientError("gateway_unreachable", "refused"),
    AccountError("credits_exhausted", "none", trouble=AccountTrouble.CREDITS),
)


def revise(entry: Entry, message_ids: MessageIds) -> Entry:
    """The entry with a late reply to its first call."""
    both = merged(entry, verdict.after_reply(CALLING, 0, message_ids))
    assert both is not None
    return both


def found(entry: Entry) -> list[Outcome]:
    """The outcomes of a complete part."""
    return [one.outcome for one in entry.part.outcomes()]


class TestReplies:
    """After a reply."""

    def test_each_named_recipient_is_accepted(self) -> None:
        """The others are uncertain."""
        entry = verdict.after_reply(CALLING, 0, {"2": ("b",)})
        assert [Outcome.UNCERTAIN, Outcome.ACCEPTED] == found(entry)
        assert "not_in_reply" == entry.part.outcomes()[0].code

    def test_ids_that_the_reply_gives_to_nobody_are_told_to_those_whom_it_leaves_out(self) -> None:
        """One of them may be theirs."""
        entry = verdict.after_reply(CALLING, 0, SentIds({"2": ("b",)}, ("c", "d")))
        first, second = entry.part.outcomes()
        assert "the gateway's reply does not name this number (message id c, d)" == first.detail
        assert ("b", None) == (second.message_id, second.detail)

    def test_a_reply_that_raves_makes_no_result_that_no_broker_takes(self) -> None:
        """Two ids for each number of a call are told, of more how many there are."""
        loose = tuple(f"id-{number}" for number in range(1_700))
        first, _ = verdict.after_reply(CALLING, 0, SentIds({"2": ("b",)}, loose)).part.outcomes()
        assert (first.detail or "").endswith(", id-198, id-199 and 1,500 more)")

    def test_a_number_with_several_ids_keeps_them_all(self) -> None:
        """The first one is its id, the others stand beside it; the ledger gives them back."""
        entry = verdict.after_reply(CALLING, 0, {"1": ("a", "b", "c"), "2": ("d",)})
        first, second = decode(encode(entry)).part.outcomes()
        assert (Outcome.ACCEPTED, "a", ("b", "c")) == (first.outcome, first.message_id, first.earlier_ids)
        assert ("d", ()) == (second.message_id, second.earlier_ids)


class TestErrors:
    """After an error."""

    def test_a_reply_that_names_ids_is_no_reason_to_call_again(self) -> None:
        """They would be lost, and the call was carried out."""
        error = OutcomeUncertainError("reply_unreadable", "(message id a, b)")
        error.names_ids = True
        entry = verdict.after_error(CALLING, 0, error, repeatable=True)
        assert [Outcome.UNCERTAIN] * 2 == found(entry)
        assert "(message id a, b)" == entry.part.outcomes()[0].detail

    @pytest.mark.parametrize("error", NOT_SENT)
    def test_what_did_not_go_out_is_ready_again(self, error: WorkerError) -> None:
        """As if nothing had been tried."""
        assert NEW == verdict.after_error(CALLING, 0, error, repeatable=False)

    def test_a_refusal_is_final(self) -> None:
        """With the gateway's words."""
        entry = verdict.after_error(CALLING, 0, PermanentError("text_refused", "bad"), repeatable=True)
        assert [Outcome.FAILED] * 2 == found(entry)
        assert ("text_refused", "bad") == (entry.part.outcomes()[0].code, entry.part.outcomes()[0].detail)

    def test_a_refusal_that_names_numbers_of_the_job_shows_them(self) -> None:
        """Or nobody could tell which of them it is about."""
        error = PermanentError("number_refused", "Invalid number ***")
        error.own_detail = "Invalid number 919876543210"
        entry = verdict.after_error(CALLING, 0, error, repeatable=False)
        assert {"Invalid number 919876543210"} == {one.detail for one in entry.part.outcomes()}

    def test_a_refused_repeat_leaves_the_first_call_uncertain(self) -> None:
        """It may have arrived."""
        entry = verdict.after_error(REPEATED, 0, PermanentError("text_refused", "bad"), repeatable=True)
        assert [Outcome.UNCERTAIN] * 2 == found(entry)

    def test_a_lost_reply_is_uncertain_or_repeated(self) -> None:
        """As the job wishes; the attempt counts."""
        lost = OutcomeUncertainError("reply_lost", "lost")
        assert [Outcome.UNCERTAIN] * 2 == found(verdict.after_error(CALLING, 0, lost, repeatable=False))
        again = verdict.after_error(CALLING, 0, lost, repeatable=True)
        assert (CallState.READY, 1) == (again.part.calls[0].state, again.part.calls[0].attempts)


class TestEnds:
    """Calls that are not going to be made."""

    def test_expiry_of_a_call_that_was_never_made(self) -> None:
        """Expired."""
        assert [Outcome.EXPIRED] * 2 == found(verdict.after_expiry(NEW, 0))

    def test_expiry_after_a_lost_call(self) -> None:
        """Uncertain."""
        entry = verdict.after_expiry(release(CALLING, 0, went_out=True), 0)
        assert [Outcome.UNCERTAIN] * 2 == found(entry)

    def test_retries_used_up(self) -> None:
        """Failed, with the last error's words."""
        entry = verdict.after_last_round(NEW, 0, NOT_SENT[0])
        assert [Outcome.FAILED] * 2 == found(entry)
        assert "refused" in str(entry.part.outcomes()[0].detail)

    def test_retries_used_up_after_a_lost_call(self) -> None:
        """Uncertain."""
        entry = verdict.after_last_round(release(CALLING, 0, went_out=True), 0, NOT_SENT[0])
        assert [Outcome.UNCERTAIN] * 2 == found(entry)

    def test_a_lease_that_ran_out(self) -> None:
        """Uncertain, or ready again where the job wishes."""
        entry = verdict.after_lease(CALLING, 0, repeatable=False)
        assert [Outcome.UNCERTAIN] * 2 == found(entry)
        assert "worker_lost" == entry.part.outcomes()[0].code
        again = verdict.after_lease(CALLING, 0, repeatable=True)
        assert (CallState.READY, 1) == (again.part.calls[0].state, again.part.calls[0].attempts)


class TestWishes:
    """What a job says of its calls."""

    def test_the_end_of_its_time_is_part_of_it(self) -> None:
        """At the very moment it is over."""
        wishes = Wishes(START, 1)
        assert not wishes.expired(START - timedelta(microseconds=1))
        assert wishes.expired(START)
        assert not Wishes(None, 1).expired(START)

    def test_repeats_are_counted(self) -> None:
        """And end with the job's time."""
        once = CALLING.part.calls[0]
        assert not Wishes(None, 1).repeatable(once, START)
        assert Wishes(None, 2).repeatable(once, START)
        assert not Wishes(None, 2).repeatable(REPEATED.part.calls[0], START)
        assert not Wishes(START, 2).repeatable(once, START)


class TestRevisions:
    """Ids that come late."""

    def test_uncertain_becomes_accepted(self) -> None:
        """In a second revision, which the same ids do not raise again."""
        settled = verdict.after_lease(CALLING, 0, repeatable=False)
        entry = revise(settled, {"1": ("a",)})
        assert ([Outcome.ACCEPTED, Outcome.UNCERTAIN], 2) == (found(entry), entry.revision)
        assert entry == revise(entry, {"1": ("a",)})

    def test_an_accepted_one_keeps_its_id(self) -> None:
        """And names the late one beside it."""
        entry = revise(verdict.after_reply(REPEATED, 0, {"1": ("b",), "2": ("b",)}), {"1": ("a",)})
        first = entry.part.outcomes()[0]
        assert ("b", ("a",)) == (first.message_id, first.earlier_ids)

    def test_a_repeat_under_way_remembers_all_of_them(self) -> None:
        """Until it is settled; nothing was published yet, so it is no revision."""
        entry = revise(revise(REPEATED, {"1": ("a",)}), {"1": ("b",), "2": ("b",)})
        done = verdict.after_reply(entry, 0, {"1": ("c",), "2": ("c",)})
        first, second = done.part.outcomes()
        assert {"a", "b", "c"} == {first.message_id, *first.earlier_ids}
        assert {"b", "c"} == {second.message_id, *second.earlier_ids}
        assert 1 == done.revision

    def test_a_late_reply_with_several_ids_keeps_them_all(self) -> None:
        """Whether the call is settled or being repeated."""
        settled = revise(verdict.after_lease(CALLING, 0, repeatable=False), {"1": ("a", "b")})
        repeated = verdict.after_reply(revise(REPEATED, {"1": ("a", "b")}), 0, {"1": ("c", "a")})
        first, again = settled.part.outcomes()[0], repeated.part.outcomes()[0]
        assert ("a", ("b",)) == (first.message_id, first.earlier_ids)
        assert ("c", ("a", "b")) == (again.message_id, again.earlier_ids)

    def test_a_repeat_that_failed_is_not_made_again_for_ids_that_are_known(self) -> None:
        """Every recipient has one."""
        entry = revise(REPEATED, {"1": ("a",), "2": ("a",)})
        for after in (release(entry, 0, went_out=False), release(entry, 0, went_out=True)):
            assert [Outcome.ACCEPTED] * 2 == found(after)

    def test_only_what_is_ready_begins(self) -> None:
        """A call that is under way or done is never made from here."""
        for entry in (CALLING, verdict.after_reply(CALLING, 0, {})):
            with pytest.raises(ValueError, match="ready"):
                begin(entry, 0, started=3.0)


class TestRounds:
    """Rounds through the delay queues."""

    def test_each_round_has_its_delay(self) -> None:
        """Then there is none."""
        policy = RetryPolicy((5, 30), 60)
        rounds = [
            policy.next_round(Delivery(Lane.SEND, b"", "send", attempts=n, first_seen=START), "x", now=START)
            for n in range(3)
        ]
        assert [Delay(5, "x"), Delay(30, "x"), None] == rounds

    def test_age_ends_them(self) -> None:
        """Counted from the first round."""
        policy = RetryPolicy((5, 30), 60)
        late = START + timedelta(seconds=60)
        again = Delivery(Lane.SEND, b"", "send", attempts=1, first_seen=START)
        assert policy.next_round(again, "x", now=late) is None
        assert Delay(5, "x") == policy.next_round(Delivery(Lane.SEND, b"", "send"), "x", now=late)
