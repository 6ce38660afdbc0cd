"""What the gateway's client promises of whatever bytes come back over a real connection."""

import asyncio
import gzip
import json
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.gateway_side import ID, MESSAGE, NUMBER, answering, gateway, raw, talking_by, talking_to
from tests.support.raw_server import Script
from worker.domain.errors import WorkerError

OTHER = "919032728149"
LABELS = st.sampled_from(
    [
        *("Content-Encoding: UTF-8", "Content-Encoding: gzip", "Content-Encoding: br, deflate", "X-Any: y"),
        *(
            "Content-Type: text/html; charset=utf-16",
            "Transfer-Encoding: identity",
            "Content-Type: image/png",
        ),
    ]
)
STATUSES = st.sampled_from(
    ["200 OK", "201 Created", "302 Found", "400 Bad", "404 No", "500 Oops", "503 Busy"]
)
SPELLINGS = st.sampled_from(
    [f'"{NUMBER}"', NUMBER, "9.1987654321E11", "919876543210.0", '"+91 98765 43210"', '["9876543210"]']
)
# Any printable characters, and as many digits as no code of an error has.
IDS = st.tuples(
    st.text(max_size=20).map(
        lambda text: "".join(char for char in text if char.isprintable() and char not in ", ")
    ),
    st.integers(10**7, 10**12),
).map(lambda parts: "".join(map(str, parts)))


@pytest.fixture(autouse=True, params=["pooled", "httpx"])
def _transport(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have every test talk by each transport."""
    with talking_by(request.param):
        yield


def outcomes(script: Script) -> tuple[object, ...]:
    """Return how each command ends."""

    async def called() -> tuple[object, ...]:
        async with talking_to(script, seconds=2.0) as (client, _):
            calls = (
                client.send(MESSAGE, [NUMBER, OTHER]),
                client.check_dnd([NUMBER]),
                client.message_status([ID]),
                client.account(),
            )
            return tuple(await asyncio.gather(*calls, return_exceptions=True))

    return asyncio.run(called())


class TestAnyBytes:
    """The gateway may send what it likes."""

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=300), st.lists(st.binary(max_size=60), max_size=3), st.booleans())
    def test_whatever_comes_is_a_value_or_an_error_of_ours(
        self,
        body: bytes,
        headers: list[bytes],
        whole: bool,  # noqa: FBT001 - hypothesis gives it
    ) -> None:
        """Any bytes in place of a reply, of its headers, of its body."""
        head = b"HTTP/1.1 200 OK\r\n" + b"\r\n".join([*headers, b"Connection: close", b""]) + b"\r\n"
        for outcome in outcomes(raw(head + body if whole else body)):
            assert not isinstance(outcome, BaseException) or isinstance(outcome, WorkerError)


class TestIds:
    """None can be asked for again."""

    @settings(max_examples=60, deadline=None)
    @given(st.lists(IDS, min_size=1, max_size=3, unique=True), SPELLINGS, LABELS, STATUSES, st.data())
    def test_an_id_in_a_map_is_never_lost(
        self, names: list[str], spelling: str, label: str, status: str, data: st.DataObject
    ) -> None:
        """Whatever its characters, the number's spelling, labels, status and what stands beside it."""
        names = [unicodedata.normalize("NFC", name) for name in names]
        pairs = ", ".join(f"{json.dumps(name)}: {spelling}" for name in dict.fromkeys(names))
        beside = data.draw(
            st.sampled_from(["", '"error": "Invalid Sender ID", ', '"success": false, "x": NaN, '])
        )
        body = f'{{{beside}"message_id": {{{pairs}}}}}'.encode()
        packed = gzip.compress(body) if data.draw(st.booleans()) else body

        async def sent() -> dict[str, tuple[str, ...]]:
            async with talking_to(answering(packed, status, f"{label}\r\n")) as (client, _):
                return await client.send(MESSAGE, [NUMBER, OTHER])

        assert asyncio.run(sent()) == {NUMBER: tuple(dict.fromkeys(names))}


def test_every_id_that_is_published_can_be_asked_about() -> None:
    """Percent-encoded, with commas between ids only."""
    client = gateway("http://gateway.invalid/")
    names = ["a/b+c==", "{6F96-19FF}", "x&y=z?#%", "ä17"]
    ((*packed,),) = client.pack_ids(names)
    assert packed == names
    url = client._requests.message_status(names).url
    assert url.endswith("ids=a%2Fb%2Bc%3D%3D,%7B6F96-19FF%7D,x%26y%3Dz%3F%23%25,%C3%A417")
