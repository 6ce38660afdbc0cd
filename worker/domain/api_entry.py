"""The life of a call of the Web API in the ledger: what is known, and which step may follow.

    ready ── begin ──> calling ── ended ──> done
      ^                   │
      └──── release ──────┘     the call certainly did not go out, or it was a GET

As of a send: `calling` is written right before the request and `done` right after the reply. Whoever finds
`calling` without being the caller waits until the lease has run out; then a GET is made again, and of any
other call nobody can say what became of it. Pure.
"""

import json
import zlib
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import JsonValue
from pydantic_core import to_json

from schemas import FailureCode
from worker.domain.entry import CallState
from worker.domain.entry_codec import UnreadableEntryError
from worker.domain.replay import Replay

_FORM = 1
_KIND = "api"  # no entry of a send job has the key
_LONG = 4096  # bytes
_COMPRESSED = b"z"

EndStatus = Literal["done", "failed", "uncertain"]


def api_key(job_id: str) -> str:
    """Name the entry of an api job: a job id identifies within its kind, and has no slash."""
    return f"{_KIND}/{job_id}"


@dataclass(frozen=True, slots=True)
class ApiEnd:
    """What became of a call; its repr shows nothing of a reply.

    Attributes:
        http_status: of the reply; None where there was none.
        reply: of one that is done.
        truncated: whether the reply is the beginning of a longer one.
        code: an error code, of the other two.
        detail: a sentence that goes with the code.
    """

    status: EndStatus
    http_status: int | None = None
    reply: JsonValue = None
    truncated: bool = False
    code: str | None = None
    detail: str | None = None

    def __repr__(self) -> str:
        return f"ApiEnd({self.status!r}, {self.http_status!r}, {self.code!r})"


@dataclass(frozen=True, slots=True)
class ApiEntry:
    """What the ledger knows of an api job.

    Attributes:
        fingerprint: of the job's content; another content under the same id is a conflict.
        attempts: how often the request may have gone out.
        started: seconds since the epoch, by the ledger's clock, of the change to `calling`.
        end: of one that is done.
        revision: 2 once a late reply, or a replay, changed its end.
        replays: ids of the dead letters that were replayed into it.
    """

    fingerprint: str
    state: CallState = CallState.READY
    attempts: int = 0
    started: float = 0.0
    end: ApiEnd | None = None
    revision: int = 1
    replays: tuple[str, ...] = ()

    @property
    def known_end(self) -> ApiEnd:
        """The end of one that is done."""
        if self.end is None:
            raise TypeError("only a call that is done has an end")
        return self.end


def begin(entry: ApiEntry, *, started: float) -> ApiEntry:
    """Mark the call as going out now."""
    return replace(entry, state=CallState.CALLING, attempts=entry.attempts + 1, started=started)


def release(entry: ApiEntry, *, went_out: bool) -> ApiEntry:
    """Make the call ready again; one that certainly did not go out is not counted."""
    attempts = entry.attempts if went_out else entry.attempts - 1
    return replace(entry, state=CallState.READY, attempts=attempts, started=0.0)


def ended(entry: ApiEntry, end: ApiEnd) -> ApiEntry:
    """Close the call."""
    return replace(entry, state=CallState.DONE, end=end)


def joined(found: ApiEntry, end: ApiEnd) -> ApiEntry:
    """Add what this worker knows to an entry that another one has changed meanwhile.

    An end that stands stays, but for one that was a doubt and is none any more: a new revision.
    """
    if found.end is None:
        return ended(found, end)
    if found.end.status == "uncertain" and end.status != "uncertain":
        return replace(ended(found, end), revision=found.revision + 1)
    return found


def after_lease(entry: ApiEntry, *, repeatable: bool) -> ApiEntry:
    """Take over a call whose caller did not come back in time."""
    if repeatable:
        return release(entry, went_out=True)
    words = "the worker was lost while it called the Web API"
    return ended(entry, ApiEnd("uncertain", code=FailureCode.WORKER_LOST.value, detail=words))


def given_up(entry: ApiEntry) -> bool:
    """Tell whether the job's retries were used up: nothing was done, and it is a dead letter."""
    return entry.end is not None and entry.end.code == FailureCode.RETRIES_EXHAUSTED


def reopened(entry: ApiEntry, replay: Replay) -> ApiEntry:
    """Make ready what was given up, once for each dead letter; with force a doubt as well."""
    if replay.id in entry.replays:
        return entry
    marked = replace(entry, replays=(*entry.replays, replay.id))
    doubtful = entry.end is not None and entry.end.status == "uncertain"
    if not given_up(entry) and not (replay.force and doubtful):
        return marked
    ready = replace(marked, state=CallState.READY, started=0.0, end=None)
    return replace(ready, revision=entry.revision + 1)


def encode(entry: ApiEntry) -> bytes:
    """Return the bytes that `decode` turns back into *entry*."""
    row: dict[str, Any] = {"v": _FORM, "k": _KIND, "f": entry.fingerprint, "s": entry.state.value}
    row |= {"a": entry.attempts, "t": entry.started, "r": entry.revision, "y": list(entry.replays)}
    if entry.end is not None:
        end = entry.end
        row["e"] = [end.status, end.http_status, end.reply, end.truncated, end.code, end.detail]
    plain = to_json(row)
    return plain if len(plain) < _LONG else _COMPRESSED + zlib.compress(plain, 1)


def decode(state: bytes) -> ApiEntry:
    """Read what `encode` wrote.

    Raises:
        UnreadableEntryError: it is something else.
    """
    try:
        row = json.loads(zlib.decompress(state[1:]) if state.startswith(_COMPRESSED) else state)
        form = row["v"]
        if form == _FORM and row["k"] == _KIND:
            end = ApiEnd(*row["e"]) if "e" in row else None
            return ApiEntry(row["f"], CallState(row["s"]), row["a"], row["t"], end, row["r"], tuple(row["y"]))
    except (KeyError, TypeError, IndexError, ValueError, zlib.error, RecursionError, AttributeError) as error:
        words = f"an api job's ledger entry cannot be read ({type(error).__name__})"
        raise UnreadableEntryError(words) from None
    words = f"an api job's ledger entry has form {form}, this release reads {_FORM}"
    raise UnreadableEntryError(words, is_newer=isinstance(form, int) and form > _FORM)
