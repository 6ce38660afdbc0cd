"""What ``submit`` says when publishing goes wrong: of each job what is certain, and how to repeat it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pika
import pytest

from tests.support.amqp_side import pika_channel
from tests.support.confirm_thief import ConfirmThief
from tests.support.deadline import DEADLINE
from tests.support.restored_logs import restored_logs
from worker.cli.app import main

ROOT = Path(__file__).parents[2]
ONE = ["--to", "919876543210", "--text", "A text of its own"]
MARK = b"A text of its own"
# Whoever is started in the background of a shell script ignores SIGINT, and so does what it starts.
SUBMIT = """
import signal, sys
from worker.cli.app import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main(["submit", *sys.argv[1:]]))
"""


@pytest.fixture(autouse=True)
def prefix(amqp_url: str, amqp_prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Point the command to the broker, under a prefix of the test's own, with the topology there."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "AMQP_URL": amqp_url,
        "AMQP_PREFIX": amqp_prefix,
        "WORKER_SECRETS_DIR": str(tmp_path / "none"),
        "WORKER_RETRY_DELAYS": "1",
        "WORKER_SEND_AFTER_LIMIT": "0",  # no queue of the ladder, which no test here asks for
        "WORKER_TRACK_DELAYS": "1",
        "WORKER_PUBLISH_TIMEOUT": "5",
    }.items():
        monkeypatch.setenv(name, value)
    with restored_logs():
        assert main(["topology", "--declare"]) == 0
        yield amqp_prefix


def _thief(amqp_url: str, monkeypatch: pytest.MonkeyPatch, mark: bytes, *, cut: bool) -> ConfirmThief:
    parts = urlsplit(amqp_url)
    thief = ConfirmThief(parts.hostname or "", parts.port or 5672, mark, cut=cut)
    at = f"{parts.username}:{parts.password}@127.0.0.1:{thief.port}"
    monkeypatch.setenv("AMQP_URL", urlunsplit(parts._replace(netloc=at)))
    return thief


def _bodies(amqp_url: str, queue: str) -> list[bytes]:
    found = []
    with pika_channel(amqp_url) as channel:
        while (got := channel.basic_get(queue, auto_ack=True))[0] is not None:
            found.append(got[2])
    return found


class TestLostConfirm:
    """The broker has the job, and nobody says so."""

    def test_the_id_is_told_and_repeating_with_it_publishes_the_same_job(
        self,
        amqp_url: str,
        prefix: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """So the worker, which knows the id, sends it once."""
        thief = _thief(amqp_url, monkeypatch, MARK, cut=True)
        assert main(["submit", *ONE]) == 1
        thief.close()
        captured = capsys.readouterr()
        (job_id,) = captured.out.splitlines()
        assert f"job {job_id} may have been published" in captured.err
        assert f"repeat the command with --job-id {job_id} within 72 h" in captured.err
        assert "nothing is sent twice" not in captured.err
        monkeypatch.setenv("AMQP_URL", amqp_url)
        assert main(["submit", *ONE, "--job-id", job_id]) == 0
        first, second = map(json.loads, _bodies(amqp_url, f"{prefix}.send"))
        assert first == second

    def test_a_file_is_repeated_by_its_campaign(
        self,
        amqp_url: str,
        prefix: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
    ) -> None:
        """Also where the file was renamed meanwhile: its name is the start of the ids."""
        (tmp_path / "may sale.csv").write_text("to,text\n9876543210,A text of its own\n9876543211,B\n")
        thief = _thief(amqp_url, monkeypatch, MARK, cut=True)
        assert main(["submit", "--csv", "may sale.csv"]) == 1
        thief.close()
        captured = capsys.readouterr()
        ids = captured.out.splitlines()
        assert "may have been published" in captured.err
        assert "with the unchanged input and --campaign may-sale within 72 h" in captured.err
        (tmp_path / "may sale.csv").rename(tmp_path / "june.csv")
        monkeypatch.setenv("AMQP_URL", amqp_url)
        assert main(["submit", "--csv", "june.csv", "--campaign", "may-sale"]) == 0
        assert capsys.readouterr().out.splitlines() == ids
        found = {json.loads(body)["job_id"] for body in _bodies(amqp_url, f"{prefix}.send")}
        assert found == set(ids)

    def test_ctrl_c_in_the_middle_is_told_the_same_way(
        self, amqp_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """The id is on stdout before anything is published."""
        thief = _thief(amqp_url, monkeypatch, MARK, cut=False)
        monkeypatch.setenv("WORKER_PUBLISH_TIMEOUT", "60")
        running = subprocess.Popen(
            [sys.executable, "-c", SUBMIT, *ONE],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert thief.published.wait(DEADLINE)
        running.send_signal(signal.SIGINT)
        out, told = running.communicate(timeout=DEADLINE)
        thief.close()
        assert running.returncode == 130, told
        job_id = out.strip()
        assert f"interrupted: job {job_id} may have been published" in told
        assert f"--job-id {job_id} " in told
        assert len(_bodies(amqp_url, f"{prefix}.send")) == 1

    def test_in_json_the_ids_are_told_beforehand_as_well(
        self, amqp_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """On stderr, and with what is certain of each in the object at the end."""
        thief = _thief(amqp_url, monkeypatch, MARK, cut=True)
        assert main(["submit", *ONE, "--json"]) == 1
        thief.close()
        captured = capsys.readouterr()
        summary = json.loads(captured.out)
        job = summary["jobs"][0]
        assert f"publishing 1 job: {job['job_id']}" in captured.err
        assert job["state"] == "may have been published"
        assert (summary["published"], summary["may_have_been_published"]) == (0, 1)


class TestFullDisk:
    """The summary in JSON is lost, after the jobs are published."""

    def test_it_says_what_is_certain(self, amqp_url: str, prefix: str, tmp_path: Path) -> None:
        """Else a script that sees exit code 1 would publish them anew, under other ids."""
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [sys.executable, "-c", SUBMIT, *ONE, "--json"],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                cwd=tmp_path,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                timeout=DEADLINE,
            )
        (body,) = _bodies(amqp_url, f"{prefix}.send")
        job_id = json.loads(body)["job_id"]
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == (
            f"iton-worker: stdout cannot be written: no space left on device: job {job_id} is published"
        )


class TestRefused:
    """The broker answers that it does not take the job."""

    def test_a_full_queue_is_told_as_not_published(
        self, amqp_url: str, prefix: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """By a nack."""
        with pika_channel(amqp_url) as channel:
            queue = f"{prefix}.full"
            channel.queue_declare(queue, arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
            channel.queue_bind(queue, f"{prefix}.jobs", "account")
            channel.queue_unbind(f"{prefix}.account", f"{prefix}.jobs", "account")
            assert main(["submit", "--kind", "account", "--job-id", "mine"]) == 1
        told = capsys.readouterr().err
        assert "the broker refused the job (nack)" in told
        assert "job mine is not published" in told

    def test_one_that_is_not_taken_does_not_hide_those_that_are(
        self, amqp_url: str, prefix: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """Each has its own state."""
        with pika_channel(amqp_url) as channel:
            channel.queue_delete(f"{prefix}.send.urgent")
        (tmp_path / "a.csv").write_text("to,text,urgent\n9876543210,A,no\n9876543211,B,yes\n")
        assert main(["submit", "--csv", "a.csv", "--json"]) == 1
        captured = capsys.readouterr()
        states = {job["routing_key"]: job["state"] for job in json.loads(captured.out)["jobs"]}
        assert states == {"send": "published", "send.urgent": "refused"}
        assert "1 of 2 jobs are published, 1 are not" in captured.err


class TestMistypedPrefix:
    """A typing mistake makes no second topology."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ["submit", *ONE],
            ["results", "--timeout", "1"],
            ["results", "--unrouted"],
            ["results", "--unrouted", "--take"],
            ["dead", "list"],
            ["dead", "replay", "--all", "--yes"],
        ],
    )
    def test_nothing_is_declared_and_the_prefix_is_named(
        self,
        arguments: list[str],
        amqp_url: str,
        prefix: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Nobody is told to declare it, which would make what nobody reads."""
        monkeypatch.setenv("AMQP_PREFIX", f"{prefix}x")
        assert main(arguments) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "AMQP_PREFIX" in captured.err
        assert f"{prefix}x." in captured.err
        assert "--declare" not in captured.err
        for name in ("jobs", "results.send", "results.unrouted", "dead"):
            with pika_channel(amqp_url) as channel, pytest.raises(pika.exceptions.ChannelClosedByBroker):
                channel.exchange_declare(f"{prefix}x.{name}", passive=True)

    def test_a_queue_without_a_worker_is_told(
        self, amqp_url: str, prefix: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A topology that an earlier mistake made swallows no job in silence."""
        assert main(["submit", *ONE]) == 0
        assert f"no worker consumes {prefix}.send at the moment" in capsys.readouterr().err
        with pika_channel(amqp_url) as channel:
            channel.basic_consume(f"{prefix}.send", lambda *_: None)
            assert main(["submit", *ONE]) == 0
            assert "no worker consumes" not in capsys.readouterr().err
