"""HTTP requests read as calls, and the two refusals that a server makes before it looks at a call."""

from collections import Counter
from urllib.parse import parse_qsl

from aiohttp import web

from worker.simulator.wire import MAX_REQUEST_LINE, Call

_METHODS = frozenset({"GET", "POST"})
_FORM = "application/x-www-form-urlencoded"
_AROUND_THE_PATH = len("  HTTP/1.1\r\n")


async def read_call(request: web.Request) -> Call:
    """Return the call in the query string and, of a POST, in the form body."""
    pairs = parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True)
    if request.method == "POST" and request.content_type == _FORM:
        pairs += parse_qsl((await request.read()).decode("utf-8", "replace"), keep_blank_values=True)
    params = dict(reversed(pairs))  # the first value of a repeated parameter wins, as in a Java servlet
    repeated = () if len(params) == len(pairs) else _repeated(pairs)
    return Call(params, request.headers.get("Authorization"), request.method, repeated)


def http_refusal(request: web.Request) -> web.Response | None:
    """Return 414 for a request line over 8 KB, 405 for another method than GET and POST, else None."""
    if len(request.method) + len(request.raw_path) + _AROUND_THE_PATH > MAX_REQUEST_LINE:
        return web.Response(status=414, text="Request-URI Too Long")
    if request.method not in _METHODS:
        return web.Response(status=405, text="Method Not Allowed", headers={"Allow": "GET, POST"})
    return None


def _repeated(pairs: list[tuple[str, str]]) -> tuple[str, ...]:
    counts = Counter(name for name, _ in pairs)
    return tuple(name for name, count in counts.items() if count > 1)
