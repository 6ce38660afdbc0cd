"""Heads of replies that contradict themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.iton.heads import is_as_usual, passed_on

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
BOTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"


class TestHeads:
    """What the parser gets to read."""

    @pytest.mark.parametrize(
        "head",
        [
            PLAIN,
            b"HTTP/1.0 200 OK\n\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        ],
    )
    def test_what_is_clear_or_beyond_help_is_passed_on_as_it_came(self, head: bytes) -> None:
        """With all that follows it."""
        assert passed_on(head + b"hello") == (head + b"hello", False)

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
            (b"Content-Length: 5, 5\r\n", b"face!", b"Content-Length: 5, 5\r\n"),
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
        """RFC 9110, 8.6; two that differ are nothing to guess about."""
        came = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\nContent-Length: 5\r\n\r\nhello"
        assert passed_on(came) == (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello", False)

    @given(st.binary(max_size=50), st.sampled_from([b"", PLAIN, BOTH, b"HTTP/1.1 100 Continue\r\n\r\n"]))
    def test_any_bytes_are_survived(self, content: bytes, start: bytes) -> None:
        """Nothing is lost or made up in what follows the head."""
        ready = passed_on(start + content)
        assert ready is None or ready[0].endswith(content[-5:]) or ready[1]

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
