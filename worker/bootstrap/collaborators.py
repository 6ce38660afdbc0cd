"""What a worker takes from its surroundings. Worlds give stand-ins; a process has the real ones."""

from dataclasses import dataclass, field
from random import Random, SystemRandom

import httpx

from worker.clock import SystemClock
from worker.ledger import AnyLedger
from worker.ports import Clock


@dataclass(frozen=True, slots=True)
class Collaborators:
    """Each is the real one unless another is given.

    The connection to the broker is the event loop's to make (``create_connection``).

    Attributes:
        clock: time; the event loop's own clock is expected to run beside it.
        random: jitter, and the start of tokens that no other process may draw.
        transport: to the gateway, at most once on the wire; None: connections of its own.
        store: of the ledger; None: what the settings name.
        web_transport: as *transport*, to the Web API.
    """

    clock: Clock = field(default_factory=SystemClock)
    random: Random = field(default_factory=SystemRandom)
    transport: httpx.AsyncBaseTransport | None = None
    store: AnyLedger | None = None
    web_transport: httpx.AsyncBaseTransport | None = None
