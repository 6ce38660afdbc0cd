"""The commands that talk to the broker, against a real one."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest

from tests.contract.ledger_backends import ledger_with_an_entry
from tests.support.amqp_side import pika_channel
from tests.support.deadline import DEADLINE
from tests.support.restored_logs import restored_logs
from worker.cli.app import main


@pytest.fixture(autouse=True)
def prefix(amqp_url: str, amqp_prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Point the commands to the broker, under a prefix of the test's own, with the topology there."""
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
        yield amqp_prefix


def _taken(amqp_url: str, queue: str) -> list[tuple[pika.BasicProperties, dict[str, Any]]]:
    """Take everything out of *queue*."""
    found: list[tuple[pika.BasicProperties, dict[str, Any]]] = []
    with pika_channel(amqp_url) as channel:
        while True:
            method, properties, body = channel.basic_get(queue, auto_ack=True)
            if method is None:
                return found
            found.append((properties, json.loads(body)))


def _publish(amqp_url: str, exchange: str, key: str, body: bytes, **properties: Any) -> None:  # noqa: ANN401 - as pika has them
    with pika_channel(amqp_url) as channel:
        channel.basic_publish(exchange, key, body, pika.BasicProperties(**properties))


class TestSubmit:
    """What producers could do themselves."""

    def test_jobs_of_a_file_are_on_their_queue(
        self, amqp_url: str, prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Persistent JSON with the job's id as message id; the ids are printed."""
        (tmp_path / "may.csv").write_text("recipient,text\n9876543210,A\n9876543211,B\n9876543212,A\n")
        assert main(["submit", "--csv", "may.csv", "--json"]) == 0
        summary = json.loads(capsys.readouterr().out)
        found = _taken(amqp_url, f"{prefix}.send")
        assert sorted(job["job_id"] for job in summary["jobs"]) == sorted(body["job_id"] for _, body in found)
        assert (summary["published"], summary["recipients"]) == (2, 3)
        properties, body = found[0]
        assert (properties.delivery_mode, properties.content_type) == (2, "application/json")
        assert properties.message_id == body["job_id"]

    def test_a_repeated_file_has_the_same_ids(self, amqp_url: str, prefix: str, tmp_path: Path) -> None:
        """So the worker carries each job out once."""
        (tmp_path / "a.jsonl").write_text(
            "".join(f'{{"recipients": ["{9876543210 + n}"], "text": "x"}}\n' for n in range(300))
        )
        for _ in range(2):
            assert main(["submit", "--jsonl", "a.jsonl", "--urgent"]) == 0
        found = [body["job_id"] for _, body in _taken(amqp_url, f"{prefix}.send.urgent")]
        assert (len(found), len(set(found))) == (600, 300)

    def test_without_a_queue_it_says_what_to_do(
        self, amqp_url: str, prefix: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A job that no queue takes is not published, which is certain; nothing is declared for it."""
        with pika_channel(amqp_url) as channel:
            channel.queue_delete(f"{prefix}.account")
        assert main(["submit", "--kind", "account"]) == 1
        captured = capsys.readouterr()
        job_id = captured.out.strip()
        assert f"no queue takes account from exchange {prefix}.jobs" in captured.err
        assert f"AMQP_PREFIX ({prefix})" in captured.err
        assert f"job {job_id} is not published" in captured.err


class TestCancel:
    """A request to stop a job."""

    def test_it_is_on_its_queue_with_an_id_that_was_told(
        self, amqp_url: str, prefix: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Persistent, confirmed; each run is a request of its own."""
        for _ in range(2):
            assert main(["cancel", "order-1841", "--metadata", "who=me"]) == 0
        told = capsys.readouterr()
        found = _taken(amqp_url, f"{prefix}.cancel")
        assert told.out.split() == [body["job_id"] for _, body in found]
        assert 2 == len(set(told.out.split()))
        properties, body = found[0]
        assert (2, body["job_id"]) == (properties.delivery_mode, properties.message_id)
        assert ("order-1841", {"who": "me"}) == (body["target"], body["metadata"])
        assert f"no worker consumes {prefix}.cancel" in told.err

    def test_it_cannot_stop_itself(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Nothing is published that the worker would reject."""
        assert main(["cancel", "a", "--job-id", "a"]) == 2
        assert "`target` is the request's own `job_id`" in capsys.readouterr().err

    def test_where_it_is_not_certain_it_says_how_to_repeat_it(
        self, amqp_url: str, prefix: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Under the same id, which does no harm."""
        with pika_channel(amqp_url) as channel:
            channel.queue_delete(f"{prefix}.cancel")
        assert main(["cancel", "order-1841", "--job-id", "stop"]) == 1
        told = capsys.readouterr().err
        assert "job stop is not published" in told
        assert "repeat the command with --job-id stop" in told


class TestResults:
    """Following, and what nobody was bound for."""

    def test_follows_a_job_until_all_its_parts_came(
        self, amqp_url: str, prefix: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Other jobs are not shown."""
        stop = threading.Event()

        def publish() -> None:
            while not stop.wait(0.2):
                for job_id, part in (("other", 1), ("mine", 1), ("mine", 2)):
                    body = {
                        "job_id": job_id,
                        "part": part,
                        "parts": 2,
                        "status": "accepted",
                        "recipients": [],
                    }
                    _publish(amqp_url, f"{prefix}.results.send", "send.accepted", json.dumps(body).encode())

        publisher = threading.Thread(target=publish)
        publisher.start()
        try:
            assert main(["results", "--json", "--job-id", "mine", "--timeout", str(DEADLINE)]) == 0
        finally:
            stop.set()
            publisher.join()
        shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert {one["job_id"] for one in shown} == {"mine"}
        assert {one["part"] for one in shown} == {1, 2}

    def test_ends_with_1_when_too_few_came(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Scripts notice."""
        started = time.monotonic()
        assert main(["results", "--count", "1", "--timeout", "0.5"]) == 1
        assert time.monotonic() - started < DEADLINE
        assert "did not come within 0.5 s" in capsys.readouterr().err

    def test_past_results_are_not_seen_and_it_says_how_to_get_them(
        self, amqp_url: str, prefix: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Both ways work: nobody was bound for these, and a repeated job is answered again."""
        body = json.dumps({"job_id": "past", "part": 1, "parts": 1, "status": "accepted", "recipients": []})
        _publish(amqp_url, f"{prefix}.results.send", "send.accepted", body.encode())
        assert main(["results", "--job-id", "past", "--timeout", "0.5"]) == 1
        told = capsys.readouterr().err
        assert "past results are not seen by this command" in told
        assert "publish the job once more with the same id and content: it is sent once" in told
        assert main(["results", "--unrouted", "--job-id", "past", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["job_id"] == "past"

    @pytest.mark.parametrize("redirection", [">/dev/full", ">&-", "| true"])
    def test_what_cannot_be_written_is_not_taken(
        self, amqp_url: str, prefix: str, redirection: str, tmp_path: Path
    ) -> None:
        """One line, no traceback, and every result is still there."""
        for number in range(3):
            body = json.dumps({"job_id": f"kept-{number}", "status": "balance"}).encode()
            _publish(amqp_url, f"{prefix}.results.account", "account.balance", body)
        command = f'"$@" results --unrouted --take --json {redirection}'
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        if redirection == "| true":
            command = f"{command}; sleep 0"
        done = subprocess.run(
            ["sh", "-c", command, "sh", sys.executable, "-m", "worker"],
            env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
        (line,) = done.stderr.splitlines()
        assert line.startswith("iton-worker: stdout ")
        kept = _taken(amqp_url, f"{prefix}.results.unrouted")
        assert [body["job_id"] for _, body in kept] == ["kept-0", "kept-1", "kept-2"]

    def test_unrouted_results_stay_unless_taken(
        self, amqp_url: str, prefix: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Looking is harmless."""
        for number in (1, 2):
            body = json.dumps({"job_id": "a", "status": "balance", "remaining_credits": number}).encode()
            _publish(amqp_url, f"{prefix}.results.account", "account.balance", body)
        capsys.readouterr()
        for arguments in (["--unrouted"], ["--unrouted", "--take"], ["--unrouted"]):
            assert main(["results", "--json", *arguments]) == 0
        shown = [json.loads(line)["remaining_credits"] for line in capsys.readouterr().out.splitlines()]
        assert shown == [1, 2, 1, 2]

    def test_unrouted_results_stay_in_their_order(
        self, amqp_url: str, prefix: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A revision after what it replaces, also where there are many; what is taken is the oldest."""
        for number in range(50):
            body = json.dumps({"job_id": "a", "status": "balance", "remaining_credits": number}).encode()
            _publish(amqp_url, f"{prefix}.results.account", "account.balance", body)
        capsys.readouterr()
        for arguments in ([], ["--count", "3"], ["--count", "5", "--take"], []):
            assert main(["results", "--unrouted", "--json", *arguments]) == 0
        shown = [json.loads(line)["remaining_credits"] for line in capsys.readouterr().out.splitlines()]
        assert shown == [*range(50), *range(3), *range(5), *range(5, 50)]


class TestDead:
    """Looking at dead letters."""

    @pytest.fixture(autouse=True)
    def _letters(self, amqp_url: str, prefix: str) -> None:
        """Two dead letters, the second with a body that is no text."""
        for body, reason in ((b'{"job_id": "a", "x": 1}', "unknown_field"), (b"\xff\x00", "not_utf8")):
            headers = {"x-iton-reason": reason, "x-iton-attempts": 3, "x-iton-queue": "q", "mine": "kept"}
            _publish(amqp_url, f"{prefix}.dead", "send", body, headers=headers, message_id=f"m-{reason}")

    def test_are_listed_and_stay(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Twice the same, the oldest first; --reason picks."""
        capsys.readouterr()
        for _ in range(2):
            assert main(["dead", "list", "--json"]) == 0
        shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [(one["number"], one["job_id"], one["reason"]) for one in shown] == [
            (1, "a", "unknown_field"),
            (2, "m-not_utf8", "not_utf8"),
        ] * 2
        assert main(["dead", "list", "--reason", "not_utf8"]) == 0
        captured = capsys.readouterr()
        assert "m-not_utf8" in captured.out
        assert captured.err == "iton-worker: 1 dead letter: 1 not_utf8\n"

    def test_are_shown_whole(self, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
        """By number or job id; the body byte for byte where that is asked for."""
        capsysbinary.readouterr()
        assert main(["dead", "show", "a", "--json"]) == 0
        shown = json.loads(capsysbinary.readouterr().out)
        assert (shown["attempts"], shown["headers"]["mine"], shown["body"]) == (
            3,
            "kept",
            '{"job_id": "a", "x": 1}',
        )
        assert main(["dead", "show", "2", "--body"]) == 0
        assert capsysbinary.readouterr().out == b"\xff\x00"
        assert main(["dead", "show", "3"]) == 1


class TestCheck:
    """Broker and topology, as they are."""

    @pytest.fixture(autouse=True)
    def _account(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An account, and a gateway that is down."""
        for name, value in {
            "ITON_USERNAME": "someone",
            "ITON_PASSWORD": "hush-hush",
            "ITON_BASE_URL": "http://127.0.0.1:1/",
            "LEDGER_URL": "memory://",
        }.items():
            monkeypatch.setenv(name, value)

    def _findings(self, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
        capsys.readouterr()
        assert main(["check", "--json"]) == 1
        findings = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return {finding["part"]: finding for finding in findings}

    def test_both_are_well(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The gateway alone is down."""
        findings = self._findings(capsys)
        assert [part for part, finding in findings.items() if not finding["ok"]] == ["gateway"]
        assert "ITON_BASE_URL" in findings["gateway"]["remedy"]

    def test_a_missing_queue_is_named_where_it_may_not_be_declared(
        self, amqp_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With the remedy."""
        monkeypatch.setenv("AMQP_DECLARE", "false")
        with pika_channel(amqp_url) as channel:
            channel.queue_delete(f"{prefix}.status")
        finding = self._findings(capsys)["topology"]
        assert finding["ok"] is False
        assert finding["detail"] == f"not on the broker: queue {prefix}.status"
        assert "topology --declare" in finding["remedy"]

    def test_a_wrong_password_of_the_broker_is_one_line(
        self, amqp_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It says so, and does not show it."""
        parts = pika.URLParameters(amqp_url)
        monkeypatch.setenv("AMQP_URL", f"amqp://nobody:wr0ng-pw@{parts.host}:{parts.port}/")
        finding = self._findings(capsys)["broker"]
        assert finding["ok"] is False
        assert "refuses user or password" in finding["detail"]
        assert "wr0ng-pw" not in str(finding)


class TestLedgerMove:
    """Not while somebody works."""

    @pytest.mark.usefixtures("prefix")
    def test_a_consumer_stops_it(
        self, amqp_url: str, prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Whoever he is; when he is gone it goes on."""
        asyncio.run(ledger_with_an_entry(tmp_path / "iton-ledger.db"))
        words = ["ledger", "move", "--to", f"sqlite:///{tmp_path / 'new.db'}"]
        with pika_channel(amqp_url) as channel:
            channel.basic_consume(f"{prefix}.send", lambda *_: None)
            assert 1 == main(words)
            assert f"a worker consumes {prefix}.send" in capsys.readouterr().err
        assert 0 == main(words)
        assert "1 entry is in the new ledger as it was in the old one" in capsys.readouterr().out

    def test_a_mistyped_prefix_is_not_taken_for_stopped_workers(
        self, prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What they write while the ledger moves would be forgotten, and texts sent again."""
        asyncio.run(ledger_with_an_entry(tmp_path / "iton-ledger.db"))
        monkeypatch.setenv("AMQP_PREFIX", f"{prefix}x")
        assert 1 == main(["ledger", "move", "--to", f"sqlite:///{tmp_path / 'new.db'}"])
        said = capsys.readouterr().err
        assert f"there is no queue {prefix}x.send on the broker" in said
        assert f"AMQP_PREFIX ({prefix}x)" in said
        assert not (tmp_path / "new.db").exists()
