"""The ledger of a fleet: one Redis or Valkey server for all workers."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import structlog
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from worker.domain.errors import EntryUnusableError, LedgerUnavailableError
from worker.ledger.failures import FRESH, closed
from worker.ledger.redis_address import read_address
from worker.ledger.redis_commands import RedisCommands, Script
from worker.ledger.redis_failures import clustered, failure_of, foreign_entry
from worker.ports import Stored, Swap, TokenSource

log = structlog.get_logger(__name__)

# An entry is one string: the token's length, ":", the token, the state. What stands in front of the state
# is its head; it names the version. Arguments: the expected head ("" for no entry), the new head, the new
# entry, the retention in milliseconds, and 1 where replicas are waited for: an entry that stands already is
# then written again, as WAIT knows only of writes of its own connection.
_SWAP = Script(b"""
local function carries(head)
  return redis.call('GETRANGE', KEYS[1], 0, #head - 1) == head
end
if carries(ARGV[2]) then
  if ARGV[5] == '1' then
    redis.call('SET', KEYS[1], ARGV[3], 'KEEPTTL')
  end
  return 1
end
if ARGV[1] == '' then
  return redis.call('SET', KEYS[1], ARGV[3], 'NX', 'PX', ARGV[4]) and 1 or 0
end
if not carries(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
""")
# Arguments: the retention and the age within which an entry is left alone, in milliseconds. A user who may
# do no more than GET and SET renews by them.
_RENEW = Script(b"""
local left = redis.pcall('PTTL', KEYS[1])
if type(left) == 'number' then
  if left < 0 or left > ARGV[1] - ARGV[2] then
    return 0
  end
  if type(redis.pcall('PEXPIRE', KEYS[1], ARGV[1])) == 'number' then
    return 1
  end
end
local entry = redis.call('GET', KEYS[1])
if not entry then
  return 0
end
redis.call('SET', KEYS[1], entry, 'PX', ARGV[1])
return 1
""")
_SPECIAL = re.compile(rb"[*?\[\]^\\-]")  # of a pattern
_CHECK_RETENTION = 60_000


class RedisLedger:
    """Entries as strings with a time to live, swapped by a script on the server, hence atomically.

    How much survives a crash of the server is the server's setting: only ``appendfsync always`` keeps
    every swap that was acknowledged, and a failover to a replica may lose the last ones.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``; ValueError otherwise, without the URL. With
            ``?wait_replicas=N`` what fewer replicas have does not count as written.
        retention: seconds that an entry lives after it was last written.
        prefix: in front of all keys.
        timeout: seconds for one round trip; see `RedisCommands`.
        connections: how many are used at once.
    """

    def __init__(
        self,
        url: str,
        *,
        retention: float,
        prefix: str = "iton",
        timeout: float = 5.0,
        connections: int = 4,
    ) -> None:
        address = read_address(url)
        self._place = address.place
        self._prefix = prefix
        self._retention = max(1, round(retention * 1000))
        pool = ConnectionPool(
            # Twice: the one that a time-out has just cut off may not have left its place yet.
            max_connections=2 * connections,
            protocol=2,
            # The round trip as a whole is limited instead; a timer for each reply would cost 8 µs each.
            socket_timeout=None,
            socket_connect_timeout=timeout,
            # A connection that the server dropped while it was idle: a swap may be repeated, see the port.
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            **address.options,
        )
        self._commands = RedisCommands(pool, lanes=connections, timeout=timeout, replicas=address.replicas)
        self._rewrites = int(address.replicas > 0)
        self._closed = False
        self._looked = False
        self._warned = False

    def __repr__(self) -> str:
        return f"RedisLedger({self._place!r})"

    async def load(self, key: str) -> Stored | None:
        """Return the entry, or None."""
        entry = await self._run("GET", self._name(key))
        return None if entry is None else self._read(entry)

    async def swap(self, key: str, *, expected: str | None, new: Stored) -> bool:
        """Write *new* if the entry's token is *expected*; tell if it stands.

        The write is done also when the caller is cancelled while it waits.
        """
        arguments = self._arguments(expected, new)
        return bool(await self.evaluate(_SWAP, self._name(key), *arguments) == 1)

    async def swap_many(self, swaps: Sequence[Swap]) -> list[bool | Exception]:
        """Do each, all in few round trips; return what `swap` would return or raise.

        The writes are done also when the caller is cancelled while it waits.
        """
        if self._closed:
            return [closed() for _ in swaps]
        # All are queued before the first reply is awaited, so that they go out together.
        asked = [
            (one, self._commands.send("EVALSHA", _SWAP.sha, 1, self._name(one.key), *arguments))
            for one in swaps
            for arguments in [self._arguments(one.expected, one.new)]
        ]
        return [await self._swapped(one, await reply) for one, reply in asked]

    async def _swapped(self, one: Swap, reply: object) -> bool | Exception:
        try:
            if isinstance(reply, NoScriptError):
                return await self.swap(one.key, expected=one.expected, new=one.new)
            return bool(self._checked(reply) == 1)
        except (LedgerUnavailableError, EntryUnusableError) as error:
            return error

    def _arguments(self, expected: str | None, new: Stored) -> tuple[bytes, bytes, bytes, int, int]:
        head = _head(new.token)
        held = b"" if expected is None else _head(expected)
        return held, head, head + new.state, self._retention, self._rewrites

    async def renew(self, keys: Sequence[str]) -> list[bool]:
        """Begin the retention of entries anew; tell of which."""
        fresh = round(FRESH * 1000)
        asked = [self.evaluate(_RENEW, self._name(key), self._retention, fresh) for key in keys]
        return [answer == 1 for answer in await asyncio.gather(*asked)]

    async def entries(self) -> int | None:
        """Return None: Redis counts only all keys of a database together."""
        return None

    async def size(self) -> int | None:
        """Return None: Redis knows the memory of all its databases together."""
        return None

    async def pages(self) -> AsyncGenerator[list[tuple[str, Stored]]]:
        """Yield all entries that live, some at a time, in no order, perhaps one twice."""
        pattern, cursor = _SPECIAL.sub(rb"\\\g<0>", self._name("")) + b"*", b"0"
        while True:
            cursor, names = await self._run("SCAN", cursor, "MATCH", pattern, "COUNT", 100)
            entries = [await self._run("GET", name) for name in names]
            yield [
                (name[len(self._name("")) :].decode(), self._read(entry))
                for name, entry in zip(names, entries, strict=True)
                if entry is not None
            ]
            if int(cursor) == 0:
                return

    async def used_elsewhere(self) -> bool:
        """Return False: Redis knows clients, but not what they are."""
        return False

    async def check(self) -> float | None:
        """Prove that the server takes writes and keeps all keys; return its time, if it may be asked for.

        Settings that lose some are warned of once.
        """
        try:
            if not self._looked:
                self._look(await self._sent("INFO"))
            await self._run("SET", f"{self._prefix}:ledger-check", b"", "PX", _CHECK_RETENTION)
            told = await self._sent("TIME")
            return None if isinstance(told, Exception) else int(told[0]) + int(told[1]) / 1_000_000
        except LedgerUnavailableError:
            # Another server may be there next time.
            self._looked = False
            raise

    async def close(self) -> None:
        """Wait for the replies that are due, then disconnect."""
        self._closed = True
        await self._commands.close()

    async def evaluate(self, script: Script, key: bytes, *arguments: str | bytes | int) -> Any:  # noqa: ANN401 -- each script has its own reply
        """Run *script* on *key*, whether or not the server knows it already; errors as the port's."""
        reply = await self._sent("EVALSHA", script.sha, 1, key, *arguments)
        if isinstance(reply, NoScriptError):
            # The server was started anew or flushed its scripts: send the text, which it then keeps.
            reply = await self._sent("EVAL", script.text, 1, key, *arguments)
        return self._checked(reply)

    def bucket(self, rate: float) -> TokenSource:
        """Return the bucket of *rate* tokens a second that all workers of the deployment share."""
        from worker.ledger.redis_tokens import RedisTokens  # noqa: PLC0415 - it imports this module

        return RedisTokens(self, rate, prefix=self._prefix)

    async def _run(self, *command: str | bytes | int) -> Any:  # noqa: ANN401 -- each command has its own reply
        return self._checked(await self._sent(*command))

    async def _sent(self, *command: str | bytes | int) -> Any:  # noqa: ANN401 -- as above
        if self._closed:
            raise closed()
        return await self._commands.send(*command)

    def _checked(self, reply: Any) -> Any:  # noqa: ANN401 -- as above
        if isinstance(reply, Exception):
            raise failure_of(reply, self._place)
        return reply

    def _name(self, key: str) -> bytes:
        return f"{self._prefix}:ledger:{key}".encode()

    def _read(self, entry: bytes) -> Stored:
        length, separator, rest = entry.partition(b":")
        if not separator or not length.isdigit() or len(rest) < int(length):
            raise foreign_entry(self._place)
        return Stored(rest[: int(length)].decode(), rest[int(length) :])

    def _look(self, info: object) -> None:
        """Refuse a server that keeps a part of the keys; one that hides what it is, is taken at its word."""
        if isinstance(info, Exception) and not isinstance(info, ResponseError):
            raise failure_of(info, self._place)
        if not isinstance(info, dict):
            return
        if info.get("cluster_enabled"):
            raise clustered(self._place)
        self._looked = True
        if not self._warned:
            self._warned = True
            self._warn(info)

    def _warn(self, info: Mapping[str, object]) -> None:
        """Tell of settings that break the promise."""
        policy = info.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            log.warning("ledger.eviction_possible", place=self._place, policy=policy, remedy="noeviction")
        if info.get("aof_enabled", 1) == 0:
            log.warning("ledger.appendonly_off", place=self._place, remedy="appendonly yes")


def _head(token: str) -> bytes:
    name = token.encode()
    return b"%d:%b" % (len(name), name)
