"""Faults that can be switched on while the stand-in runs: what they are, and which call meets which."""

import gzip
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from worker.simulator import wire
from worker.simulator.numbers import canonical
from worker.simulator.options import ContentType, Seconds
from worker.simulator.wire import Call, Reply

HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
HeaderValue = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]{0,2000}$")]

_HTML = "text/html;charset=UTF-8"
_MAINTENANCE = (
    "<html><head><title>Maintenance</title></head><body><h1>We will be back soon</h1></body></html>"
)
_BINARY = bytes(range(128, 256))


class FaultKind(StrEnum):
    """How a reply is spoilt."""

    REPLY = "reply"
    HTML = "html"
    OVERSIZED = "oversized"
    BINARY = "binary"
    REFUSE_CREDENTIALS = "refuse_credentials"
    NO_CREDITS = "no_credits"
    HANG = "hang"
    DROP = "drop"
    RESET = "reset"
    TRUNCATED = "truncated"
    DRIPPING = "dripping"


_NEED_A_BODY = frozenset({FaultKind.TRUNCATED, FaultKind.DRIPPING})


class Fault(BaseModel):
    """One fault; ``docs/simulator.md`` says what each kind does.

    With ``when`` "before" the command is not carried out and the fault comes in its place, or, of a plain
    latency, ahead of it. With "after" it is carried out and recorded first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: Literal[
        "all", "sendSMS", "account", "message_status", "check_DNDnumber", "unknown", "web_api"
    ] = "all"
    kind: FaultKind = FaultKind.REPLY
    when: Literal["before", "after"] | None = None
    latency: Seconds = 0
    jitter: Seconds = 0
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    body: str | None = None
    content_type: ContentType | None = None
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    retry_after: Annotated[int, Field(ge=0)] | HeaderValue | None = None
    size: Annotated[int, Field(ge=1, le=1 << 30)] = 16 << 20
    interval: Annotated[float, Field(gt=0, le=3600)] = 0.1
    compressed: bool = False
    probability: Annotated[float, Field(gt=0, le=1)] = 1
    times: Annotated[int, Field(ge=1)] | None = None
    text: str | None = None
    sender: str | None = None
    number: str | None = None
    at_least: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _can_happen(self) -> Self:
        if self.number is not None and canonical(self.number) is None:
            raise ValueError("number is no mobile number: no call could meet this fault")
        if self.when == "before" and self.kind in _NEED_A_BODY and self.body is None:
            raise ValueError(f"{self.kind} spoils the real reply: use when=after, or give a body")
        return self

    def is_for(self, call: Call, text_parameter: str) -> bool:
        """Tell whether *call* has all that is asked for; what it has no parameter for, it has not."""
        return (
            self.command in {"all", call.command.value}
            and self.text in {None, call.params.get(text_parameter)}
            and self.sender in {None, call.params.get("sender")}
            and (self.number is None or canonical(self.number) in map(canonical, call.numbers))
            and (self.at_least is None or len(call.numbers) >= self.at_least)
        )

    @property
    def comes_after(self) -> bool:
        """Tell whether the command is carried out before the fault shows."""
        return self.when == "after" or (self.kind in _NEED_A_BODY and self.body is None)

    @property
    def replaces_reply(self) -> bool:
        """Tell whether the real reply is of no use to this fault."""
        return self.made_up is not None or self.kind in {FaultKind.HANG, FaultKind.DROP, FaultKind.RESET}

    @property
    def made_up(self) -> Reply | None:
        """The reply that comes in place of the real one; None if the real one comes."""
        stock = _STOCK.get(self.kind)
        if self.body is not None:
            return Reply(self.body.encode(), "text/plain;charset=UTF-8")
        if self.kind is FaultKind.OVERSIZED:
            return Reply(b"x" * self.size, "text/plain;charset=UTF-8")
        if stock is None and (self.status is not None or self.retry_after is not None):
            return Reply(
                f"<html><body><h1>HTTP Status {self.final_status}</h1></body></html>".encode(), _HTML
            )
        return stock

    @property
    def final_status(self) -> int:
        """The HTTP status: as given, else 503 where only ``retry_after`` is, else 200."""
        if self.status is not None:
            return self.status
        return 200 if self.retry_after is None else 503

    def spoil(self, reply: Reply) -> Reply:
        """Return *reply*, or what comes in its place, with the status and headers of this fault."""
        reply = self.made_up or reply
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        body = reply.body
        if self.compressed:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body)
        return Reply(body, self.content_type or reply.content_type, self.final_status, headers)


_STOCK = {
    FaultKind.HTML: Reply(_MAINTENANCE.encode(), _HTML),
    FaultKind.BINARY: Reply(_BINARY, "application/octet-stream"),
    FaultKind.REFUSE_CREDENTIALS: Reply(wire.CREDENTIALS[1].encode(), _HTML),
    FaultKind.NO_CREDITS: Reply(wire.CREDITS[1].encode(), _HTML),
}


@dataclass(slots=True)
class ActiveFault:
    """A fault that is switched on.

    Attributes:
        applied: calls that met it.
    """

    id: int
    fault: Fault
    applied: int = 0

    @property
    def used_up(self) -> bool:
        """Tell whether it met as many calls as it was to meet."""
        return self.fault.times is not None and self.applied >= self.fault.times


class FaultBook:
    """The faults that are switched on, in the order in which they were added; a call meets one at most.

    Attributes:
        active: what is on.
        applied: calls that met a fault, by its kind, those of faults that are off again included.
    """

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._last_id = 0
        self.active: list[ActiveFault] = []
        self.applied: Counter[str] = Counter()

    def add(self, fault: Fault) -> int:
        """Switch *fault* on and return its id."""
        self._last_id += 1
        self.active.append(ActiveFault(self._last_id, fault))
        return self._last_id

    def remove(self, fault_id: int) -> bool:
        """Switch one fault off; tell whether it was on."""
        kept = [entry for entry in self.active if entry.id != fault_id]
        found = len(kept) < len(self.active)
        self.active = kept
        return found

    def draw(self, call: Call, text_parameter: str) -> Fault | None:
        """Return the first fault that *call* meets, whose text is in *text_parameter*, and count it."""
        for entry in self.active:
            if entry.fault.is_for(call, text_parameter) and self._falls(entry.fault.probability):
                entry.applied += 1
                self.applied[entry.fault.kind.value] += 1
                if entry.used_up:
                    self.active.remove(entry)
                return entry.fault
        return None

    def _falls(self, probability: float) -> bool:
        return probability >= 1 or self._dice.random() < probability
