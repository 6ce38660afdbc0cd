"""What `worker.amqp.wire` leans on inside the libraries below aio-pika, item by item.

None of it is promised by anybody. The bounds in pyproject.toml name the versions that these tests have seen;
a newer one is let in when they pass on it.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any, cast

import aio_pika
import pytest
from aiormq.abc import AbstractChannel as UnderlayChannel
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from pamqp import commands, decode, encode, frame
from pamqp.common import FieldValue
from pamqp.header import ContentHeader
from yarl import URL

from tests.support.amqp_side import QUICK
from tests.support.deadline import DEADLINE
from worker.amqp.connection.opening import RawConnection, open_connection
from worker.amqp.wire.frames import Splitter
from worker.amqp.wire.raw import RAW
from worker.amqp.wire.reader import FrameReader
from worker.amqp.wire.transport import RawTransportFactory


class Recorded:
    """Passes everything on, and remembers what was written.

    Attributes:
        writes: one entry a call.
    """

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 - a writer
        self._inner = inner
        self.writes: list[bytes] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it has
        return getattr(self._inner, name)

    def write(self, data: bytes) -> None:
        """Remember the bytes."""
        self.writes.append(data)
        self._inner.write(data)


class RecordingFactory(RawTransportFactory):
    """Opens as ours does, and records what is written."""

    writer: Recorded
    asked: dict[str, object]

    async def create(self, url: URL, **kwargs: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect."""
        self.asked = {"url": url, **kwargs}
        reader, writer = await super().create(url, **kwargs)
        self.writer = Recorded(writer)
        return reader, cast("asyncio.StreamWriter", self.writer)


@pytest.fixture
async def connection(amqp_url: str) -> AsyncIterator[RawConnection]:
    """Provide a connection as the worker has it."""
    connection = await open_connection(amqp_url, name="contract", timing=QUICK)
    yield connection
    await connection.close(2.0)


async def underlay(connection: RawConnection, number: int = 10) -> UnderlayChannel:
    """Open a channel."""
    channel = await connection.library.channel(number, publisher_confirms=False)
    return await channel.get_underlay_channel()


class TestTransport:
    """The stream that we put between the library and the socket."""

    async def test_the_library_reads_a_stream_that_ours_feeds(self, amqp_url: str) -> None:
        """From the first byte on; the protocol that fed it is asyncio's own, and learns of all the rest."""
        factory = RecordingFactory(raw=True)
        library = aio_pika.Connection(URL(amqp_url))
        library.kwargs["transport_factory"] = factory
        await library.connect()
        reader = factory.writer.transport.get_protocol()
        assert isinstance(reader, FrameReader)
        assert isinstance(reader._replaced, asyncio.StreamReaderProtocol)
        channel = await library.channel()
        await channel.declare_queue("contract", exclusive=True)
        await library.close()
        assert library.is_closed

    async def test_the_library_writes_whole_frames(self, amqp_url: str) -> None:
        """So that frames of ours fit between any two writes."""
        factory = RecordingFactory(raw=True)
        library = aio_pika.Connection(URL(amqp_url))
        library.kwargs["transport_factory"] = factory
        await library.connect()
        channel = await library.channel()
        await channel.declare_queue("contract", exclusive=True)
        await channel.default_exchange.publish(aio_pika.Message(b"x" * 300_000), "contract")
        await library.close()
        header, *writes = factory.writer.writes
        assert header.startswith(b"AMQP")
        for data in writes:
            splitter = Splitter()
            assert list(splitter.feed(data))
            assert not splitter._rest

    def test_a_factory_makes_reader_and_writer_of_a_url(self) -> None:
        """Ours hands everything on to the library's own two."""
        for factory in (TransportFactory, TCPTransportFactory, TLSTransportFactory):
            parameters = inspect.signature(factory.create).parameters
            assert ["self", "url"] == list(parameters)[:2]
            assert any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())


class TestConnection:
    """What is read from the library's connection."""

    async def test_what_was_agreed_with_the_broker(self, connection: RawConnection) -> None:
        """The largest frame, and who the broker is."""
        transport = connection.library.transport
        assert transport is not None
        assert transport.connection.connection_tune.frame_max == connection.frame_max >= 4096
        assert "RabbitMQ" == transport.connection.server_properties["product"]

    async def test_its_end_can_be_waited_for_by_many(self, connection: RawConnection) -> None:
        """Who stops waiting does not close it."""
        transport = connection.library.transport
        assert transport is not None
        first, second = transport.connection.closing, transport.connection.closing
        first.cancel()
        await asyncio.sleep(0)
        assert not connection.library.is_closed
        await connection.library.close()
        await asyncio.wait_for(asyncio.wait({second}), DEADLINE)

    async def test_it_is_ready_unless_the_broker_blocks_it(self, connection: RawConnection) -> None:
        """As long as it is not, `ready` does not return."""
        transport = connection.library.transport
        assert transport is not None
        await asyncio.wait_for(transport.connection.ready(), DEADLINE)
        assert not await connection.blocked()


class TestChannel:
    """What is asked of the library's lower channel."""

    async def test_it_has_the_number_that_we_chose(self, connection: RawConnection) -> None:
        """Our frames name it."""
        assert [10, 23] == [(await underlay(connection, number)).number for number in (10, 23)]

    async def test_a_consumer_is_begun_and_ended_and_counted(self, connection: RawConnection) -> None:
        """By a tag that the broker draws."""
        channel = await underlay(connection)
        declared = await channel.queue_declare(exclusive=True)
        queue = declared.queue or ""

        async def nobody(_: object) -> None:
            """Take what never comes."""

        answer = await channel.basic_consume(queue, nobody)
        looked = await channel.queue_declare(queue, passive=True)
        assert (0, 1) == (looked.message_count, looked.consumer_count)
        assert answer.consumer_tag
        await channel.basic_cancel(answer.consumer_tag)
        assert 0 == (await channel.queue_declare(queue, passive=True)).consumer_count

    async def test_a_cancel_of_the_brokers_is_told(self, connection: RawConnection) -> None:
        """With the consumer's tag."""
        channel, told = await underlay(connection), asyncio.Queue[str | None]()
        other = await underlay(connection, 12)
        declared = await channel.queue_declare(auto_delete=True)
        queue = declared.queue or ""
        channel.on_consumer_cancel_callbacks.add(lambda cancel: told.put_nowait(cancel.consumer_tag))

        async def nobody(_: object) -> None:
            """Take what never comes."""

        answer = await channel.basic_consume(queue, nobody)
        await other.queue_delete(queue)
        assert answer.consumer_tag == await asyncio.wait_for(told.get(), DEADLINE)

    async def test_its_end_is_told_with_the_brokers_reason(self, connection: RawConnection) -> None:
        """And it counts as closed by then."""
        channel = await underlay(connection)
        closing = channel.closing
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await channel.queue_declare("no.such.queue", passive=True)
        await asyncio.wait_for(asyncio.wait({closing}), DEADLINE)
        assert isinstance(closing.exception(), aio_pika.exceptions.ChannelNotFoundEntity)
        assert channel.is_closed


class TestCodec:
    """What is used of pamqp."""

    def test_a_header_of_bytes_comes_back_as_bytes(self) -> None:
        """All properties hide in one; any byte is allowed there."""
        raw = bytes(range(256))
        properties = commands.Basic.Properties(headers={RAW: bytearray(raw)})
        written = frame.marshal(ContentHeader(body_size=7, properties=properties), 3)
        _, channel, header = frame.unmarshal(written)
        assert isinstance(header, ContentHeader)
        assert (3, 7) == (channel, header.body_size)
        assert raw == bytes(cast("bytearray", (header.properties.headers or {})[RAW]))

    def test_one_value_of_a_table_is_written_and_read_alone(self) -> None:
        """With its type in front, and how long it was."""
        values: tuple[FieldValue, ...] = ("text", 5, True, None, [1, "two"], {"three": 4})
        for value in values:
            raw = encode.encode_table_value(value)
            assert (len(raw), value) == decode.embedded_value(raw)
