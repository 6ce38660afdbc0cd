"""Bodies out of what they were compressed with."""

import contextlib
import gzip
import random
import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.iton.codings import BrokenCodingError, OversizedBodyError, begun, is_whole, unpacked

BODY = b'{"message_id": {"532073f7e4b05199d2c3d812": "919876543210"}}'
LIMIT = 100_000
PLAIN_GZIP = gzip.compress(BODY, mtime=0)


def raw_deflate(content: bytes) -> bytes:
    """Compress without a header (RFC 1951)."""
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(content) + stream.flush()


def _twice(content: bytes) -> bytes:
    return gzip.compress(gzip.compress(content))


def _in_two(content: bytes) -> bytes:
    return gzip.compress(content[:99]) + gzip.compress(content[99:])


PACKINGS = (gzip.compress, _twice, _in_two)


def with_header(flags: int, extra: bytes) -> bytes:
    """Return a gzip member whose header has more than the least (RFC 1952, 2.3)."""
    head = b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0\0\xff" + extra
    if flags & 2:
        head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    return head + raw_deflate(BODY) + zlib.crc32(BODY).to_bytes(4, "little") + len(BODY).to_bytes(4, "little")


GZIPS = {
    "plain": PLAIN_GZIP,
    "text flag": with_header(1, b""),
    "header crc": with_header(2, b""),
    "extra field": with_header(4, b"\x05\0AB\x01\0x"),
    "name": with_header(8, b"reply.json\0"),
    "comment": with_header(16, b"a comment\0"),
    "all of them": with_header(31, b"\x05\0AB\x01\0x" + b"reply.json\0" + b"a comment\0"),
    "several members": b"".join(gzip.compress(BODY[at : at + 7]) for at in range(0, len(BODY), 7)),
    "an empty member": gzip.compress(b"") + PLAIN_GZIP + gzip.compress(b""),
    "padded": PLAIN_GZIP + bytes(512),
    "with garbage behind": PLAIN_GZIP + b"\r\n<!-- page -->",
    "twice": gzip.compress(PLAIN_GZIP),
}


class TestUnpacked:
    """The bytes decide."""

    @pytest.mark.parametrize("label", ["gzip", "x-gzip", "", "utf-8", "br", "deflate", "gzip, gzip"])
    @pytest.mark.parametrize("form", GZIPS)
    def test_every_form_of_gzip_is_read_whole(self, form: str, label: str) -> None:
        """Whatever its label says (RFC 1952)."""
        assert unpacked(GZIPS[form], label, LIMIT) == BODY

    @pytest.mark.parametrize("label", ["deflate", "Deflate", "gzip, deflate"])
    @pytest.mark.parametrize("packed", [zlib.compress(BODY), raw_deflate(BODY)], ids=["zlib", "raw"])
    def test_deflate_is_read_with_and_without_its_header(self, packed: bytes, label: str) -> None:
        """Servers have always disagreed about it."""
        assert unpacked(packed, label, LIMIT) == BODY

    @pytest.mark.parametrize("behind", [b"\r\n", b"\n", bytes(4)])
    @pytest.mark.parametrize("packed", [zlib.compress(BODY), raw_deflate(BODY)], ids=["zlib", "raw"])
    def test_what_pads_a_deflated_body_is_none_of_it(self, packed: bytes, behind: bytes) -> None:
        """As with gzip."""
        assert unpacked(packed + behind, "deflate", LIMIT) == BODY

    def test_deflate_without_its_label(self) -> None:
        """Its header tells."""
        assert unpacked(zlib.compress(BODY), "", LIMIT) == BODY

    @pytest.mark.parametrize("label", ["gzip", "deflate", "br", "UTF-8", "identity", "none", "binary", ""])
    @pytest.mark.parametrize(
        "body",
        [BODY, b"Success Your MessageId is 5320", b"Remaining_Credits: 417", b"x^2", b"x", b"", b"\x1f"],
    )
    def test_a_plain_body_is_read_as_it_is(self, body: bytes, label: str) -> None:
        """Also the empty one of an error."""
        assert unpacked(body, label, LIMIT) == body

    @pytest.mark.parametrize(
        "body",
        [
            PLAIN_GZIP[:-1],
            PLAIN_GZIP[:20],
            PLAIN_GZIP + PLAIN_GZIP[:-1],
            PLAIN_GZIP[:-8] + b"\0" + PLAIN_GZIP[-7:],
            gzip.compress(b"") * 1_001,
            gzip.compress(gzip.compress(gzip.compress(BODY))),
        ],
        ids=["no end", "cut", "half of it", "wrong sum", "too many members", "too many layers"],
    )
    def test_what_is_broken_is_not_guessed(self, body: bytes) -> None:
        """An id could be cut."""
        with pytest.raises(BrokenCodingError):
            unpacked(body, "gzip", LIMIT)

    @pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, raw_deflate])
    def test_a_bomb_does_not_go_off(self, pack: "type[bytes]") -> None:
        """In one member or in many."""
        for bomb in (pack(bytes(LIMIT + 1)), b"".join(gzip.compress(bytes(LIMIT // 2)) for _ in range(3))):
            with pytest.raises(OversizedBodyError):
                unpacked(bomb, "deflate", LIMIT)
        assert unpacked(pack(bytes(LIMIT)), "deflate", LIMIT) == bytes(LIMIT)

    @given(
        st.binary(), st.sampled_from([b"", b"\x1f\x8b", b"\x1f\x8b\x08\0", b"x\x9c"]), st.text(max_size=20)
    )
    def test_any_bytes_give_a_body_or_an_error_of_its_own(
        self, content: bytes, start: bytes, label: str
    ) -> None:
        """And never more than the limit."""
        with contextlib.suppress(BrokenCodingError, OversizedBodyError):
            assert len(unpacked(start + content, label, 1_000)) <= max(1_000, len(start + content))

    @given(st.binary(max_size=500), st.lists(st.integers(0, 500), max_size=5))
    def test_members_conserve_the_body(self, body: bytes, cuts: list[int]) -> None:
        """However it is divided. One that begins like a compressed one is a layer more."""
        body = b"{" + body
        bounds = sorted({0, len(body), *(min(cut, len(body)) for cut in cuts)})
        pieces = [body[a:b] for a, b in pairwise(bounds)] or [b""]
        assert unpacked(b"".join(map(gzip.compress, pieces)), "gzip", LIMIT) == body


class TestBegun:
    """What came before the break."""

    @given(
        st.binary(max_size=9_000), st.integers(0, 9_000), st.sampled_from([gzip.compress, _twice, _in_two])
    )
    @example(b"", 1, gzip.compress)
    @example(b"", 0, gzip.compress)
    def test_it_is_the_beginning_of_the_body(
        self, body: bytes, cut: int, pack: Callable[[bytes], bytes]
    ) -> None:
        """Wherever it is cut, in one layer or two, in one member or two."""
        body = b"{" + body
        packed = pack(body)
        assert body.startswith(begun(packed[:cut], LIMIT))
        assert body == begun(packed, LIMIT) == begun(packed[:-8], LIMIT)

    def test_all_that_came_is_there(self) -> None:
        """Half of the bytes are about half of the body."""
        body = b"".join(b"%024x," % (number * 7**20) for number in range(4_000))
        packed = gzip.compress(body)
        assert len(begun(packed[: len(packed) // 2], LIMIT)) > len(body) // 3

    @pytest.mark.parametrize("place", [-8, -4, 8_000])
    def test_what_follows_a_wrong_byte_is_not_guessed(self, place: int) -> None:
        """What came before it is there, to the byte."""
        body = random.Random(1).randbytes(60_000).hex().encode()  # noqa: S311 - no secret
        packed = bytearray(gzip.compress(body))
        packed[place] ^= 0xFF
        found = begun(bytes(packed), 2 * LIMIT)
        sure = len(body) if place < 0 else 8_000
        assert body[:sure] == found[:sure]
        with pytest.raises(BrokenCodingError):
            unpacked(bytes(packed), "gzip", 2 * LIMIT)

    @pytest.mark.parametrize("bomb", [gzip.compress(bytes(9_999_999)), gzip.compress(bytes(70_000)) * 9])
    def test_a_bomb_does_not_go_off(self, bomb: bytes) -> None:
        """However much would come out of it."""
        assert bytes(LIMIT) == begun(bomb[:-9], LIMIT)

    @given(st.binary(), st.sampled_from([b"", b"\x1f\x8b", b"\x1f\x8b\x08\0"]))
    def test_any_bytes_have_a_beginning(self, content: bytes, start: bytes) -> None:
        """Never an error, and never more than the limit."""
        assert len(begun(start + content, 1_000)) <= max(1_000, len(start + content))


class TestWhole:
    """What ends where it says itself."""

    @pytest.mark.parametrize(
        ("content", "whole"),
        [
            (b"{}", True),
            (BODY, True),
            (BODY[:-1], False),
            (b"417", False),
            (b"[" * 9_999, False),
            (b"\xff", False),
            (b"[{}]", True),
            (BODY.replace(b'"', b"'"), True),
            (BODY.replace(b'"', b"'")[:-1], False),
            (BODY.decode().encode("utf-16"), True),
        ],
    )
    def test_only_an_object_does(self, content: bytes, *, whole: bool) -> None:
        """A number or a sentence may go on; hand-made JSON has an end as well."""
        assert is_whole(content) is whole
