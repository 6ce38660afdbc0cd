"""The real worker's spans at a real collector, and without one."""

import sys
import time
from collections.abc import Callable

from scripts.free_ports import free_ports
from tests.support.line import Line
from tests.support.otlp_collector import Collected, otlp_collector
from tests.support.results_side import new_job_id
from tests.support.worker_process import PASSWORD, USERNAME, Workshop, wait_until

TRACE, PRODUCER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
DRAIN_TIMEOUT = 15  # seconds, all that a stop may take; an exporter tries again for a minute
TRACEPARENT = f"00-{TRACE}-{PRODUCER}-01"
NUMBER, TEXT, KEY = "919876543210", "Ihr Geheimnis ist 4711", "collector-key-777"
# The program as it is where the extra was not installed.
BARE = """
import sys
sys.modules["opentelemetry"] = None
sys.argv[1:] = ["run"]
from worker.__main__ import main
sys.exit(main())
"""

StartLine = Callable[..., Line]


def settings(url: str) -> dict[str, object]:
    """Return the settings of a traced worker."""
    return {
        "WORKER_TRACING": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-key={KEY}",
        "OTEL_BSP_SCHEDULE_DELAY": 100,
        "LOG_LEVEL": "debug",
    }


def published(line: Line) -> str:
    """Publish a job with a trace, through pika; return its id."""
    job_id = new_job_id()
    job = {"job_id": job_id, "recipients": [NUMBER], "text": TEXT}
    line.producer.publish(job, headers={"traceparent": TRACEPARENT})
    return job_id


def trace_of(line: Line, job_id: str) -> list[str]:
    """Version, trace, span and flags in the job's result."""
    return str(line.collector.one(job_id).properties.headers["traceparent"]).split("-")


class TestCollector:
    """Spans arrive where the standard variables say."""

    def test_a_producers_trace_goes_through_the_worker_to_the_result(self, own_line: StartLine) -> None:
        """Job below producer, steps below job, and whoever takes the result below its publication."""
        with otlp_collector() as collected:
            line = own_line(**settings(collected.url))
            result = trace_of(line, published(line))
            wait_until(lambda: collected.named("process"), "the job's span arrived")
            (job,) = collected.named("process")
            steps = {span.name.split(" ")[0]: span for span in collected.spans if span is not job}
            assert (TRACE, PRODUCER) == (job.trace_id.hex(), job.parent_span_id.hex())
            assert {"check_DNDnumber", "sendSMS", "publish"} == set(steps)
            assert {job.span_id} == {span.parent_span_id for span in steps.values()}
            assert ["00", TRACE, steps["publish"].span_id.hex(), "01"] == result
            (line_of_job,) = line.worker.log_lines("job.completed")
            assert (TRACE, job.span_id.hex()) == (line_of_job["trace_id"], line_of_job["span_id"])
            check_secrets(line, collected)

    def test_spans_of_the_last_job_are_sent_at_the_stop(self, own_line: StartLine) -> None:
        """A stop does not lose what waited for its batch."""
        with otlp_collector() as collected:
            line = own_line(**settings(collected.url) | {"OTEL_BSP_SCHEDULE_DELAY": 60_000})
            trace_of(line, published(line))
            assert 0 == line.worker.terminate()
            assert [TRACE] == [span.trace_id.hex() for span in collected.named("process")]


def check_secrets(line: Line, collected: Collected) -> None:
    """The collector's key is for the collector, everything else for nobody."""
    assert {KEY} == set(collected.keys)
    assert "iton-worker" == collected.resources["service.name"]
    everything = b"\n".join(collected.raw)
    assert [] == [one for one in (NUMBER, NUMBER[2:], TEXT, USERNAME, PASSWORD) if one.encode() in everything]
    assert KEY not in line.worker.output()


class TestNoCollector:
    """Nobody listens: spans are lost, nothing else is."""

    def test_jobs_flow_and_the_stop_is_quick_and_clean(self, own_line: StartLine) -> None:
        """It is said once, without the key."""
        port = free_ports(1)[0]
        away = settings(f"http://{USERNAME}:{KEY}@127.0.0.1:{port}") | {"OTEL_EXPORTER_OTLP_TIMEOUT": 1}
        line = own_line(**away, WORKER_DRAIN_TIMEOUT=DRAIN_TIMEOUT)
        for _ in range(3):
            assert TRACE == trace_of(line, published(line))[1]
        wait_until(lambda: line.worker.log_lines("collector.unavailable"), "it is said")
        trace_of(line, published(line))
        began = time.monotonic()
        assert 0 == line.worker.terminate()
        assert time.monotonic() - began < DRAIN_TIMEOUT
        assert 1 == len(line.worker.log_lines("collector.unavailable"))
        assert KEY not in line.worker.output()


class TestWithoutTheExtra:
    """OpenTelemetry is not there."""

    def test_without_the_extra_a_worker_that_traces_nothing_works(self, workshop: Workshop) -> None:
        """It is an extra."""
        worker = workshop.start_in(workshop.environment(), [sys.executable, "-c", BARE])
        worker.wait_ready()
        assert 0 == worker.terminate()
