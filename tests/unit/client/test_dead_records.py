"""Dead letters as they come from the queue, and the copies that go back."""

from datetime import UTC, datetime
from typing import Any

import pytest
from aiormq.abc import DeliveredMessage
from pamqp import commands
from pamqp.common import FieldValue
from pamqp.header import ContentHeader

from schemas.channels import JobKind
from worker.amqp.consume.deliveries import decode_delivery
from worker.amqp.dead.records import DeadLetterRecord, read_record
from worker.amqp.dead.replay import replay_copy
from worker.amqp.topology.values import Topology
from worker.amqp.wire.frames import Deliver
from worker.amqp.wire.properties import Properties
from worker.amqp.wire.raw import RAW
from worker.client.dead_letters import read_dead_job
from worker.domain.messages import Lane

TOPOLOGY = Topology("sms")
DIED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def letter(
    body: bytes = b"{}",
    *,
    key: str = "send",
    headers: dict[str, FieldValue] | None = None,
    **fields: Any,  # noqa: ANN401 - as the properties have them
) -> DeadLetterRecord:
    """Read a letter as the transport hands it over."""
    raw = Properties.of(headers=headers, **fields).marshal()
    wrapped = ContentHeader(properties=commands.Basic.Properties(headers={RAW: bytearray(raw)}))
    message = DeliveredMessage(
        commands.Basic.Deliver(routing_key=key, delivery_tag=1),
        wrapped,
        body,
        channel=None,  # type: ignore[arg-type]  # nobody answers it
    )
    return read_record(message, 1)


def death(queue: str, reason: str = "expired") -> dict[str, FieldValue]:
    """Return what the broker says of a death."""
    return {"queue": queue, "reason": reason, "time": DIED}


class TestBrokersLetters:
    """Letters without headers of ours."""

    def test_the_latest_death_counts(self) -> None:
        """An earlier one was the end of a delay."""
        deaths: list[FieldValue] = [death("sms.send.parts", "delivery_limit"), death("sms.delay.5s")]
        record = letter(headers={"x-death": deaths, "x-iton-routing-key": "send", "x-iton-id": "of a delay"})
        assert ("delivery_limit", "sms.send.parts", DIED) == (record.reason, record.queue, record.time)
        assert ("send", None) == (record.routing_key, record.id)
        assert JobKind.SEND is read_dead_job(record, 1, "sms").kind

    def test_a_key_in_a_header_that_can_be_none_is_ignored(self) -> None:
        """The broker dead-letters whatever a producer wrote; one such letter ended a replay of all."""
        record = letter(headers={"x-iton-routing-key": "k" * 256})
        assert "send" == record.routing_key == replay_copy(TOPOLOGY, record, force=False).routing_key

    def test_the_id_follows_from_what_it_is(self) -> None:
        """The same letter, the same id; another death, another one."""
        headers: dict[str, FieldValue] = {"x-death": [death("sms.send")]}
        same = {letter(b"1", headers=headers, message_id="m").replay_id for _ in range(3)}
        later: dict[str, FieldValue] = {"x-death": [{**death("sms.send"), "time": datetime.now(UTC)}]}
        others = {
            letter(b"2", headers=headers, message_id="m").replay_id,
            letter(b"1", headers=headers, message_id="n").replay_id,
            letter(b"1", headers=later, message_id="m").replay_id,
        }
        assert 4 == len(same | others)

    @pytest.mark.parametrize("deaths", [None, "x", [], ["x"], [{"queue": 1, "time": "x"}]])
    def test_whatever_stands_there_is_read(self, deaths: FieldValue) -> None:
        """Nothing raises."""
        record = letter(headers={"x-death": deaths})
        assert ("unknown", "", None) == (record.reason, record.queue, record.time)


class TestJobIds:
    """Who a letter is about."""

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (b'{"job_id": "a"}', "a"),
            (b'{"brief": {"job_id": "b"}, "number": 3}', "b"),
            (b'{"job_id": "a", "brief": {"job_id": "b"}}', "a"),
            (b'{"job_id": 1}', "m"),
            (b"[" * 100_000, "m"),
            (b"\xff", "m"),
            (b'{"job_id": "\\ud800"}', "?"),
        ],
    )
    def test_by_body_else_message_id(self, body: bytes, expected: str) -> None:
        """A part's job is inside; what no output can print is replaced."""
        assert expected == read_dead_job(letter(body, message_id="m"), 1, "sms").job_id


class TestCopies:
    """What goes back to work."""

    def test_goes_to_a_queue_of_ours_by_name(self) -> None:
        """Through the default exchange."""
        headers: dict[str, FieldValue] = {
            "x-iton-reason": "r",
            "x-iton-queue": "sms.send.parts",
            "x-iton-id": "i",
        }
        copy = replay_copy(TOPOLOGY, letter(key="send", headers=headers), force=False)
        assert ("", "sms.send.parts") == (copy.exchange, copy.routing_key)
        assert ("i", "send", None) == tuple(
            copy.properties.header(name)
            for name in ("x-iton-replay", "x-iton-routing-key", "x-iton-replay-force")
        )

    @pytest.mark.parametrize("queue", ["", "sms.dead", "sms.delay.5s", "other.send"])
    def test_goes_by_its_key_where_the_queue_is_none(self, queue: str) -> None:
        """Nobody is made to write elsewhere."""
        headers: dict[str, FieldValue] = {"x-iton-reason": "r", "x-iton-queue": queue}
        copy = replay_copy(TOPOLOGY, letter(key="status", headers=headers), force=True)
        assert ("sms.jobs", "status") == (copy.exchange, copy.routing_key)
        assert copy.properties.header("x-iton-replay-force") is True

    def test_tells_the_worker_how_long_the_job_is_known(self) -> None:
        """It reads the very moment; an earlier replay's is gone."""
        headers: dict[str, FieldValue] = {"x-iton-replay-known-until": "2020-01-01T00:00:00.000Z"}
        until = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)
        told = replay_copy(TOPOLOGY, letter(headers=headers), force=False, known_until=until).properties
        silent = replay_copy(TOPOLOGY, letter(headers=headers), force=False).properties
        for properties, moment in ((told, until), (silent, None)):
            deliver = Deliver("tag", 1, redelivered=False, routing_key="send")
            read = decode_delivery(Lane.SEND, deliver, properties.marshal(), b"")
            assert read.replay is not None
            assert moment == read.replay.known_until

    def test_each_copy_is_told_from_the_others(self) -> None:
        """A dead letter of a copy is another letter; an id that is too long is not passed on."""
        headers: dict[str, FieldValue] = {"x-iton-reason": "r", "x-iton-id": "i" * 300}
        record = letter(headers=headers)
        first, second = (replay_copy(TOPOLOGY, record, force=False).properties for _ in range(2))
        assert first.header("x-iton-id") != second.header("x-iton-id")
        assert first.header("x-iton-replay") == second.header("x-iton-replay") == record.replay_id
        assert len(record.replay_id) < 100


class TestShownHeaders:
    """What a person sees as the producer's."""

    def test_are_those_that_the_producer_gave(self) -> None:
        """Not what worker and broker added on the way, whatever else begins with an x."""
        headers: dict[str, FieldValue] = {
            "tenant": "blue",
            "x-tenant": "green",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "x-iton-reason": "not_json",
            "x-iton-first-seen": "2026-03-01T12:00:00Z",
            "x-death": [death("sms.send")],
            "x-first-death-queue": "sms.send",
            "x-last-death-reason": "expired",
            "x-delivery-count": 3,
            "x-acquired-count": 4,
        }
        shown = read_dead_job(letter(headers=headers), 1, "sms")
        assert {"tenant", "x-tenant", "traceparent"} == set(shown.headers)
        assert shown.whole()["headers"] == shown.headers
