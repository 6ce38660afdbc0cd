"""Stand-ins for the gateway in the tests' own process, on an event loop in a thread of its own."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.support.loop_thread import LoopThread
from tests.support.worker_process import PASSWORD, USERNAME
from worker.simulator import RunningSimulator, SimulatorOptions, running_simulator
from worker.simulator.sends import Send


class GatewayLoop(LoopThread):
    """Runs simulators; everything that is asked of them is done on their loop."""

    @contextmanager
    def gateway(self, *, port: int = 0, **options: Any) -> Iterator["LocalGateway"]:  # noqa: ANN401 - pydantic checks
        """Run a simulator while the block lasts; port 0 takes a free one."""
        settings = SimulatorOptions(username=USERNAME, password=PASSWORD, **options)
        with self.within(running_simulator(settings, port=port)) as simulator:
            yield LocalGateway(self, simulator)


class LocalGateway:
    """One simulator, asked from any thread."""

    def __init__(self, loop: GatewayLoop, simulator: RunningSimulator) -> None:
        self._loop = loop
        self._control = simulator.control
        self.url = simulator.url
        self.web_api_url = simulator.web_api_url

    @property
    def port(self) -> int:
        """Where it listens, or did."""
        return urlsplit(self.url).port or 0

    def fault(self, **fields: Any) -> int:  # noqa: ANN401 - pydantic checks
        """Switch a fault on."""
        return self._loop.ask(lambda: self._control.add_fault(**fields))

    def clear_faults(self) -> None:
        """Switch all off and cut what hangs."""
        self._loop.ask(self._control.clear_faults)

    def change(self, **options: Any) -> None:  # noqa: ANN401 - pydantic checks
        """Change options."""
        self._loop.ask(lambda: self._control.change(**options))

    def state(self) -> dict[str, Any]:
        """Return counters and gauges."""
        return self._loop.ask(self._control.state)

    def calls(self, command: str) -> int:
        """Return how many calls of *command* arrived."""
        return int(self.state()["calls"][command])

    def ids(self, text: str | None = None) -> dict[str, list[str]]:
        """Return every message id that was drawn, by recipient (digits with country code)."""
        drawn: dict[str, list[str]] = {}
        for send in self._loop.ask(lambda: self._control.sends):
            if text is None or send.message == text:
                for number, message_id in zip(send.to, send.ids, strict=True):
                    drawn.setdefault(number, []).append(message_id)
        return drawn

    def sends(self) -> list[Send]:
        """Return what was carried out, in its order."""
        return self._loop.ask(lambda: list(self._control.sends))

    def ids_by_text(self) -> dict[tuple[str, str], list[str]]:
        """Return every message id that was drawn, by text and recipient."""
        drawn: dict[tuple[str, str], list[str]] = {}
        for send in self._loop.ask(lambda: self._control.sends):
            for number, message_id in zip(send.to, send.ids, strict=True):
                drawn.setdefault((send.message, number), []).append(message_id)
        return drawn

    def arrivals(self) -> dict[str, list[float]]:
        """Return when each recipient was sent to, seconds since the epoch."""
        times: dict[str, list[float]] = {}
        for send in self._loop.ask(lambda: self._control.sends):
            for number in send.to:
                times.setdefault(number, []).append(send.at)
        return times


@contextmanager
def gateway_loop() -> Iterator[GatewayLoop]:
    """Provide a place for simulators."""
    with closing(GatewayLoop("gateways")) as loop:
        yield loop
