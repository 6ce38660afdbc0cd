"""Heads of replies that contradict themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.iton.codings import is_whole
from worker.iton.heads import is_as_usual, passed_on

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BOTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"


class TestHeads:
    """What the parser gets to read."""

    @pytest.mark.parametrize("came", [PLAIN + b"hello", b"HTTP/1.0 200 OK\n\nhello", CHUNKED + b"5\r\nhello"])
    def test_what_is_clear_is_passed_on_as_it_came(self, came: bytes) -> None:
        """With all that follows it."""
        assert passed_on(came) == (came, False)

    @pytest.mark.parametrize(
        "lengths",
        [
            b"Content-Length: -1\r\n",
            b"Content-Length:\r\n",
            b"content-length: many\r\n",
            b"Content-Length: +5\r\n",
            b"Content-Length: 5\r\nContent-Length: 6\r\n",
            b"Transfer-Encoding: identity\r\n",
        ],
    )
    def test_a_length_that_is_none_is_left_out(self, lengths: bytes) -> None:
        """Then chunks have their own end, and anything else that of the connection."""
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
        assert passed_on(b"HTTP/1.1 200 OK\r\n" + lengths + b"\r\nhello") == (head + b"\r\nhello", False)
        came = b"HTTP/1.1 200 OK\r\n" + lengths + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello"
        assert passed_on(came) == (head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello", False)

    def test_chunks_that_are_none_end_with_the_connection(self) -> None:
        """Somebody in between has taken them away and left the header; the first bytes tell."""
        assert passed_on(CHUNKED + b"hello") == (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
            False,
        )
        assert [passed_on(CHUNKED + begun) for begun in (b"", b"5", b"5\r", b"5;a=b")] == [None] * 4

    @pytest.mark.parametrize(
        ("told", "more", "length"),
        [
            (b"hello", b"\r\n", 5),
            (b"hello", b"HTTP/1.1 200 OK\r\n\r\n", 5),
            (b'{"a":1}', b"<!-- 1 s -->", 7),
            (b'{"a":1', b"}", 7),
        ],
    )
    def test_what_comes_beyond_its_length_is_part_of_it_or_not(
        self, told: bytes, more: bytes, length: int
    ) -> None:
        """JSON says where it ends; line breaks and another reply are none of it. It is not used again."""
        came = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(told) + told + more
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % length
        assert not is_as_usual(came)
        assert passed_on(came) == (head + (told + more)[:length], False)

    def test_of_a_sentence_nobody_can_say_where_it_ends(self) -> None:
        """The parser refuses it: an id that was cut, or is too long, would be wrong."""
        ready = passed_on(PLAIN + b"hello, world")
        assert ready is not None
        assert ready[0].endswith(b"Content-Length: 5\r\n\r\nhello, world")

    @pytest.mark.parametrize(
        "odd",
        [
            b"no colon",
            b"X Y: z",
            b"X(Y): z",
            b": z",
            b"X: a\r\n folded",
            b"X: a\0b",
            b"X: " + b"x" * 20_000,
        ],
    )
    def test_a_line_that_no_parser_takes_is_left_out(self, odd: bytes) -> None:
        """The others stay."""
        came = PLAIN.replace(b"\r\n", b"\r\n" + odd + b"\r\n", 1) + b"hello"
        ready = passed_on(came)
        assert not is_as_usual(came)
        assert ready is not None
        assert ready[0].replace(b"X: a\r\n", b"") == PLAIN + b"hello"

    def test_of_too_many_lines_those_that_matter_stay(self) -> None:
        """A parser counts them."""
        came = PLAIN.replace(b"\r\n", b"\r\n" + b"Set-Cookie: a\r\n" * 200, 1) + b"hello"
        assert not is_as_usual(came)
        assert passed_on(came) == (PLAIN + b"hello", False)

    @pytest.mark.parametrize("version", [b"HTTP/2", b"HTTP/1.2", b"http/1.1", b"HTTP/2.0"])
    def test_any_version_is_read_like_the_one_that_all_know(self, version: bytes) -> None:
        """It is written like it."""
        assert passed_on(version + PLAIN[8:] + b"hello") == (PLAIN + b"hello", False)

    def test_an_incomplete_head_waits(self) -> None:
        """Cut anywhere."""
        assert all(passed_on(PLAIN[:end]) is None for end in range(1, len(PLAIN)))

    @pytest.mark.parametrize(
        "content", [b"hello", b"\x16\x03\x01", b"HTTQ", b"HTTP/1.1 200 OK\r\n" + b"x" * 70_000]
    )
    def test_what_is_no_head_is_left_to_the_parser(self, content: bytes) -> None:
        """It says so at once."""
        assert passed_on(content) == (content, False)

    def test_interim_replies_are_passed_on_one_by_one(self) -> None:
        """Another head follows them; not 101, after which there is no HTTP."""
        interim = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        assert passed_on(interim + PLAIN) == (interim, True)
        switched = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
        assert passed_on(switched) == (switched, False)

    @pytest.mark.parametrize(
        ("lengths", "body", "kept"),
        [
            (b"Content-Length: 5\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"Transfer-Encoding: chunked\r\n"),
            (b"content-length : 99\r\n", b"5;a=b\r\nhello", b"Transfer-Encoding: chunked\r\n"),
            (b"Content-Length: 5\r\n", b"hello", b"Content-Length: 5\r\n"),
            (b"Content-Length: 5\r\n", b"fade\n", b"Transfer-Encoding: chunked\r\n"),
            (b"Content-Length: 5, 5\r\n", b"face!", b"Content-Length: 5\r\n"),
        ],
    )
    def test_of_two_ends_the_one_that_fits_the_body_counts(
        self, lengths: bytes, body: bytes, kept: bytes
    ) -> None:
        """And the connection is closed after it."""
        for order in (
            lengths + b"Transfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked\r\n" + lengths,
        ):
            came = b"HTTP/1.1 200 OK\r\n" + order + b"Connection: keep-alive\r\n\r\n" + body
            assert passed_on(came) == (
                b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + kept + b"\r\n" + body,
                False,
            )

    def test_until_the_body_tells_the_head_waits(self) -> None:
        """The size of a chunk is a line; whoever counts bytes has them all sooner or later."""
        assert passed_on(BOTH + b"face") is None
        assert passed_on(BOTH) is None

    @pytest.mark.parametrize("coding", [b"identity", b"gzip", b"binary"])
    def test_other_codings_than_chunks_have_no_end_of_their_own(self, coding: bytes) -> None:
        """The length has."""
        came = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + coding + b"\r\nContent-Length: 5\r\n\r\nhello"
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n"
        assert passed_on(came) == (head + b"hello", False)

    def test_the_same_length_twice_is_one(self) -> None:
        """RFC 9110, 8.6; also in one line."""
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\nX: y\r\n\r\n"
        for lengths in (b"Content-Length: 5\r\nX: y\r\nContent-Length: 5", b"Content-Length: 5, 5\r\nX: y"):
            came = b"HTTP/1.1 200 OK\r\n" + lengths + b"\r\n\r\nhello"
            assert passed_on(came) == (head + b"hello", False)

    @given(st.binary(max_size=50), st.sampled_from([b"", PLAIN, BOTH, b"HTTP/1.1 100 Continue\r\n\r\n"]))
    def test_any_bytes_are_survived(self, content: bytes, start: bytes) -> None:
        """Nothing is lost or made up in what follows the head, but for what belongs to no reply."""
        ready = passed_on(start + content)
        told, more = content[:5], content[5:]
        is_no_part = not more.strip() or more.startswith(b"HTTP/1.") or is_whole(told)
        ends = (content[-5:], told) if is_no_part else content[-5:]
        assert ready is None or ready[1] or ready[0].endswith(ends)

    @pytest.mark.parametrize("more", [b"\t", b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
    def test_what_belongs_to_no_reply_is_left_out(self, more: bytes) -> None:
        """A line break behind the announced end, or the beginning of another reply."""
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n"
        assert passed_on(PLAIN + b"hello" + more) == (head + b"hello", False)

    @given(st.sampled_from([PLAIN, BOTH, PLAIN.lower()]), st.binary(max_size=50), st.binary(max_size=9))
    def test_what_is_as_usual_needs_no_mending(self, start: bytes, content: bytes, inside: bytes) -> None:
        """A glance says nothing that a closer look would not."""
        for came in (start + content, start.replace(b"\r\n", b"\r\n" + inside, 1) + content):
            assert not is_as_usual(came) or passed_on(came) == (came, False)

    def test_most_replies_are_as_usual(self) -> None:
        """One length, no coding."""
        assert is_as_usual(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        assert not is_as_usual(b"HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nhello")
        assert not is_as_usual(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n")
