"""The ledger of a fleet that survives a failover: a PostgreSQL with a synchronous standby."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog

from worker.domain.errors import LedgerUnavailableError
from worker.ledger.failures import FRESH, closed
from worker.ledger.postgresql.address import read_address
from worker.ledger.postgresql.failures import missing_schema, newer_schema
from worker.ledger.postgresql.lanes import Lanes, Work
from worker.ledger.postgresql.schema import VERSION, alone, rights, script
from worker.ledger.postgresql.statements import Settings, Statements, application_name
from worker.ledger.postgresql.tokens import PostgresqlTokens
from worker.ports import Stored, Swap, TokenSource

log = structlog.get_logger(__name__)

_PORTION = 256
_SWEPT_AT_ONCE = 1000
_LOOKS = 20
_BETWEEN_LOOKS = 0.1  # seconds


class PostgresqlLedger:
    """Entries as rows, swapped by a function on the server, many in one transaction.

    What was acknowledged is on the server's disk, and on its synchronous standbys where it names some: each
    transaction commits with ``synchronous_commit`` ``on`` at least, whatever is set elsewhere. The time of
    all entries is the server's.

    Args:
        url: ``postgresql://``; ValueError otherwise, without the URL.
        retention: seconds that an entry lives after it was last written.
        prefix: of all entries: deployments can share a database.
        timeout: seconds for one statement.
        connections: at most.
        sweep_every: seconds between looks for expired entries.
    """

    def __init__(
        self,
        url: str,
        *,
        retention: float,
        prefix: str = "iton",
        timeout: float = 5.0,
        connections: int = 3,
        sweep_every: float = 30.0,
    ) -> None:
        address = read_address(url)
        self._place = address.place
        self._lanes = Lanes(
            {**address.options, "application_name": application_name(prefix)},
            address.place,
            count=connections,
            timeout=timeout,
        )
        self._do = Statements(prefix, timedelta(seconds=max(retention, 0.001)), timedelta(seconds=FRESH))
        self._sweep_every = sweep_every
        self._sweeping: asyncio.Task[None] | None = None
        self._closing: asyncio.Event | None = None
        self._closed = False
        self._checked = False
        self._warned = False

    def __repr__(self) -> str:
        return f"PostgresqlLedger({self._place!r})"

    async def load(self, key: str) -> Stored | None:
        """Return the entry, or None."""
        found: Stored | None = await self.ask(self._do.load, key)
        return found

    async def swap(self, key: str, *, expected: str | None, new: Stored) -> bool:
        """Write *new* if the entry's token is *expected*; tell if it stands.

        The write is done also when the caller is cancelled while it waits.
        """
        (answer,) = await self.swap_many([Swap(key, expected, new)])
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def swap_many(self, swaps: Sequence[Swap]) -> list[bool | Exception]:
        """Do each, all in few transactions; return what `swap` would return or raise.

        The writes are done also when the caller is cancelled while it waits.
        """
        if self._closed:
            return [closed() for _ in swaps]
        self._keep_sweeping()
        portions = [swaps[at : at + _PORTION] for at in range(0, len(swaps), _PORTION)]
        answers: list[bool | Exception] = []
        # One portion after the other: the swaps of a key have their order.
        for portion in portions:
            size = sum(len(swap.new.state) for swap in portion)
            answer = await self._lanes.ask(self._do.swap, portion, weight=len(portion), size=size)
            answers += [answer] * len(portion) if isinstance(answer, Exception) else answer
        return answers

    async def renew(self, keys: Sequence[str]) -> list[bool]:
        """Begin the retention of entries anew; tell of which."""
        renewed: list[bool] = []
        for at in range(0, len(keys), _PORTION):
            portion = keys[at : at + _PORTION]
            renewed += await self.ask(self._do.renew, portion, weight=len(portion))
        return renewed

    async def entries(self) -> int | None:
        """Return how many entries the database has, about, some of which may have expired."""
        count: int = await self.ask(self._do.entries, None)
        return count

    async def size(self) -> int | None:
        """Return the bytes that the entries of the database take, with their indexes."""
        count: int = await self.ask(self._do.size, None)
        return count

    async def pages(self) -> AsyncGenerator[list[tuple[str, Stored]]]:
        """Yield all entries of the deployment that live, some at a time, in the order of their keys."""
        after = ""
        while page := await self.ask(self._do.page, after):
            yield page
            after = page[-1][0]

    async def used_elsewhere(self) -> bool:
        """Tell whether other sessions of the deployment are connected, as far as this role may see that."""
        await self._fit()
        for _ in range(_LOOKS):
            count: int = await self.ask(self._do.sessions, None)
            if count <= self._lanes.connected:
                return False
            # A worker that has just stopped: its session ends a moment later.
            await asyncio.sleep(_BETWEEN_LOOKS)
        return True

    async def check(self) -> float:
        """Prove that the server takes writes, and return its time.

        The first time, and after trouble, see that the schema fits.

        A schema that is missing is made, where the role may; settings that forget are warned of once.
        """
        try:
            if not self._checked:
                await self._fit()
                self._checked = True
            return float(await self.ask(self._do.probe, None))
        except LedgerUnavailableError:
            # Another server may be there next time.
            self._checked = False
            raise

    async def init(self, *, role: str | None = None) -> bool:
        """Make the schema, or bring it up to this release; tell whether there was something to do.

        With *role*, that role may use it afterwards.

        LedgerUnavailableError, as of everything else, also where this role may not make it.
        """
        granting = rights(role) if role else ""
        there = await self._version() >= VERSION
        if there and not granting:
            return False
        try:
            await self.ask(self._do.create, alone() + (granting if there else script() + granting))
        except LedgerUnavailableError as error:
            if error.code == "ledger_not_permitted":
                raise missing_schema(self._place) from None
            raise
        return not there

    async def sweep(self) -> int:
        """Delete what has expired, a bite at a time; return how many it was."""
        swept = 0
        while (bite := await self.ask(self._do.sweep, _SWEPT_AT_ONCE)) > 0 and not self._closed:
            swept += bite
        return swept

    async def close(self) -> None:
        """Wait for the answers that are due, then disconnect."""
        self._closed = True
        if self._closing is not None:
            self._closing.set()
        if self._sweeping is not None:
            await asyncio.wait([self._sweeping])
        await self._lanes.close()

    async def ask(self, work: Work, what: object, *, weight: int = 1) -> Any:  # noqa: ANN401 -- each work has its own answer
        """Have *work* done on the server; errors as the port's."""
        if self._closed:
            raise closed()
        answer = await self._lanes.ask(work, what, weight=weight)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def bucket(self, rate: float) -> TokenSource:
        """Return the bucket of *rate* tokens a second that all workers of the deployment share."""
        return PostgresqlTokens(self.ask, self._do, rate)

    async def _fit(self) -> None:
        """See that the schema is there and one that we know; make it where it is not and we may."""
        if await self._version() < VERSION:
            await self.init()
            log.info("ledger.schema_made", place=self._place, version=VERSION)
        if not self._warned:
            self._warned = True
            self._warn(await self.ask(self._do.look, None))

    async def _version(self) -> int:
        """Return the version of the schema, 0 where there is none. LedgerUnavailableError: too new for us."""
        try:
            version, usable_by = await self.ask(self._do.version, None)
        except LedgerUnavailableError as error:
            if error.code == "ledger_schema_missing":
                return 0
            raise
        if usable_by > VERSION:
            raise newer_schema(self._place, version)
        return int(version)

    def _warn(self, settings: Settings) -> None:
        """Tell of settings that break the promise."""
        if settings.fsync == "off":
            log.warning("ledger.fsync_off", place=self._place, remedy="fsync = on")
        if settings.full_page_writes == "off":
            log.warning("ledger.full_page_writes_off", place=self._place, remedy="full_page_writes = on")
        if settings.synchronous_commit not in {"on", "remote_apply"}:
            log.warning(
                "ledger.synchronous_commit_raised",
                place=self._place,
                found=settings.synchronous_commit,
                remedy="synchronous_commit = on; the ledger commits with it in any case, others do not",
            )

    def _keep_sweeping(self) -> None:
        if self._sweeping is None:
            self._closing = asyncio.Event()
            self._sweeping = asyncio.create_task(self._sweep_for_ever(self._closing))

    async def _sweep_for_ever(self, closing: asyncio.Event) -> None:
        while not closing.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._sweep_every):
                    await closing.wait()
                return
            try:
                await self.sweep()
            except LedgerUnavailableError as error:
                if not self._closed:
                    log.warning("ledger.sweep_failed", code=error.code)
