"""A token bucket that a whole fleet shares: the rate limit, exact over all workers."""

from worker.ledger.redis import RedisLedger
from worker.ledger.redis_commands import Script

# The bucket is a hash: its tokens and when they were counted, by the server's clock, which all share.
# Arguments: tokens a second, the most that it holds. Returns "0" for a token taken, else seconds to wait.
_TAKE = Script(b"""
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local rate, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(held[1]) or most, tonumber(held[2]) or now
tokens = math.min(most, tokens + math.max(now - at, 0) * rate)
local wait = 0
if tokens >= 1 then
  tokens = tokens - 1
else
  wait = (1 - tokens) / rate
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(most / rate * 1000) + 1000)
return tostring(wait)
""")


class RedisTokens:
    """Implements ``worker.ports.TokenSource`` beside the ledger, on its connections.

    Args:
        ledger: whose server keeps the bucket.
        rate: calls a second of the whole fleet.
        prefix: in front of the bucket's key.
    """

    def __init__(self, ledger: RedisLedger, rate: float, *, prefix: str = "iton") -> None:
        self._ledger = ledger
        self._rate = rate
        self._key = f"{prefix}:rate".encode()

    async def take(self) -> float:
        """Take a token and return 0, else the seconds until there may be one."""
        wait = await self._ledger.evaluate(_TAKE, self._key, repr(self._rate), repr(max(self._rate, 1.0)))
        return float(wait)
