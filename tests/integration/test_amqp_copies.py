"""Dead letters and delayed jobs keep what the producer wrote, on a real broker, whatever that was."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal

import pika
import pytest

from tests.support.amqp_side import QUICK, Got, Peer, RememberingHandler, running, until
from tests.support.deadline import DEADLINE
from worker.amqp.consume.consumer import Consumer
from worker.amqp.consume.options import ConsumerOptions
from worker.amqp.consume.settlement import Settlement
from worker.amqp.dead.browser import browse, read_dead_letters
from worker.amqp.publish.options import PublisherOptions
from worker.amqp.publish.publisher import BrokerPublisher
from worker.amqp.topology.values import Topology
from worker.domain.messages import DeadLetter, Delay, Disposition, Lane

ODD_HEADERS = {
    "text": "नमस्ते",
    "bytes": b"\xff\xfe",
    "small": -5,
    "big": 2**40,
    "yes": True,
    "nothing": None,
    "decimal": Decimal("3.14"),
    "time": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "list": [1, "two", {"three": 3}],
    "table": {"deep": {"deeper": [None, False]}},
    "": "a header without a name",
}
DEAD = DeadLetter("bad_job", "not JSON")


@pytest.fixture
def topology(amqp_prefix: str) -> Topology:
    """Short delays, for tests that wait for them."""
    return Topology(amqp_prefix, (1, 2), (1,))


@pytest.fixture
def peer(amqp_url: str) -> Peer:
    """An independent client."""
    return Peer(amqp_url)


@asynccontextmanager
async def answering(url: str, topology: Topology, answer: Disposition) -> AsyncIterator[RememberingHandler]:
    """A worker that gives every send job the same disposition."""
    handler = RememberingHandler(answer)
    publisher = BrokerPublisher(url, topology, PublisherOptions(timing=QUICK))
    consumer = Consumer(
        url,
        topology,
        prefetch={Lane.SEND: 10},
        handle=handler,
        settlement=Settlement(publisher, requeue_pause=0.05),
        options=ConsumerOptions(timing=QUICK),
    )
    async with running(publisher, consumer):
        await until(lambda: consumer.state.up)
        yield handler


async def dead_copy(
    url: str, topology: Topology, properties: pika.BasicProperties, body: bytes = b"job"
) -> Got:
    """What becomes of a job with *properties* that is dead-lettered."""
    peer = Peer(url)
    async with answering(url, topology, DEAD):
        peer.publish(topology.jobs, "send", body, properties)
        return await peer.wait_for_one(topology.dead)


def without_ours(properties: pika.BasicProperties) -> dict[str, object]:
    """The headers that neither we nor the queue added."""
    headers = properties.headers or {}
    return {
        name: value
        for name, value in headers.items()
        if not name.startswith("x-iton-") and name != "x-delivery-count"
    }


class TestProperties:
    """What a copy keeps."""

    async def test_every_property_survives(self, amqp_url: str, topology: Topology) -> None:
        """Content type, encoding, priority, ids, reply queue, time, type, application, odd headers, body."""
        given = pika.BasicProperties(
            content_type="text/odd; charset=none",
            content_encoding="x-odd",
            headers=dict(ODD_HEADERS),
            delivery_mode=1,
            priority=7,
            correlation_id="corr",
            reply_to="replies",
            message_id="msg",
            timestamp=1767323045,
            type="my.type",
            app_id="producer",
        )
        method, properties, body = await dead_copy(amqp_url, topology, given, b"\x00\xff")
        assert (method.routing_key, body) == ("send", b"\x00\xff")
        assert without_ours(properties) == ODD_HEADERS
        kept = ("content_type", "content_encoding", "priority", "correlation_id", "reply_to", "message_id")
        for name in (*kept, "timestamp", "type", "app_id"):
            assert getattr(given, name) == getattr(properties, name), name
        assert properties.delivery_mode == 2

    async def test_what_was_absent_stays_absent(self, amqp_url: str, topology: Topology) -> None:
        """No message id is invented: a job without one must stay without one."""
        _, properties, _ = await dead_copy(amqp_url, topology, pika.BasicProperties())
        assert properties.message_id is None
        assert properties.priority is None
        assert properties.timestamp is None
        assert without_ours(properties) == {}

    async def test_an_expiration_does_not_make_the_dead_letter_vanish(
        self, amqp_url: str, topology: Topology
    ) -> None:
        """It is kept in a header only."""
        _, properties, _ = await dead_copy(amqp_url, topology, pika.BasicProperties(expiration="60000"))
        assert properties.expiration is None
        assert properties.headers["x-iton-expiration"] == "60000"

    async def test_a_user_id_is_kept_in_a_header(self, amqp_url: str, topology: Topology) -> None:
        """The broker takes a user id only from that user."""
        _, properties, _ = await dead_copy(amqp_url, topology, pika.BasicProperties(user_id="guest"))
        assert properties.user_id is None
        assert properties.headers["x-iton-user-id"] == "guest"

    async def test_a_copy_goes_to_no_other_queue(self, amqp_url: str, topology: Topology, peer: Peer) -> None:
        """CC led the job to a second queue once; its dead letter must not go there again."""
        given = pika.BasicProperties(headers={"CC": ["status"], "BCC": ["x"]})
        async with answering(amqp_url, topology, DEAD):
            peer.publish(topology.jobs, "send", b"job", given)
            _, properties, _ = await peer.wait_for_one(topology.dead)
        assert without_ours(properties) == {}
        assert peer.count(topology.work_queue(Lane.STATUS)) == 1

    async def test_a_delayed_job_keeps_all_of_it_over_the_rounds(
        self, amqp_url: str, topology: Topology, peer: Peer
    ) -> None:
        """After a delay and then a dead letter the producer's properties are still there."""
        given = pika.BasicProperties(headers=dict(ODD_HEADERS), correlation_id="corr", expiration="60000")
        async with answering(amqp_url, topology, Delay(1, "down")) as handler:
            peer.publish(topology.jobs, "send", b"job", given)
            await until(lambda: len(handler.seen) == 1)
            handler.answer = DEAD
            method, properties, body = await peer.wait_for_one(topology.dead)
        assert (method.routing_key, body) == ("send", b"job")
        assert without_ours(properties) == ODD_HEADERS
        assert properties.correlation_id == "corr"
        assert properties.headers["x-iton-attempts"] == 1
        assert properties.headers["x-iton-expiration"] == "60000"

    async def test_headers_that_fill_a_frame_are_no_obstacle(self, amqp_url: str, topology: Topology) -> None:
        """The copy has headers of ours too, and the broker closes connections over larger frames."""
        given = pika.BasicProperties(headers={"huge": "x" * 130_950, "small": 1})
        _, properties, body = await dead_copy(amqp_url, topology, given)
        assert body == b"job"
        assert without_ours(properties) == {"small": 1}

    async def test_a_dead_letter_waits_for_its_queue(
        self, amqp_url: str, topology: Topology, peer: Peer
    ) -> None:
        """Without a message id too it is noticed that no queue took the copy: the queue is declared again."""
        async with answering(amqp_url, topology, DEAD):
            peer.delete_queue(topology.dead)
            peer.publish(topology.jobs, "send", b"job")
            _, properties, body = await wait_until_there(peer, topology.dead)
        assert (properties.message_id, body) == (None, b"job")


class TestPoison:
    """Properties that a usual client library cannot even read."""

    @pytest.mark.parametrize(
        "flags_and_values",
        [
            struct.pack(">HQ", 64, 1_767_323_045_000_000_000),
            struct.pack(">HQ", 64, 2**64 - 1),
            struct.pack(">H", 1024) + b"\x03\xff\xfe\xfd",
            struct.pack(">HI", 8192, 5) + b"\x02\xff\xfet\x01",
            struct.pack(">HI", 8192, 11) + b"\x01dD\x00" + b"\xff" * 4 + b"\x01xV",
        ],
        ids=["nanoseconds", "max-time", "latin-1", "odd-header-name", "big-decimal"],
    )
    async def test_the_consumer_lives_on(
        self, amqp_url: str, topology: Topology, peer: Peer, flags_and_values: bytes
    ) -> None:
        """The job is handled as any other, and its dead letter carries the same bytes."""
        async with answering(amqp_url, topology, DEAD) as handler:
            await asyncio.to_thread(publish_raw, amqp_url, topology.jobs, flags_and_values)
            await until(lambda: len(handler.seen) == 1)
            await until_dead(peer, topology)
            peer.publish(topology.jobs, "send", b"next")
            await until(lambda: len(handler.seen) == 2)
        records = await read_dead_letters(amqp_url, topology)
        assert [record.body for record in records] == [b"poison", b"next"]
        assert records[0].reason == "bad_job"


async def wait_until_there(peer: Peer, queue: str) -> Got:
    """The next message of a queue that may be missing at first.

    Nothing is taken before it is counted: who asks a queue that is just being made ends the connection with
    INTERNAL_ERROR.
    """
    async with asyncio.timeout(DEADLINE):
        while True:
            with suppress(pika.exceptions.ChannelClosedByBroker):
                if await asyncio.to_thread(peer.count, queue):
                    return await peer.wait_for_one(queue)
            await asyncio.sleep(0.05)


async def until_dead(peer: Peer, topology: Topology) -> None:
    """Wait for the dead letter."""
    async with asyncio.timeout(DEADLINE):
        while not await asyncio.to_thread(peer.count, topology.dead):  # noqa: ASYNC110 - a broker is asked
            await asyncio.sleep(0.05)


# pika has no types.
class _RawProperties(pika.BasicProperties):  # type: ignore[misc]
    """Goes out as the bytes given."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self._raw = raw

    def encode(self) -> list[bytes]:
        return [self._raw]


def publish_raw(url: str, exchange: str, raw: bytes) -> None:
    """Publish a send job with properties that no client would write."""
    Peer(url).publish(exchange, "send", b"poison", _RawProperties(raw))


class TestReading:
    """The dead-letter queue as the command line reads it."""

    async def test_reading_removes_nothing(self, amqp_url: str, topology: Topology, peer: Peer) -> None:
        """A second reading sees the same records, with all that the headers say."""
        given = pika.BasicProperties(message_id="msg")
        async with answering(amqp_url, topology, DEAD):
            for body in (b"1", b"2", b"3"):
                peer.publish(topology.jobs, "send", body, given)
            async with asyncio.timeout(DEADLINE):
                while peer.count(topology.dead) < 3:  # noqa: ASYNC110 - a broker is asked
                    await asyncio.sleep(0.05)
        first = await read_dead_letters(amqp_url, topology)
        second = await read_dead_letters(amqp_url, topology, limit=2)
        assert {b"1", b"2", b"3"} == {record.body for record in first}
        assert len(second) == 2
        record = first[0]
        assert (record.reason, record.detail, record.attempts) == ("bad_job", "not JSON", 0)
        assert (record.routing_key, record.queue) == ("send", topology.work_queue(Lane.SEND))
        assert record.message_id == "msg"
        assert record.id is not None
        assert record.time is not None
        assert (datetime.now(UTC) - record.time).total_seconds() < 60

    async def test_a_dropped_one_is_gone(self, amqp_url: str, topology: Topology, peer: Peer) -> None:
        """What a replay takes out is not read again."""
        async with answering(amqp_url, topology, DEAD):
            peer.publish(topology.jobs, "send", b"1")
            await until_dead(peer, topology)
        async with browse(amqp_url, topology) as browser:
            async for record in browser.records(10):
                await browser.drop(record)
        assert await read_dead_letters(amqp_url, topology) == []

    async def test_one_that_the_broker_dead_lettered_has_its_word(
        self, amqp_url: str, topology: Topology, peer: Peer
    ) -> None:
        """An expired job has no headers of ours: the broker's say why and from where."""
        async with answering(amqp_url, topology, DEAD):
            pass
        peer.publish(topology.jobs, "send", b"late", pika.BasicProperties(expiration="1"))
        await until_dead(peer, topology)
        (record,) = await read_dead_letters(amqp_url, topology)
        assert (record.reason, record.queue) == ("expired", topology.work_queue(Lane.SEND))
        assert record.id is None
