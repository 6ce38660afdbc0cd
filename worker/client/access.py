"""A short visit to the broker, and the library's errors as ours."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from worker.amqp.connection.calls import describe
from worker.amqp.connection.library import AMQPError, ChannelNotFoundEntity
from worker.amqp.connection.opening import RawConnection, open_connection
from worker.amqp.topology.declare import declare
from worker.amqp.topology.values import Topology
from worker.bootstrap.topology import topology_of
from worker.domain.errors import BrokerUnavailableError
from worker.settings import Settings

_GOODBYE = 2.0


@dataclass(frozen=True, slots=True)
class BrokerAccess:
    """Which broker, which names, and what may be done there.

    Attributes:
        url: with user and password; shown nowhere.
        declare: whether what is missing may be declared.
        confirm_within: seconds for one confirm.
    """

    url: str
    topology: Topology
    declare: bool
    confirm_within: float

    @classmethod
    def of(cls, settings: Settings) -> "BrokerAccess":
        """Read what is needed from *settings*."""
        broker = settings.broker
        return cls(
            url=broker.url.get_secret_value(),
            topology=topology_of(settings),
            declare=broker.declare,
            confirm_within=broker.publish_timeout,
        )


@asynccontextmanager
async def visit(access: BrokerAccess, *, name: str) -> AsyncIterator[RawConnection]:
    """Be connected while the block runs; *name* is what the broker's operator sees.

    Raises:
        BrokerUnavailableError: no connection, or what the broker answered inside the block.
    """
    with broker_errors():
        connection = await open_connection(access.url, name=f"iton-worker {name}")
        try:
            yield connection
        finally:
            await connection.close(_GOODBYE)


@contextmanager
def broker_errors() -> Iterator[None]:
    """Translate the library's errors, with the remedy where there is one."""
    try:
        yield
    except ChannelNotFoundEntity as error:
        words = f"{describe(error)}; see whether AMQP_PREFIX and the virtual host are those of the worker"
        raise BrokerUnavailableError("not_found", words) from None
    except AMQPError as error:
        raise BrokerUnavailableError("refused", describe(error)) from None


async def declare_topology(access: BrokerAccess) -> None:
    """Make everything exist that the worker needs; a second time changes nothing.

    Raises:
        TopologyError: something exists with other arguments, or may not be declared.
        BrokerUnavailableError: no connection.
    """
    async with visit(access, name="topology") as connection:
        await declare(connection.library, access.topology)
