"""Message ids in the words of an error, where nobody can say whose they are: they stand nowhere else."""

import re
from collections.abc import Callable, Sequence
from itertools import islice

from worker.domain.errors import OutcomeUncertainError, WorkerError
from worker.domain.sent_ids import MOST_TOLD, told
from worker.iton.bodies import Body, decoded
from worker.iton.ids import OBVIOUS
from worker.iton.protocol import Request

# What is surely no number, word or code; whether it is an id, only people can tell.
_LIKE_AN_ID = re.compile(
    rf"(?<![0-9A-Za-z])(?=[A-Za-z]*[0-9])[0-9A-Za-z]{{{OBVIOUS},64}}(?![0-9A-Za-z])\u2026?", re.ASCII
)
_ELLIPSIS = "\u2026"
_NAMES_IDS = re.compile(r"message[ _-]*id", re.IGNORECASE | re.ASCII)
_LONGEST_TEXT = 100_000  # characters that are looked through: a kilobyte for each number of a call


def name_ids(
    error: WorkerError, ids: Sequence[str], body: Body, request: Request, clean: Callable[[str], str]
) -> None:
    """Add to what *error* says the ids of its reply, or what may be some.

    Args:
        error: of a sendSMS.
        ids: that the reply surely has, and gives to nobody.
        body: of the reply.
        request: whose words a reply may repeat.
        clean: takes the credentials out of a text.
    """
    error.names_ids = bool(ids)
    words = told(tuple(ids))
    if not ids and isinstance(error, OutcomeUncertainError) and (likely := _like_ids(body, request)):
        words = f" (perhaps message ids: {', '.join(likely)})"
    error.tells_ids = bool(words)
    words = clean(words)
    error.detail += words
    if error.own_detail is not None:
        error.own_detail += words


def name_ids_of(error: WorkerError, begun: bytes, request: Request, clean: Callable[[str], str]) -> None:
    """Add what may be ids in the beginning of a reply; the last one may lack its end."""
    text = decoded(begun).text
    name_ids(error, (), Body(text + _ELLIPSIS if text[-1:].isalnum() else text, None), request, clean)


def _like_ids(body: Body, request: Request) -> tuple[str, ...]:
    """Return what looks like ids; a page must speak of message ids, for pages have ids of their own."""
    text = body.text[:_LONGEST_TEXT]
    if body.is_page and not _NAMES_IDS.search(text):
        return ()
    sent = (request.url, (request.content or b"").decode("ascii", "replace"), *map(" ".join, request.headers))
    said = " ".join(sent)
    found = (match[0] for match in _LIKE_AN_ID.finditer(text))
    return tuple(
        islice((name for name in dict.fromkeys(found) if name.rstrip(_ELLIPSIS) not in said), MOST_TOLD)
    )
