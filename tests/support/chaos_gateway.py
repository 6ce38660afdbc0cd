"""Stand-ins for the gateway in the tests' own process, on an event loop in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tests.support.worker_process import PASSWORD, USERNAME
from worker.simulator import RunningSimulator, SimulatorOptions, running_simulator
from worker.simulator.sends import Send

T = TypeVar("T")


class GatewayLoop:
    """Runs simulators; everything that is asked of them is done on their loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="gateways")
        self._thread.start()

    def close(self) -> None:
        """End the loop; the simulators are gone by then, and what hung in them is ended."""
        self.await_(self._end_what_is_left)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @staticmethod
    async def _end_what_is_left() -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    @contextmanager
    def gateway(self, *, port: int = 0, **options: Any) -> Iterator["LocalGateway"]:  # noqa: ANN401 - pydantic checks
        """Run a simulator while the block lasts; port 0 takes a free one."""
        settings = SimulatorOptions(username=USERNAME, password=PASSWORD, **options)
        running: AbstractAsyncContextManager[RunningSimulator] = running_simulator(settings, port=port)
        simulator = self.await_(running.__aenter__)
        try:
            yield LocalGateway(self, simulator)
        finally:
            self.await_(lambda: running.__aexit__(None, None, None))

    def await_(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the work returns
        """Await on the loop what *work* makes there."""

        async def awaited() -> Any:  # noqa: ANN401 - as above
            return await work()

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(30)

    def ask(self, question: Callable[[], T]) -> T:
        """Call *question* on the loop."""

        async def asked() -> T:
            return question()

        return asyncio.run_coroutine_threadsafe(asked(), self._loop).result(30)


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
    loop = GatewayLoop()
    try:
        yield loop
    finally:
        loop.close()
