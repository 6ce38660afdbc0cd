"""The switches and dials of the stand-in: what the control endpoint and a test in the same process use."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from random import Random
from typing import Any

from worker.simulator.faults import Fault, FaultBook
from worker.simulator.gateway import SimulatedGateway
from worker.simulator.options import SimulatorOptions
from worker.simulator.sends import Send
from worker.simulator.traffic import Traffic
from worker.simulator.web_store import WebStore
from worker.simulator.wire import Command

_HIDDEN = frozenset({"password", "token"})
_COMMANDS = tuple(command for command in Command if command is not Command.WEB_API)


class Control:
    """Everything that can be read from and done to a running stand-in. Not safe for threads.

    Attributes:
        gateway: the account; a reset puts a new one in its place.
        faults: what is switched on.
        traffic: calls counted and in flight.
        web_store: what the Web API keeps.
        web_calls: calls of it that arrived.
        released: set when hanging calls must end.
        dice: for jitter and probabilities.
    """

    def __init__(self, options: SimulatorOptions, now: Callable[[], float] = time.time) -> None:
        self._initial = options
        self._now = now
        self._start()

    def _start(self) -> None:
        self.dice = Random(self._initial.seed)  # noqa: S311 - dice for faults, no secret
        self.gateway = SimulatedGateway(self._initial, self._now)
        self.faults = FaultBook(self.dice)
        self.traffic = Traffic()
        self.web_store = WebStore()
        self.web_calls = 0
        self.released = asyncio.Event()

    @property
    def options(self) -> SimulatorOptions:
        """What holds now."""
        return self.gateway.options

    @property
    def sends(self) -> list[Send]:
        """The remembered sends, oldest first."""
        return list(self.gateway.log.after(0, len(self.gateway.log)))

    def add_fault(self, fault: Fault | None = None, /, **fields: Any) -> int:  # noqa: ANN401 - pydantic checks
        """Switch a fault on, given whole or by its fields, and return its id.

        Raises:
            pydantic.ValidationError: for wrong fields.
        """
        return self.faults.add(fault or Fault(**fields))

    def remove_fault(self, fault_id: int) -> bool:
        """Switch one fault off and cut the calls that hang; tell whether it was on."""
        self._release()
        return self.faults.remove(fault_id)

    def clear_faults(self) -> None:
        """Switch all faults off and cut the calls that hang."""
        self._release()
        self.faults.active.clear()

    def change(self, /, **settings: Any) -> SimulatorOptions:  # noqa: ANN401 - pydantic checks
        """Change some options and return all of them; ``balance`` sets the credits left.

        Raises:
            pydantic.ValidationError: for wrong names or values; nothing is changed then.
        """
        options = SimulatorOptions.model_validate({**self.options.model_dump(), **settings})
        self.gateway.options = options
        self.gateway.log.room = options.remember
        self.gateway.tally.room = options.remember_pairs
        if "balance" in settings:
            self.gateway.balance = options.balance
        if "seed" in settings:
            self.dice.seed(options.seed)
        return options

    def reset(self) -> None:
        """Forget everything: sends, counters, faults, changed options. Hanging calls are cut."""
        self._release()
        self._start()

    def _release(self) -> None:
        self.released.set()
        self.released = asyncio.Event()

    def state(self) -> dict[str, Any]:
        """Return counters and gauges, as the endpoint's ``state`` shows them."""
        gateway, traffic = self.gateway, self.traffic
        return {
            "simulator": "a stand-in for ITON; no SMS is sent",
            "calls": {command.value: traffic.calls[command] for command in _COMMANDS},
            "answers": dict(gateway.answers),
            "in_flight": traffic.in_flight,
            "max_in_flight": traffic.max_in_flight,
            "repeated_parameters": traffic.repeated_parameters,
            "balance": gateway.balance,
            "sent": {
                "calls": gateway.sent_calls,
                "messages": gateway.sent_messages,
                "segments": gateway.segments,
                "repeats": gateway.tally.repeats,
                "garbled": gateway.garbled,
            },
            "remembered": {
                "calls": len(gateway.log),
                "messages": gateway.log.messages,
                "pairs": len(gateway.tally),
                "forgotten_messages": gateway.log.forgotten,
                "forgotten_pairs": gateway.tally.forgotten,
            },
            "web_api": {
                "calls": self.web_calls,
                "carried_out": dict(self.web_store.carried_out),
                "kept": len(self.web_store.kept),
            },
            "faults": self.fault_list(),
            "faults_applied": dict(self.faults.applied),
        }

    def fault_list(self) -> list[dict[str, Any]]:
        """Return the faults that are on, with what was left at its default left out."""
        return [
            {
                "id": entry.id,
                "applied": entry.applied,
                **entry.fault.model_dump(mode="json", exclude_defaults=True),
            }
            for entry in self.faults.active
        ]

    def settings(self) -> dict[str, Any]:
        """Return the options that hold now; password and token only as set or empty."""
        shown = self.options.model_dump(mode="json")
        return shown | {name: "***" if shown[name] else "" for name in _HIDDEN}

    def send_page(self, after: int, limit: int) -> dict[str, Any]:
        """Return the sends numbered over *after*, and the number to ask on from."""
        page = [_send_json(send) for send in self.gateway.log.after(after, limit)]
        return {"sends": page, "next": page[-1]["seq"] if page else after}

    def times_sent(
        self, *, at_least: int = 1, to: str | None = None, limit: int = 100_000
    ) -> list[dict[str, Any]]:
        """Return how often each number (digits with country code) got each text."""
        pairs = (
            {"to": number, "message": text, "times": times}
            for number, text, times in self.gateway.tally.items(at_least)
            if to is None or number == to
        )
        return list(islice(pairs, limit))

    def recent_calls(self, limit: int) -> list[dict[str, Any]]:
        """Return the newest calls, oldest first, without credentials."""
        recent = self.traffic.recent
        return [call | {"at": _iso(call["at"])} for call in islice(recent, max(0, len(recent) - limit), None)]


def _send_json(send: Send) -> dict[str, Any]:
    return {
        "seq": send.seq,
        "at": _iso(send.at),
        "to": list(send.to),
        "message": send.message,
        "id": send.ids[0],
        "ids": list(send.ids),
        "sender": send.sender,
        "unicode": send.unicode,
        "segments": send.segments,
        "garbled": send.garbled,
        "invalid": list(send.invalid),
        "params": dict(send.params),
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
