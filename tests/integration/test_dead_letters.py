"""The commands about dead letters, against a real broker; no worker runs."""

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pika
import pytest
from aiormq.abc import DeliveredMessage

from tests.support.amqp_side import pika_channel
from tests.support.deadline import DEADLINE
from tests.support.restored_logs import restored_logs
from tests.support.worker_process import PROGRAM, wait_until
from worker.amqp.dead.records import DeadLetterRecord, read_record
from worker.cli.app import main

NOW = datetime.now(UTC)
SMALL = b'{"job_id": "a", "recipients": ["919800000020"], "text": "x"}'

Taken = tuple[str, pika.BasicProperties, bytes]


class Yard:
    """The dead-letter queue of a test, and the queues that letters go back to."""

    def __init__(self, url: str, prefix: str) -> None:
        self.url = url
        self.prefix = prefix

    def bury(  # noqa: PLR0913 - each says one thing about the letters
        self,
        body: bytes = SMALL,
        *,
        reason: str = "retries_exhausted",
        queue: str = "send",
        age: timedelta = timedelta(),
        count: int = 1,
        key: str = "send",
        headers: dict[str, Any] | None = None,
        **properties: Any,  # noqa: ANN401 - as pika has them
    ) -> None:
        """Put letters there as the worker does, and wait until they are all there."""
        before = self.count("dead")
        # Many are not confirmed one by one: the channel stays open until the queue has them.
        with closing(pika.BlockingConnection(pika.URLParameters(self.url))) as connection:
            channel = connection.channel()
            for number in range(count):
                said = {
                    "x-iton-id": f"{reason}-{queue}-{number}-{time.monotonic_ns()}",
                    "x-iton-reason": reason,
                    "x-iton-detail": "why",
                    "x-iton-attempts": 4,
                    "x-iton-queue": f"{self.prefix}.{queue}",
                    "x-iton-time": (NOW - age).isoformat(),
                }
                given = pika.BasicProperties(headers={**said, **(headers or {})}, **properties)
                channel.basic_publish(f"{self.prefix}.dead", key, body, given)
            wait_until(lambda: self.count("dead") == before + count, "the letters are there")

    def count(self, name: str) -> int:
        """Return how many messages are ready in a queue."""
        with pika_channel(self.url) as channel:
            return int(channel.queue_declare(f"{self.prefix}.{name}", passive=True).method.message_count)

    def take(self, name: str) -> list[Taken]:
        """Take everything out of a queue."""
        found: list[Taken] = []
        with pika_channel(self.url) as channel:
            there = self.count(name)
            if not there:
                return found
            for method, properties, body in channel.consume(
                f"{self.prefix}.{name}", inactivity_timeout=DEADLINE
            ):
                assert method, f"only {len(found)} of {there} messages came"
                found.append((method.routing_key, properties, body))
                if len(found) >= there:
                    channel.basic_ack(method.delivery_tag, multiple=True)
                    break
        return found


@pytest.fixture
def yard(amqp_url: str, amqp_prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Yard]:
    """Provide an empty yard, and the commands pointed to it."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "AMQP_URL": amqp_url,
        "AMQP_PREFIX": amqp_prefix,
        "WORKER_SECRETS_DIR": str(tmp_path / "none"),
        "WORKER_RETRY_DELAYS": "1",
        "WORKER_SEND_AFTER_LIMIT": "0",  # no queue of the ladder, which no test here asks for
        "WORKER_TRACK_DELAYS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with restored_logs():
        assert main(["topology", "--declare"]) == 0
        yield Yard(amqp_url, amqp_prefix)


Run = Callable[..., tuple[int, list[Any], str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Provide a run of ``dead``: exit code, the JSON lines of stdout, stderr."""

    def dead(*arguments: str) -> tuple[int, list[Any], str]:
        capsys.readouterr()
        code = main(["dead", *arguments])
        captured = capsys.readouterr()
        lines = [json.loads(line) for line in captured.out.splitlines() if line.startswith("{")]
        return code, lines, captured.err

    return dead


class TestList:
    """Filters and counts."""

    def test_filters_by_reason_kind_age_and_job(self, yard: Yard, run: Run) -> None:
        """Each alone, and together."""
        yard.bury(reason="retries_exhausted")
        yard.bury(reason="not_json", queue="status", key="status", body=b"{", message_id="b")
        yard.bury(
            reason="retries_exhausted",
            queue="send.parts",
            age=timedelta(days=2),
            body=b'{"brief": {"job_id": "c"}}',
        )
        wait_until(lambda: yard.count("dead") == 3, "all letters are there")

        def jobs(*arguments: str) -> list[str]:
            return [one["job_id"] for one in run("list", "--json", *arguments)[1]]

        assert ["a", "b", "c"] == jobs()
        assert ["a", "c"] == jobs("--reason", "retries_exhausted")
        assert ["a", "b", "c"] == jobs("--reason", "retries_exhausted", "--reason", "not_json")
        assert ["a", "c"] == jobs("--kind", "send")
        assert ["b"] == jobs("--kind", "status")
        assert ["c"] == jobs("--older-than", "1d")
        assert ["a", "b"] == jobs("--newer-than", "1d")
        assert ["b"] == jobs("--newer-than", "1d", "--job-id", "b")
        assert ["a"] == jobs("--limit", "1")
        assert [{"retries_exhausted": 2, "not_json": 1}] == run("list", "--counts", "--json")[1]

    def test_keeps_the_order_of_many(self, yard: Yard, run: Run) -> None:
        """However often they are looked at."""
        yard.bury(count=900)
        first = [one["id"] for one in run("list", "--json")[1]]
        assert len(set(first)) == 900
        assert first == [one["id"] for one in run("list", "--json")[1]]


class TestReplay:
    """Copies go back, letters go."""

    def test_a_copy_is_the_original(self, yard: Yard, run: Run) -> None:
        """Headers of the producer stay; what died with it is stripped; it is marked as a replay."""
        yard.bury(
            headers={
                "traceparent": "mine",
                "x-death": [{"queue": "old", "count": 1}],
                "x-first-death-queue": "old",
                "x-last-death-reason": "expired",
                "x-iton-first-seen": "2026-01-01T00:00:00Z",
                "x-iton-replay": "earlier",
                "x-iton-replay-force": True,
                "CC": ["elsewhere"],
                "x-iton-expiration": "5000",
            },
            key="send.urgent",
            queue="send.urgent",
            message_id="m",
            correlation_id="c",
            reply_to="r",
            content_type="application/json",
            timestamp=1_700_000_000,
            type="t",
            priority=3,
        )
        (letter,) = run("list", "--json")[1]
        code, (summary,), _ = run("replay", "--all", "--yes", "--json")
        assert (code, summary["replayed"], summary["error"]) == (0, 1, None)
        ((key, properties, body),) = yard.take("send.urgent")
        headers = dict(properties.headers)
        assert headers.pop("x-iton-id")
        headers.pop("x-delivery-count", None)  # the broker's, of this very delivery
        assert {
            "traceparent": "mine",
            "x-iton-expiration": "5000",
            "x-iton-routing-key": "send.urgent",
            "x-iton-replay": letter["id"],
            "x-iton-replay-known-until": letter["time"],
        } == headers
        assert (key, body) == (f"{yard.prefix}.send.urgent", SMALL)
        assert ("m", "c", "r", "t", 3, 2, 1_700_000_000) == (
            properties.message_id,
            properties.correlation_id,
            properties.reply_to,
            properties.type,
            properties.priority,
            properties.delivery_mode,
            properties.timestamp,
        )
        assert yard.count("dead") == 0

    def test_a_part_goes_back_to_the_parts(self, yard: Yard, run: Run) -> None:
        """It is no job of its own."""
        yard.bury(queue="send.parts")
        assert run("replay", "--kind", "send", "--yes")[0] == 0
        assert len(yard.take("send.parts")) == 1

    def test_what_the_broker_buried_goes_back_too(self, yard: Yard, run: Run) -> None:
        """An expired job by its queue of death; the id is the same whenever it is read."""
        with pika_channel(yard.url) as channel:
            gone = pika.BasicProperties(message_id="m", expiration="1")
            channel.basic_publish(f"{yard.prefix}.jobs", "send", SMALL, gone)
        wait_until(lambda: yard.count("dead") == 1, "it expired")
        ((first,), (second,)) = (run("list", "--json")[1] for _ in range(2))
        assert first["id"] == second["id"]
        assert ("expired", "send") == (first["reason"], first["kind"])
        assert run("replay", "--reason", "expired", "--yes")[0] == 0
        ((_, properties, _),) = yard.take("send")
        assert first["id"] == properties.headers["x-iton-replay"]
        assert not [name for name in properties.headers if "death" in name]

    def test_a_delayed_job_that_the_broker_buried_goes_back(self, yard: Yard, run: Run) -> None:
        """Its routing key is the delay's, its first death the end of the delay: neither leads back."""
        given = pika.BasicProperties(headers={"x-iton-routing-key": "send", "x-iton-attempts": 1})
        with pika_channel(yard.url) as channel:
            channel.basic_publish(f"{yard.prefix}.delay", "1s.send", SMALL, given)
            wait_until(lambda: yard.count("send") == 1, "the delay is over")
            method, _, _ = channel.basic_get(f"{yard.prefix}.send")
            channel.basic_nack(method.delivery_tag, requeue=False)
        wait_until(lambda: yard.count("dead") == 1, "the broker buried it")
        ((letter,),) = (run("list", "--json")[1],)
        assert ("rejected", f"{yard.prefix}.send", "send") == (
            letter["reason"],
            letter["queue"],
            letter["routing_key"],
        )
        assert run("replay", "--all", "--yes")[0] == 0
        assert len(yard.take("send")) == 1

    def test_a_queue_that_is_none_of_ours_is_not_written_to(self, yard: Yard, run: Run) -> None:
        """Such a letter goes by its routing key."""
        yard.bury(queue="results.unrouted")
        assert run("replay", "--all", "--yes")[0] == 0
        assert len(yard.take("send")) == 1
        assert yard.count("results.unrouted") == 0

    def test_what_no_queue_takes_stays(self, yard: Yard, run: Run) -> None:
        """The others go."""
        yard.bury(queue="gone", key="nowhere")
        yard.bury()
        wait_until(lambda: yard.count("dead") == 2, "both are there")
        code, (summary,), error = run("replay", "--all", "--yes", "--json")
        assert (code, summary["replayed"], summary["failed"]) == (1, 1, 1)
        assert "no queue takes nowhere" in error
        assert yard.count("dead") == 1

    def test_what_may_have_been_sent_is_left_alone(self, yard: Yard, run: Run) -> None:
        """Unless it is forced; status and account jobs only ask."""
        yard.bury(reason="reply_lost")
        yard.bury(reason="reply_lost", queue="status", key="status")
        yard.bury(age=timedelta(days=5))
        wait_until(lambda: yard.count("dead") == 3, "all are there")
        code, (summary,), error = run("replay", "--all", "--yes", "--json")
        assert (code, summary["replayed"]) == (1, 1)
        assert {"uncertain": 1, "forgotten": 1} == summary["refused"]
        assert "twice" in error
        assert "WORKER_LEDGER_RETENTION" in error
        assert len(yard.take("status")) == 1
        code, (summary,), error = run("replay", "--all", "--yes", "--json", "--force")
        assert (code, summary["replayed"], summary["refused"]) == (0, 2, {})
        assert "twice" in error
        assert all(copy[1].headers["x-iton-replay-force"] is True for copy in yard.take("send"))

    def test_without_yes_nothing_happens(self, yard: Yard, run: Run) -> None:
        """A dry run says what would; without a terminal it cannot ask."""
        yard.bury(count=2)
        code, (summary,), error = run("replay", "--all", "--dry-run", "--json")
        assert (code, summary["picked"], summary["replayed"], summary["dry_run"]) == (0, 2, 0, True)
        assert "2 dead letters would be replayed" in error
        code, (summary,), error = run("replay", "--all", "--json")
        assert (code, summary["replayed"], summary["dry_run"]) == (2, 0, True)
        assert "--yes" in error
        assert yard.count("dead") == 2

    def test_a_limit_takes_the_oldest(self, yard: Yard, run: Run) -> None:
        """The rest stays, in its order."""
        yard.bury(count=10)
        before = [one["id"] for one in run("list", "--json")[1]]
        assert run("replay", "--all", "--yes", "--limit", "4")[0] == 0
        assert before[4:] == [one["id"] for one in run("list", "--json")[1]]

    def test_what_comes_back_dead_is_not_replayed_again(self, yard: Yard, run: Run) -> None:
        """A worker that buries every copy at once does not keep the command busy."""
        yard.bury(count=300)
        stop = f"{yard.prefix}.stop"
        program = [
            str(Path(PROGRAM).with_name("python")),
            "-c",
            _UNDERTAKER,
            yard.url,
            yard.prefix,
            stop,
        ]
        with pika_channel(yard.url) as channel:
            channel.queue_declare(stop)
        undertaker = subprocess.Popen(program)
        try:
            code, (summary,), _ = run("replay", "--all", "--yes", "--json")
        finally:
            with pika_channel(yard.url) as channel:
                channel.queue_delete(stop)
            undertaker.wait(DEADLINE)
        assert (code, summary["replayed"]) == (0, 300)
        wait_until(lambda: yard.count("dead") + yard.count("send") == 300, "all are back")

    @pytest.mark.no_cover  # a thousand rounds of what other tests cover
    def test_thousands_with_others_between_them(
        self, yard: Yard, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Those that are not wanted keep their order, and nobody reads them again for each that goes."""
        for reason in ("retries_exhausted", "not_json", "retries_exhausted", "not_json"):
            yard.bury(reason=reason, count=1250)
        wait_until(lambda: yard.count("dead") == 5000, "all are there")
        read = 0

        def counted(message: DeliveredMessage, tag: int) -> DeadLetterRecord:
            nonlocal read
            read += 1
            return read_record(message, tag)

        monkeypatch.setattr("worker.amqp.dead.browser.read_record", counted)
        code, (summary,), _ = run("replay", "--reason", "retries_exhausted", "--yes", "--json")
        assert (code, summary["replayed"]) == (0, 2500)
        assert (2500, 2500) == (yard.count("send"), yard.count("dead"))
        assert read <= 2 * 5000  # once to say how many go, and once to let them go

    def test_killed_half_way_it_is_run_again(self, yard: Yard, run: Run) -> None:
        """No letter is lost; a copy that is out twice has the same replay id."""
        yard.bury(count=1500)
        replaying = subprocess.Popen(
            [PROGRAM, "dead", "replay", "--all", "--yes"], env=dict(os.environ), stderr=subprocess.DEVNULL
        )
        wait_until(lambda: yard.count("send") > 100, "some are replayed")
        replaying.send_signal(signal.SIGKILL)
        replaying.wait()
        wait_until(lambda: yard.count("dead") + yard.count("send") >= 1500, "the rest is back")
        assert yard.count("dead") > 0
        assert run("replay", "--all", "--yes")[0] == 0
        assert yard.count("dead") == 0
        ids = [properties.headers["x-iton-replay"] for _, properties, _ in yard.take("send")]
        assert 1500 == len(set(ids))
        # Up to 64 in flight, and those whose acknowledgement was still on its way when the kill came.
        assert len(ids) <= 1500 + 4 * 64


_UNDERTAKER = """
import sys, uuid, pika
url, prefix, stop = sys.argv[1:]
channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
channel.confirm_delivery()
while True:
    try:
        channel.queue_declare(stop, passive=True)
    except Exception:
        break
    for method, properties, body in channel.consume(f"{prefix}.send", inactivity_timeout=0.2):
        if method is None:
            break
        headers = {**properties.headers, "x-iton-id": uuid.uuid4().hex, "x-iton-reason": "retries_exhausted",
                   "x-iton-queue": f"{prefix}.send"}
        properties.headers = headers
        channel.basic_publish(f"{prefix}.dead", "send", body, properties)
        channel.basic_ack(method.delivery_tag)
"""


class TestPurge:
    """Letters go for good."""

    def test_only_those_that_were_asked_for(self, yard: Yard, run: Run) -> None:
        """With --yes, or an answer."""
        yard.bury(reason="not_json", count=3)
        yard.bury(count=2)
        wait_until(lambda: yard.count("dead") == 5, "all are there")
        assert run("purge", "--reason", "not_json", "--json")[0] == 2
        assert yard.count("dead") == 5
        code, (summary,), _ = run("purge", "--reason", "not_json", "--yes", "--json")
        assert (code, summary["purged"]) == (0, 3)
        assert yard.count("dead") == 2
        assert yard.count("send") == 0


class TestExport:
    """JSON lines."""

    def test_holds_everything_and_removes_nothing(self, yard: Yard, run: Run) -> None:
        """Text as text, other bodies as base64; headers as JSON can say them."""
        yard.bury(headers={"mine": {"deep": [1, True, b"\xff", datetime(2026, 1, 1, tzinfo=UTC)]}})
        yard.bury(b"\xff", reason="not_utf8", message_id="m", timestamp=1_700_000_000, priority=7)
        wait_until(lambda: yard.count("dead") == 2, "both are there")
        code, (text, raw), _ = run("export")
        assert (code, text["body"], raw["body_base64"]) == (0, SMALL.decode(), "/w==")
        assert {"id", "time", "reason", "detail", "attempts", "queue", "routing_key"} <= text.keys()
        deep = text["headers"]["mine"]["deep"]
        assert [1, True, {"base64": "/w=="}, "2026-01-01T00:00:00.000Z"] == deep
        assert {"message_id": "m", "timestamp": "2023-11-14T22:13:20.000Z", "priority": 7} == raw[
            "properties"
        ]
        assert yard.count("dead") == 2

    def test_writes_a_new_file_for_its_owner(self, yard: Yard, run: Run, tmp_path: Path) -> None:
        """An export does not write over another."""
        yard.bury(count=3)
        target = tmp_path / "dead.jsonl"
        assert run("export", "--output", str(target))[0] == 0
        assert [json.loads(line)["job_id"] for line in target.read_text().splitlines()] == ["a"] * 3
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        before = target.read_text()
        assert run("export", "--output", str(target))[0] == 2
        assert before == target.read_text()
