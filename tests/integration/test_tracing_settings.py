"""``iton-worker run`` with tracing that cannot be had: one line that names the variable, exit code 2."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.worker_process import PROGRAM, worker_environment

# The program as it is where the extra was not installed.
BARE = """
import sys
sys.modules["opentelemetry"] = None
sys.argv[1:] = ["run"]
from worker.__main__ import main
sys.exit(main())
"""


class TestWrongSettings:
    """Nobody finds out from missing traces."""

    @pytest.mark.parametrize(
        ("given", "command", "named"),
        [
            ({}, [sys.executable, "-c", BARE], "WORKER_TRACING is true, but the extra otel"),
            ({"OTEL_TRACES_EXPORTER": "zipkin"}, [PROGRAM, "run"], "OTEL_TRACES_EXPORTER must be"),
            ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, [PROGRAM, "run"], "OTEL_EXPORTER_OTLP_PROTOCOL must"),
            ({"OTEL_BSP_MAX_QUEUE_SIZE": "-1"}, [PROGRAM, "run"], "OTEL_BSP_"),
        ],
        ids=["extra not installed", "exporter", "protocol", "queue"],
    )
    def test_end_the_process_before_it_works(
        self, tmp_path: Path, given: dict[str, str], command: list[str], named: str
    ) -> None:
        """As any wrong setting does."""
        environment = worker_environment(
            amqp_url="amqp://nobody.invalid/",
            prefix="iton",
            gateway_url="http://nobody.invalid/",
            folder=tmp_path,
            **{"WORKER_TRACING": "true", **given},
        )
        ended = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        (line,) = ended.stderr.splitlines()
        assert (2, "") == (ended.returncode, ended.stdout)
        assert named in line
