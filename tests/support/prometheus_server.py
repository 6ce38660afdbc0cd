"""A real Prometheus that scrapes one worker and evaluates the alert rules."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from scripts.children import Child
from scripts.free_ports import free_ports
from tests.support.worker_process import base_environment, wait_until

PROGRAM = Path("/usr/bin/prometheus")


class PrometheusServer:
    """Prometheus on a free port, its data in *folder*.

    Args:
        folder: new or empty.
        target: host and port that it scrapes, once a second, as the job ``worker`` in the namespace ``sms``.
        rules: the file that it evaluates once a second.
    """

    def __init__(self, folder: Path, *, target: str, rules: Path) -> None:
        self._url = f"http://127.0.0.1:{free_ports(1)[0]}"
        folder.mkdir(parents=True, exist_ok=True)
        labelled = {"targets": [target], "labels": {"namespace": "sms"}}
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [{"job_name": "worker", "static_configs": [labelled]}],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        command = [
            str(PROGRAM),
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self._url.removeprefix('http://')}",
            "--log.level=warn",
        ]
        self._child = Child(command, env=base_environment(), log=folder / "prometheus.log", cwd=folder)

    def wait_up(self) -> None:
        """Wait until it answers."""
        wait_until(self._is_ready, f"Prometheus is ready\n{self._child.tail()}")

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the series that *expr* yields now; AssertionError if Prometheus does not like it."""
        answer = self._asked("/api/v1/query", {"query": expr, "time": f"{time.time():.3f}"})
        assert answer["status"] == "success", f"{answer.get('error')}: {expr}"
        return cast("list[dict[str, Any]]", answer["data"]["result"])

    def value(self, expr: str) -> float | None:
        """Return the value of the only series, None where there is none."""
        found = self.query(expr)
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule as Prometheus sees it: its health, its state, its alerts."""
        groups = self._asked("/api/v1/rules", {})["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def stop(self) -> None:
        """End it."""
        self._child.kill()

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"{self._url}/-/ready", timeout=30) as reply:  # noqa: S310 - always http
                return bool(reply.status == 200)
        except (URLError, OSError):
            return False

    def _asked(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        try:
            with urlopen(f"{self._url}{path}?{urlencode(parameters)}", timeout=30) as reply:  # noqa: S310 - as above
                return cast("dict[str, Any]", json.load(reply))
        except HTTPError as error:
            with error:
                return cast("dict[str, Any]", json.load(error))


@contextmanager
def prometheus_server(folder: Path, *, target: str, rules: Path) -> Iterator[PrometheusServer]:
    """Run one for the block."""
    server = PrometheusServer(folder, target=target, rules=rules)
    try:
        server.wait_up()
        yield server
    finally:
        server.stop()
