"""A short visit to the broker, and the library's errors as ours."""

import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiormq.exceptions import AMQPError, ChannelNotFoundEntity

from worker.amqp.calls import describe
from worker.amqp.connection import RawConnection, open_connection, place_of
from worker.amqp.declare import declare
from worker.amqp.topology import Topology
from worker.domain.errors import BrokerUnavailableError
from worker.settings import Settings

_GOODBYE = 2.0
# As the library words an OSError: "111 Connect call failed".
_ERRNO = re.compile(r"(?:^|Errno )([1-9]\d{0,2})\b")
_NUMBER = re.compile(r"^-\d+ ")


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
            topology=Topology(broker.prefix, settings.retry.delays),
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
        try:
            connection = await open_connection(access.url, name=f"iton-worker {name}")
        except BrokerUnavailableError as error:
            raise BrokerUnavailableError(_code(error), _plainly(error, access.url)) from None
        try:
            yield connection
        finally:
            await connection.close(_GOODBYE)


def _code(error: BrokerUnavailableError) -> str:
    """Tell a refused login from other trouble, which the library does not always do."""
    return "login_refused" if "ACCESS_REFUSED" in error.detail else error.code


def _plainly(error: BrokerUnavailableError, url: str) -> str:
    """Say for people why there is no connection; of *url* only host, port and virtual host are shown."""
    place = place_of(url)
    if _code(error) == "login_refused":
        return f"the broker at {place} refuses user or password"
    if "Connection.Close" in error.detail:
        return (
            f"the broker at {place} has no virtual host {urlsplit(url).path[1:] or '/'}, or not for this user"
        )
    return f"the broker at {place} cannot be reached: {_reason(error.detail)}"


def _reason(detail: str) -> str:
    """Take the system's number and the library's brackets out of the words for a failed connect."""
    if "SSL" in detail:
        return "it does not answer in TLS, or its certificate is not trusted"
    number = _ERRNO.search(detail)
    return os.strerror(int(number[1])).lower() if number else _NUMBER.sub("", detail)


@contextmanager
def broker_errors() -> Iterator[None]:
    """Translate the library's errors, with the remedy where there is one."""
    try:
        yield
    except ChannelNotFoundEntity as error:
        raise BrokerUnavailableError(
            "not_found", f"{describe(error)}; declare it with `iton-worker topology --declare`"
        ) from None
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
