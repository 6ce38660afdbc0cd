"""The stand-in for the gateway as a process of its own, and its control endpoint."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from scripts.children import Child
from scripts.free_ports import free_ports
from tests.support.worker_process import PASSWORD, PROGRAM, USERNAME, base_environment, wait_until

_PATH = "/ItonSMSAPI/smsService/api/"


class SimulatorProcess:
    """``iton-worker simulate-gateway`` on a port of its own, which stays the same over stop and start."""

    def __init__(self, folder: Path) -> None:
        """Start it and wait until it answers."""
        self._folder = folder
        self._root = f"http://127.0.0.1:{free_ports(1)[0]}"
        self.url = self._root + _PATH
        self.web_api_url = self._root + "/web/v1/"
        self.start()

    def start(self) -> None:
        """Start the process; what an earlier one knew is gone."""
        env = base_environment() | {"ITON_USERNAME": USERNAME, "ITON_PASSWORD": PASSWORD}
        port = self._root.rpartition(":")[2]
        self._child = Child(
            [PROGRAM, "simulate-gateway", "--port", port],
            env=env,
            log=self._folder / "simulator.log",
            cwd=self._folder,
        )
        wait_until(self._answers, "the simulator answers")

    def stop(self) -> None:
        """End the process at once: connections to it are refused from now on."""
        self._child.kill()

    def _answers(self) -> bool:
        if self._child.exit_code is not None:
            raise AssertionError(f"the simulator ended:\n{self._child.tail()}")
        try:
            self.state()
        except OSError:
            return False
        return True

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - any JSON
        """Call the control endpoint."""
        content = None if body is None else json.dumps(body).encode()
        request = Request(f"{self._root}/_control/{path}", data=content, method=method)  # noqa: S310 - http
        try:
            with urlopen(request, timeout=30) as reply:  # noqa: S310 - http
                return json.loads(reply.read())
        except HTTPError as error:
            with error:
                raise AssertionError(f"{method} {path}: {error.read().decode()}") from None

    def state(self) -> dict[str, Any]:
        """Return counters and gauges."""
        return cast("dict[str, Any]", self.ask("GET", "state"))

    def calls(self, command: str) -> int:
        """Return how many calls of *command* arrived since the last reset."""
        return int(self.state()["calls"][command])

    def sends(self, text: str | None = None) -> list[dict[str, Any]]:
        """Return the carried-out sendSMS calls, oldest first; only those of *text* where given."""
        sends: list[dict[str, Any]] = self.ask("GET", "sends?limit=100000")["sends"]
        return [send for send in sends if text is None or send["message"] == text]

    def recent(self, command: str) -> list[dict[str, Any]]:
        """Return the parameters of the newest calls of *command*, oldest first, without credentials."""
        calls = self.ask("GET", "calls?limit=1000")["calls"]
        return [call["params"] for call in calls if call["command"] == command]

    def times(self, text: str) -> dict[str, int]:
        """Return how often each number (digits with country code) got *text*."""
        return {number: times for (sent, number), times in self.times_of_all().items() if sent == text}

    def times_of_all(self) -> dict[tuple[str, str], int]:
        """Return how often each text went to each number. One question, where there are many texts."""
        pairs = self.ask("GET", "times?limit=10000000")["times"]
        return {(pair["message"], pair["to"]): pair["times"] for pair in pairs}

    def change(self, **settings: object) -> None:
        """Change options, ``reply_form="text"`` say."""
        self.ask("POST", "settings", settings)

    def fault(self, **fields: object) -> int:
        """Switch a fault on; return its id."""
        return int(self.ask("POST", "faults", fields)["ids"][0])

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self.ask("DELETE", "faults")

    def reset(self) -> None:
        """Forget sends, counters, faults and changed options."""
        self.ask("POST", "reset")


@contextmanager
def simulator_process(folder: Path) -> Iterator[SimulatorProcess]:
    """Run a simulator while the block lasts."""
    simulator = SimulatorProcess(folder)
    try:
        yield simulator
    finally:
        simulator.stop()
