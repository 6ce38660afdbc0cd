"""What the gateway of a world says, in every form that ITON's document allows, and in none of them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply.

    Attributes:
        told: ids by number that it names in a way that the worker must read.
    """

    status: int
    content: bytes
    told: Mapping[str, str] = field(default_factory=dict)
    retry_after: str = ""


Listed = Callable[[str], bool]
Reported = Callable[[str], Mapping[str, str] | None]


def _plain(number: str) -> str:
    return number


def _national(number: str) -> str:
    return number[2:]


def _plus(number: str) -> str:
    return f"+{number}"


def _zero(number: str) -> str:
    return f"0{number[2:]}"


_SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "national": _national,
    "plus": _plus,
    "zero": _zero,
}


def _ids_text(ids: Mapping[str, str], _: Callable[[str], str]) -> object:
    return f"Success Your MessageId is {next(iter(ids.values()))}"


def _ids_map(ids: Mapping[str, str], spell: Callable[[str], str]) -> object:
    return {"message_id": {name: spell(number) for number, name in ids.items()}}


def _ids_bare(ids: Mapping[str, str], spell: Callable[[str], str]) -> object:
    return {name: spell(number) for number, name in ids.items()}


def _ids_lists(ids: Mapping[str, str], spell: Callable[[str], str]) -> object:
    return {"message_id": {name: [spell(number)] for number, name in ids.items()}}


def _ids_joined(ids: Mapping[str, str], spell: Callable[[str], str]) -> object:
    common = next(iter(ids.values()))
    joined = ",".join(spell(number) for number, name in ids.items() if name == common)
    return {"message_id": {**_ids_bare(ids, spell), common: joined}}  # type: ignore[dict-item]


_IDS: Mapping[str, Callable[[Mapping[str, str], Callable[[str], str]], object]] = {
    "text": _ids_text,
    "map": _ids_map,
    "bare": _ids_bare,
    "lists": _ids_lists,
    "joined": _ids_joined,
}
_GAPS = "gaps"  # leaves numbers out
FORMS = (*_IDS, *_SPELLINGS, _GAPS)


def is_left_out(form: str, number: str) -> bool:
    """Tell whether replies of *form* never name *number*."""
    return form == _GAPS and int(number) % 7 == 3


def render(
    form: str,
    command: str,
    asked: Sequence[str],
    ids: Mapping[str, str],
    listed: Listed,
    reported: Reported,
) -> Answer:
    """Answer *command* as this gateway spells it; *reported* has the words for the numbers of an id."""
    spell = _SPELLINGS.get(form, _plain)
    ids = {number: name for number, name in ids.items() if not is_left_out(form, number)}
    if command == "sendSMS":
        return _answer(_IDS.get(form, _ids_map)(ids, spell), told=dict(ids))
    if command == "account":
        return _answer("Remaining_Credits: 4,170" if form == "text" else {"Remaining_Credits": 4170})
    if command == "check_DNDnumber":
        flags: Mapping[str, object] = {
            spell(number): listed(number) for number in asked if not is_left_out(form, number)
        }
        if form == "lists":
            flags = {number: str(flag).lower() for number, flag in flags.items()}
        return _answer(flags)
    known = {name: words for name in asked if (words := reported(name)) is not None}
    return _answer({name: _report(words, spell) for name, words in known.items()})


def _report(words: Mapping[str, str], spell: Callable[[str], str]) -> object:
    return {
        "senderId": "itonXXXX",
        "sending_Date": "Mar 12, 2013 8:13:39 PM",
        "message": "Hello",
        "phoneNumberWithRespectiveStatus": {spell(number): word for number, word in words.items()},
    }


def _answer(body: object, told: Mapping[str, str] | None = None) -> Answer:
    content = body if isinstance(body, str) else json.dumps(body)
    return Answer(200, content.encode(), told or {})


def _says(status: int, words: str, retry_after: str = "") -> Callable[[str], Answer]:
    return lambda _: Answer(status, words.encode(), retry_after=retry_after)


def _account_says(words: str, otherwise: str) -> Callable[[str], Answer]:
    """Say *words* to a question for the balance, else *otherwise*."""
    return lambda command: Answer(200, (words if command == "account" else otherwise).encode())


# Nothing was done.
REFUSALS: Mapping[str, Callable[[str], Answer]] = {
    "403": _says(403, "<html><body>Forbidden by policy</body></html>"),
    "429": _says(429, "Too many requests"),
    "429 wait": _says(429, "Too many requests", retry_after="2"),
    "503": _says(503, "<html>Service unavailable</html>"),
    "credits": _says(200, "Insufficient credits"),
    "header": _says(200, "Header not authorised"),
    "number": _says(200, "Invalid mobile numbers"),
    "400": _says(400, "Bad request"),
    "template": _says(200, "template mismatch"),
    "credentials": _says(200, "Invalid Username and Password"),
    "401": _says(401, "Unauthorized"),
    "no credits": _account_says("Remaining_Credits: 0", "Insufficient credits"),
}
# Something may have been done.
SPOILT: Mapping[str, Callable[[str], Answer | Exception]] = {
    "500": _says(500, "<html>Internal error</html>"),
    "502": _says(502, "<html>Bad gateway</html>"),
    "504": _says(504, "<html>Gateway timeout</html>"),
    "html": _says(200, "<html><body>We are back soon</body></html>"),
    "empty": _says(200, ""),
    "reset": lambda _: httpx.ReadError("ConnectionResetError"),
    "cut": lambda _: httpx.RemoteProtocolError("the reply is no HTTP"),
}
