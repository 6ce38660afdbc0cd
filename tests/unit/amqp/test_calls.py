"""Calls that end in time, and what they end with."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import (
    AMQPConnectionError,
    ChannelAccessRefused,
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    DeliveryError,
)
from pamqp.commands import Basic

from tests.support.deadline import DEADLINE
from worker.amqp.connection.calls import bounded, describe
from worker.domain.errors import BrokerUnavailableError


async def fail(error: BaseException) -> None:
    """Raise it, a moment later."""
    await asyncio.sleep(0)
    raise error


class TestBounded:
    """`bounded`."""

    async def test_the_value_comes_through(self) -> None:
        """Where nothing goes wrong nothing changes."""
        assert await bounded(asyncio.sleep(0, "value"), DEADLINE) == "value"

    async def test_it_ends_in_time(self) -> None:
        """A silent broker is an error of ours."""
        with pytest.raises(BrokerUnavailableError) as caught:
            await bounded(asyncio.Event().wait(), 0.01)
        assert caught.value.code == "timeout"

    @pytest.mark.parametrize(
        "error",
        [
            asyncio.CancelledError(),
            ChannelInvalidStateError("x"),
            RuntimeError("closed"),
            AMQPConnectionError(),
            Exception(),
        ],
    )
    async def test_a_lost_connection_is_one_error(self, error: BaseException) -> None:
        """Whatever the library says, also a cancellation that nobody asked for."""
        with pytest.raises(BrokerUnavailableError) as caught:
            await bounded(fail(error), DEADLINE)
        assert caught.value.code == "connection_lost"

    async def test_what_the_broker_answers_comes_through(self) -> None:
        """The caller knows what it means."""
        with pytest.raises(ChannelNotFoundEntity):
            await bounded(fail(ChannelNotFoundEntity("no queue")), DEADLINE)

    @pytest.mark.parametrize("error", [ChannelInvalidStateError("closed"), ChannelNotFoundEntity("q"), None])
    async def test_our_own_cancellation_is_never_swallowed(self, error: Exception | None) -> None:
        """Even if the library turns it into an error of a closing channel, or takes it for an answer."""

        async def stubborn() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if error is not None:
                    raise error from None

        task = asyncio.create_task(bounded(stubborn(), 10))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


class TestDescribing:
    """`describe`."""

    def test_the_brokers_words_without_the_user(self) -> None:
        """A user name is a credential."""
        error = ChannelAccessRefused("access to queue 'q' in vhost '/' refused for user 'guest'")
        assert describe(error) == "access to queue 'q' in vhost '/' refused for our user"

    def test_the_librarys_words_are_not_quoted(self) -> None:
        """They print the URL."""
        assert (
            describe(RuntimeError("<Connection: 'amqp://guest:***@host'> closed"))
            == "the connection is closed"
        )

    def test_the_systems_words(self) -> None:
        """They name the address that refused."""
        assert "refused" in describe(ConnectionRefusedError(111, "Connection refused"))

    @pytest.mark.parametrize(
        ("spelt", "said"),
        [
            (ConnectionResetError(104, "Connection reset by peer"), ": Connection reset by peer"),
            (ConnectionResetError(), ""),
            (EOFError("0 bytes read"), ": 0 bytes read"),
        ],
    )
    def test_errors_that_the_library_quotes_are_words(self, spelt: Exception, said: str) -> None:
        """A person at a terminal reads them."""
        lost = AMQPConnectionError(f"Server connection reset: {spelt!r}")
        assert describe(lost) == f"Server connection reset{said}"

    def test_the_bytes_of_a_frame_that_never_came_are_not_counted(self) -> None:
        """As the library does where the other side hangs up."""
        counted = "Server connection unexpectedly closed. Read 0 bytes but 1 bytes expected"
        said = "the connection was cut off without a word of the broker"
        assert describe(AMQPConnectionError(counted)) == said

    def test_a_nack_comes_without_words(self) -> None:
        """Its arguments are the message, with texts and numbers in it, and a frame."""
        message = SimpleNamespace(body=b"919876543210")
        error = DeliveryError(cast("DeliveredMessage", message), Basic.Nack())
        assert describe(error) == "the broker refused to take it"
