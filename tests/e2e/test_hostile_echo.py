"""A gateway that repeats the request in every spelling there is: none of it is in the log."""

import base64
import binascii
import html
import json
import quopri
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

from tests.support.line import Line
from tests.support.results_side import new_job_id

NUMBERS = ("919876543210", "919123454321")
TEXT = "Zauberwort Königspudel: 47114711, bitte größer & <weiter> €"
SENDER = "PUDELX"
ECHO = f"to={','.join(NUMBERS)}&message={TEXT}&sender={SENDER}"
LOOKUPS: list[tuple[str, str, dict[str, object]]] = [
    ("check_DNDnumber", "send", {"recipients": NUMBERS[:1], "text": TEXT}),
    ("message_status", "status", {"message_ids": ["a" * 24]}),
    ("account", "account", {}),
]
# Spelt otherwise these are what nobody else writes into the log.
LONGEST_CHANCE = 9  # characters in a row that a spelling may share with a line by chance


def _each(form: Callable[[str], str]) -> str:
    return "".join(form(char) for char in ECHO)


def _spellings() -> Iterator[str]:
    raw = ECHO.encode()
    wide = ECHO.encode("utf-16-be")
    yield from (ECHO, ECHO.upper(), ECHO[:40], ECHO[::-1], ECHO.replace("", " "))
    yield from (
        quote(ECHO),
        quote_plus(ECHO),
        quote(ECHO, safe=""),
        quote(quote(ECHO)),
        quote_plus(ECHO).lower(),
    )
    yield from (_each(lambda char: "".join(f"%{byte:02X}" for byte in char.encode())), quote(ECHO)[:31])
    yield from (quote(ECHO, encoding="latin-1", errors="replace"), _each(lambda char: f"%u{ord(char):04x}"))
    yield from (html.escape(ECHO), html.escape(html.escape(ECHO)), _each(lambda char: f"&#{ord(char)};"))
    yield from (_each(lambda char: f"&#x{ord(char):x};"), html.escape(quote_plus(ECHO)))
    yield from (json.dumps(ECHO), json.dumps(json.dumps(ECHO)), json.dumps({"error": ECHO}), repr(raw))
    yield from (_each(lambda char: f"\\u{ord(char):04x}"), _each(lambda char: f"\\x{ord(char) % 256:02x}"))
    yield from (_each(lambda char: f"\\{ord(char) % 256:03o}"), json.dumps({"message": quote(ECHO)}))
    yield from (_encoded(base64.b64encode, raw), _encoded(base64.urlsafe_b64encode, raw + b"?>"))
    yield from (
        _encoded(base64.b32encode, raw),
        _encoded(binascii.hexlify, raw),
        _encoded(base64.b64encode, wide),
    )
    yield from (
        _encoded(quopri.encodestring, raw),
        ECHO.encode("utf-7").decode(),
        _encoded(base64.b85encode, raw),
    )
    yield from (raw.decode("latin-1"), "\0".join(ECHO), ECHO.replace("9", "\uff19"), "\u200b".join(ECHO))
    yield ECHO.translate({ord("0") + digit: 0x966 + digit for digit in range(10)})


def _encoded(encode: Callable[[bytes], bytes], content: bytes) -> str:
    return encode(content).decode()


def _pieces(text: str) -> Iterator[str]:
    """Yield what of *text* would be enough to know it by."""
    for at in range(len(text) - LONGEST_CHANCE):
        yield text[at : at + LONGEST_CHANCE + 1]


class TestHostileEcho:
    """Logs at their loudest."""

    def test_no_spelling_of_a_text_or_a_number_is_in_the_log(self, own_line: Callable[..., Line]) -> None:
        """Refused, lost and looked up in vain; the producer is told, credentials aside, what was said."""
        line = own_line(LOG_LEVEL="debug", WORKER_BREAKER_FAILURES=1000, WORKER_DND_MEMORY=0)
        spellings = list(_spellings())
        assert len(spellings) >= 30
        for at, said in enumerate(spellings):
            for status in (400, 500):
                line.gateway.fault(command="sendSMS", status=status, body=f"Bad: {said}", times=1)
                line.collector.one(_sent(line))
            command, key, fields = LOOKUPS[at % len(LOOKUPS)]
            line.gateway.fault(command=command, status=400, body=f"Invalid message id: {said}", times=1)
            job_id = new_job_id()
            line.producer.publish({"job_id": job_id} | fields, key)
            line.collector.one(job_id)
        assert line.worker.terminate() == 0
        output = line.worker.output()
        assert line.worker.log_lines("reply.lost")
        assert line.worker.log_lines("lookup.refused")
        assert [] == [piece for said in spellings for piece in _pieces(said) if piece in output]
        assert [] == [one for one in (SENDER, *NUMBERS, *(one[2:] for one in NUMBERS)) if one in output]


def _sent(line: Line) -> str:
    job_id = new_job_id()
    job = {"job_id": job_id, "recipients": NUMBERS, "text": TEXT, "sender": SENDER, "dnd": "skip"}
    line.producer.publish(job, "send")
    return job_id
