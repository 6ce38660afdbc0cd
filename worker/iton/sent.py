"""Replies to a sendSMS: the message ids, which cannot be asked for again (ITON API, SEND SMS)."""

import re
from collections.abc import Iterator, Sequence

from worker.domain.sent_ids import SentIds
from worker.iton.bodies import Body
from worker.iton.id_maps import IdsInReply, ids_of
from worker.iton.numbers import AskedNumbers
from worker.iton.readings import Reading
from worker.iton.wrapped import embedded, without_markup

# "Success Your MessageId is 532073f7e4b05199d2c3d812"; with a comma between two where there are several.
_ID = r"[^\s,;|<>\"']+?"
_SENT = re.compile(
    r"\bsuccess\W* ?(?:your )?message[ _-]*id ?(?:is\b)? ?[:=]? ?[\"']?"
    rf"(?P<ids>{_ID}(?: ?[,;|] ?{_ID})*)[\"';]?\.?(?=$| )",
    re.IGNORECASE | re.ASCII,
)
# How Java prints a map: {532073f7e4b05199d2c3d812=919876543210, ...}
_JAVA_MAP = re.compile(r"\{([^{}\"']*=[^{}\"']*)\}")
_WORD = re.compile(r"[A-Za-z]{3}")
_LONGEST_TEXT = 20_000

Ids = dict[str, tuple[str, ...]]


def read_send(body: Body, recipients: Sequence[str]) -> Reading[Ids] | None:
    """Return message ids by recipient; None when *body* is no such reply.

    One id for the whole call is the id of every recipient. A number may have several ids, in the order of
    the reply. An id that a map gives to a number counts whatever else the reply says; one for the whole call
    does not count in a reply that says that the call failed.
    """
    asked = AskedNumbers(recipients)
    if body.json is not None:
        said = IdsInReply(asked)
        said.read(body.json)
        return _reading(said, recipients)
    text = body.text[:_LONGEST_TEXT]
    forms = (text, without_markup(text)) if "<" in text else (text,)
    return next(filter(None, (_from_text(form, asked, recipients) for form in forms)), None)


def _reading(said: IdsInReply, recipients: Sequence[str]) -> Reading[Ids] | None:
    loose = tuple(dict.fromkeys(said.loose))
    if said.found:
        return Reading(SentIds(said.found, loose), said.unasked)
    ids = tuple(dict.fromkeys(name for group in said.groups for name in group))
    if not ids:
        return Reading({}, said.unasked, loose) if said.is_map else None
    # Of a list and several numbers, nobody can say whose each one is.
    if said.failed or (len(recipients) > 1 and (said.is_list or len(said.groups) > 1)):
        return Reading({}, doubtful=tuple(dict.fromkeys((*ids, *loose))))
    return Reading(dict.fromkeys(recipients, ids))


def _from_text(text: str, asked: AskedNumbers, recipients: Sequence[str]) -> Reading[Ids] | None:
    """Read the sentence, or a map with something around it."""
    said = IdsInReply(asked)
    objects, around = embedded(text)
    for value in objects:
        said.read(value)
    said.add(_java_pairs(text), keyed=True)
    said.failed |= _WORD.search(around) is not None  # what it says may be anything
    if said.found or said.groups:
        return _reading(said, recipients)
    line = " ".join(text.split()).strip("\"'")
    matches = list(_SENT.finditer(line))
    ids = ids_of(match["ids"] for match in matches)
    if not ids:
        return None
    match = matches[0]
    is_all = match.span() == (0, len(line))
    if is_all and (len(recipients) == 1 or match["ids"] == ids[0]):
        return Reading(dict.fromkeys(recipients, ids))
    return Reading({}, doubtful=ids)


def _java_pairs(text: str) -> Iterator[tuple[str, str]]:
    for match in _JAVA_MAP.finditer(text):
        for piece in match[1].split(", "):
            name, _, phone = piece.strip().rpartition("=")
            yield name, phone
