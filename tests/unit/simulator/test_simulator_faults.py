"""Which call meets which fault, and what a fault makes of a reply."""

import gzip
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from worker.simulator.faults import Fault, FaultBook, FaultKind
from worker.simulator.wire import Call, Reply

REPLY = Reply(b"Remaining_Credits: 417", "text/html")


SEND = Call({"cmd": "sendSMS", "to": "9876543210,919876543211", "sender": "SHOP", "text": "Hello"})
DND = Call({"cmd": "check_DNDnumber", "phoneNumbers": "+919876543210"})


def _draw(book: FaultBook, call: Call = SEND) -> Fault | None:
    return book.draw(call, "text")


def _a_book(*faults: Fault) -> FaultBook:
    book = FaultBook(Random(1))  # noqa: S311 - dice of a test
    for fault in faults:
        book.add(fault)
    return book


class TestFaultBook:
    """Drawing faults."""

    def test_a_fault_meets_its_command_only(self) -> None:
        """``all`` meets every one."""
        send, anything = Fault(command="sendSMS"), Fault()
        book = _a_book(send, anything)

        assert send is _draw(book)
        assert anything is _draw(book, DND)

    @pytest.mark.parametrize(
        ("condition", "met"),
        [
            ({"text": "Hello"}, (SEND,)),
            ({"text": "hello"}, ()),
            ({"sender": "SHOP"}, (SEND,)),
            ({"sender": "BANK"}, ()),
            ({"number": "09876543210"}, (SEND, DND)),
            ({"number": "919876543211"}, (SEND,)),
            ({"number": "919876543219"}, ()),
            ({"at_least": 1}, (SEND, DND)),
            ({"at_least": 2}, (SEND,)),
            ({"at_least": 3}, ()),
            ({"text": "Hello", "sender": "BANK"}, ()),
        ],
        ids=str,
    )
    def test_a_fault_with_conditions_meets_the_calls_that_fulfil_all_of_them(
        self, condition: dict[str, Any], met: tuple[Call, ...]
    ) -> None:
        """A number is the same however it is spelt; a call without numbers or text has none."""
        book = _a_book(Fault(**condition))
        account = Call({"cmd": "account"})

        assert met == tuple(call for call in (SEND, DND, account) if _draw(book, call))

    def test_a_fault_with_times_goes_by_itself(self) -> None:
        """Then the next in order is met; the count of met calls stays."""
        once, always = Fault(kind=FaultKind.DROP, times=1), Fault(status=503)
        book = _a_book(once, always)

        assert [once, always, always] == [_draw(book) for _ in range(3)]
        assert {"drop": 1, "reply": 2} == dict(book.applied)
        assert [2] == [entry.id for entry in book.active]

    def test_probability_is_about_right(self) -> None:
        """A seeded die, far from chance."""
        book = _a_book(Fault(probability=0.25))

        met = sum(_draw(book) is not None for _ in range(4000))

        assert 900 < met < 1100

    def test_a_fault_can_be_switched_off_by_its_id(self) -> None:
        """Once."""
        book = _a_book(Fault())

        assert [True, False] == [book.remove(1), book.remove(1)]
        assert _draw(book) is None


class TestFault:
    """What may be asked, and what comes of it."""

    @pytest.mark.parametrize(
        "wrong",
        [
            {"kind": "explode"},
            {"command": "sendsms"},
            {"latency": -1},
            {"latency": float("nan")},
            {"probability": 0},
            {"times": 0},
            {"at_least": 0},
            {"number": "12"},
            {"status": 99},
            {"headers": {"X": "a\r\nY: b"}},
            {"headers": {"X Y": "a"}},
            {"lattency": 1},
            {"kind": "truncated", "when": "before"},
            {"kind": "dripping", "when": "before"},
        ],
    )
    def test_nonsense_is_refused(self, wrong: dict[str, Any]) -> None:
        """With an error that names the field."""
        with pytest.raises(ValidationError):
            Fault.model_validate(wrong)

    @pytest.mark.parametrize(
        ("fault", "carried_out"),
        [
            (Fault(latency=1), True),
            (Fault(status=503), False),
            (Fault(status=500, when="after"), True),
            (Fault(body="x"), False),
            (Fault(kind=FaultKind.DROP), False),
            (Fault(kind=FaultKind.DROP, when="after"), True),
            (Fault(kind=FaultKind.HANG), False),
            (Fault(kind=FaultKind.TRUNCATED), True),
            (Fault(kind=FaultKind.TRUNCATED, body="xx"), False),
            (Fault(kind=FaultKind.DRIPPING), True),
            (Fault(compressed=True), True),
            (Fault(content_type="image/png"), True),
            (Fault(kind=FaultKind.REFUSE_CREDENTIALS), False),
        ],
    )
    def test_the_command_is_carried_out_unless_the_fault_comes_in_its_place(
        self,
        fault: Fault,
        carried_out: bool,  # noqa: FBT001 - a row of the table
    ) -> None:
        """``when=after`` always carries out first."""
        assert carried_out is (fault.comes_after or not fault.replaces_reply)

    @pytest.mark.parametrize(
        ("fault", "status", "part"),
        [
            (Fault(latency=1), 200, b"Remaining_Credits: 417"),
            (Fault(status=500), 500, b"HTTP Status 500"),
            (Fault(status=500, body=""), 500, b""),
            (Fault(retry_after=3), 503, b"HTTP Status 503"),
            (Fault(body="ServerError#7"), 200, b"ServerError#7"),
            (Fault(kind=FaultKind.HTML), 200, b"<html>"),
            (Fault(kind=FaultKind.HTML, status=502), 502, b"<html>"),
            (Fault(kind=FaultKind.BINARY), 200, b"\xff"),
            (Fault(kind=FaultKind.OVERSIZED, size=5), 200, b"xxxxx"),
            (Fault(kind=FaultKind.REFUSE_CREDENTIALS), 200, b"Invalid Username and Password"),
            (Fault(kind=FaultKind.NO_CREDITS), 200, b"Insufficient credits"),
        ],
    )
    def test_a_reply_is_spoilt(self, fault: Fault, status: int, part: bytes) -> None:
        """Status and body as asked."""
        spoilt = fault.spoil(REPLY)

        assert status == spoilt.status
        assert part in spoilt.body

    def test_headers_are_added(self) -> None:
        """``Retry-After`` has a field of its own; a redirect is a status and a header."""
        spoilt = Fault(status=302, headers={"Location": "/x"}, retry_after="soon").spoil(REPLY)

        assert {"Location": "/x", "Retry-After": "soon"} == dict(spoilt.headers)

    def test_a_compressed_reply_says_so(self) -> None:
        """The real reply, unless another is given."""
        spoilt = Fault(compressed=True).spoil(REPLY)

        assert REPLY.body == gzip.decompress(spoilt.body)
        assert {"Content-Encoding": "gzip"} == dict(spoilt.headers)
