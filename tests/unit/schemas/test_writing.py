"""Results written at once, held against the models."""

import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from schemas import (
    DeliveryStatus,
    Encoding,
    Failure,
    MessageStatus,
    Outcome,
    RecipientDeliveryStatus,
    RecipientResult,
    TrackedResult,
    writing,
)
from tests.support import made_results

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
IDS = st.from_regex(r"[A-Za-z0-9._:-]{1,20}", fullmatch=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False)  # as in JSON
METADATA = st.dictionaries(
    WORDS,
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS
    | st.lists(WORDS),
    max_size=3,
)
KOLKATA = timezone(timedelta(hours=5, minutes=30))
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.sampled_from([UTC, KOLKATA]))  # noqa: DTZ001 - the zones are drawn


@st.composite
def recipients(draw: st.DrawFn) -> RecipientResult:
    """Any recipient that a result may have."""
    outcome, name = draw(st.sampled_from(Outcome)), draw(WORDS)
    if outcome is Outcome.ACCEPTED:
        earlier = draw(st.lists(IDS, max_size=2))
        return RecipientResult(
            recipient=name,
            outcome=outcome,
            message_id=draw(IDS),
            earlier_message_ids=tuple(earlier) or None,
        )
    if outcome is Outcome.DND:
        return made_results.dnd(name)
    return RecipientResult(recipient=name, outcome=outcome, error=Failure(code=draw(IDS), detail=draw(WORDS)))


@st.composite
def messages(draw: st.DrawFn) -> MessageStatus:
    """Any message that a result may have."""
    if not draw(st.booleans()):
        return MessageStatus(message_id=draw(IDS), found=False)
    told = st.builds(
        RecipientDeliveryStatus, recipient=WORDS, status=st.sampled_from(DeliveryStatus), raw_status=WORDS
    )
    return MessageStatus(
        message_id=draw(IDS),
        found=True,
        sender=draw(st.none() | WORDS),
        sent_at=draw(st.none() | TIMES),
        text=draw(st.none() | WORDS),
        recipients=tuple(draw(st.lists(told, max_size=3))),
    )


def recipient_row(one: RecipientResult) -> writing.Row:
    """The same recipient without a model."""
    return writing.recipient_row(
        one.recipient,
        one.outcome,
        message_id=one.message_id,
        earlier_message_ids=one.earlier_message_ids or (),
        code=one.error.code if one.error else None,
        detail=one.error.detail if one.error else "",
    )


def message_row(one: MessageStatus) -> writing.Row:
    """The same message without a model."""
    if not one.found:
        return writing.unknown_message_row(one.message_id)
    told = [(to.recipient, to.status, to.raw_status) for to in one.recipients]
    return writing.message_row(one.message_id, told, sender=one.sender, sent_at=one.sent_at, text=one.text)


class TestSendResult:
    """`send_result`."""

    @given(IDS, st.lists(recipients(), min_size=1, max_size=5), st.none() | st.integers(2, 9), METADATA)
    def test_it_is_the_model_byte_for_byte(
        self, job_id: str, held: list[RecipientResult], revision: int | None, metadata: dict[str, object]
    ) -> None:
        """Status, counts and the order of fields included."""
        model = made_results.send_result(
            job_id,
            held,
            part=2,
            parts=3,
            revision=revision,
            encoding=Encoding.GSM7,
            segments=2,
            metadata=metadata,
        )
        head: writing.Row = {"job_id": job_id, "part": 2, "parts": 3}
        if revision is not None:
            head["revision"] = revision
        tail = {"encoding": "gsm7", "segments": 2, "metadata": metadata}
        written = writing.send_result(head, [recipient_row(one) for one in held], tail)
        assert (model.status, model.counts, model.to_json()) == written

    def test_the_row_of_nearly_every_recipient(self) -> None:
        """Is the one that is made with names."""
        named = writing.recipient_row("919876543210", Outcome.ACCEPTED, message_id="5f1c")
        assert named == writing.accepted_row("919876543210", "5f1c")

    def test_a_fraction_in_the_metadata_comes_back_as_the_same_number(self) -> None:
        """However it is spelt."""
        metadata = {"price": 1e16, "half": 0.5}
        tail = {"encoding": "gsm7", "segments": 1, "metadata": metadata}
        written = writing.send_result(
            {"job_id": "a", "part": 1, "parts": 1}, [writing.recipient_row("91", Outcome.DND)], tail
        )
        assert metadata == json.loads(written.body)["metadata"]


class TestDeliveryResult:
    """`delivery_result`."""

    @given(IDS, st.lists(messages(), min_size=1, max_size=4), METADATA)
    def test_it_is_the_model_byte_for_byte(
        self, job_id: str, held: list[MessageStatus], metadata: dict[str, object]
    ) -> None:
        """Status, times and what is left out included."""
        model = made_results.delivery_result(job_id, held, part=1, parts=4, metadata=metadata)
        head = {"job_id": job_id, "part": 1, "parts": 4}
        written = writing.delivery_result(head, [message_row(one) for one in held], metadata)
        assert (model.status, model.to_json()) == written

    @given(IDS, st.lists(messages(), min_size=1, max_size=4), METADATA)
    def test_a_tracked_one_is_the_model_byte_for_byte(
        self, job_id: str, held: list[MessageStatus], metadata: dict[str, object]
    ) -> None:
        """Number and status included."""
        given_ = {"job_id": job_id, "track": 3, "messages": tuple(held), "metadata": metadata}
        rows = [message_row(one) for one in held]
        written = writing.tracked_result({"job_id": job_id, "track": 3}, rows, metadata)
        assert TrackedResult.model_validate(given_).to_json() == written

    def test_half_a_character_of_the_gateway_s_does_no_harm(self) -> None:
        """JSON may hold one, UTF-8 cannot."""
        row = writing.message_row("a", [], text="half \ud83d")
        written = writing.delivery_result({"job_id": "a", "part": 1, "parts": 1}, [row], {})
        assert "half ?" == json.loads(written.body)["messages"][0]["text"]


class TestIds:
    """Under which each result is published."""

    def test_message_ids_have_the_forms_of_the_contract(self) -> None:
        """Consumers drop repeats by them."""
        assert writing.result_message_id("order-1", 3) == "order-1/3"
        assert writing.rejection_message_id("order-1", "ab12") == "order-1/rejected/ab12"
        assert writing.rejection_message_id(None, "ab12") == "rejected/ab12"
        assert writing.tracking_message_id("order-1", 2) == "order-1/track/2"
