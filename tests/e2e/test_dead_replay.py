"""Dead letters replayed into a running worker: who was not sent to is sent to, and nobody else."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.forked import run_program
from tests.support.line import Line, wait_settled
from tests.support.results_side import Letter, Result, new_job_id, numbers
from tests.support.worker_process import wait_until

pytestmark = pytest.mark.slow

SETTINGS = {
    "WORKER_RETRY_ATTEMPTS": 1,
    "WORKER_RETRY_DELAYS": 1,
    "WORKER_BREAKER_FAILURES": 1000,
    "ITON_ALLOWED_PARAMS": "note",
}
LONG = "नमस्ते" * 100  # with the note, a URL for a hundred numbers is too long: two calls
NOTE = {"note": "n" * 1500}
BUSY = {"command": "sendSMS", "status": 503}
ALL = ("--all", "--yes")


@pytest.fixture
def line(own_line: Callable[..., Line]) -> Line:
    """Provide a worker that gives up soon."""
    return own_line(**SETTINGS)


def dead(line: Line, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run ``iton-worker dead`` as an operator does; return exit code and JSON summary."""
    env = line.workshop.environment(**SETTINGS)
    done = run_program("dead", *arguments, "--json", env=env, cwd=line.workshop.folder)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def wait_dead(line: Line, count: int = 1) -> None:
    """Wait until letters are in the queue."""
    wait_until(lambda: line.queues.count("dead") == count, f"{count} dead letters")


def revised(line: Line, job: str, revision: int = 2, parts: int = 1) -> list[Result]:
    """Wait for results of a revision."""
    return line.collector.wait_for(
        lambda result: result.job_id == job and result.body.get("revision") == revision,
        f"revision {revision} of {job}",
        count=parts,
    )


def copied(line: Line) -> Letter:
    """Take the one dead letter and put it back twice, as a command does that dies between copy and ack."""
    (letter,) = line.queues.drain("dead")
    for _ in range(2):
        bury(line, letter)
    wait_dead(line, 2)
    return letter


def bury(line: Line, letter: Letter) -> None:
    """Put a dead letter back as it was."""
    key, properties, body = letter
    line.producer.channel.basic_publish(f"{line.producer.prefix}.dead", key, body, properties)


def send(line: Line, recipients: list[str], text: str, **fields: Any) -> str:  # noqa: ANN401 - any JSON
    """Publish a job that the DND list does not concern."""
    return line.producer.send(recipients, text, category="transactional", **fields)


class TestUnsent:
    """Jobs that were given up while the gateway was busy."""

    def test_only_those_of_the_call_that_failed_are_sent_to(self, line: Line) -> None:
        """The job's first call went out; the replay makes the second."""
        everybody = numbers(100)
        line.gateway.fault(command="sendSMS", latency=2, times=1)
        job = send(line, everybody, LONG, params=NOTE)
        wait_until(lambda: line.gateway.calls("sendSMS") == 1, "the first call is under way")
        line.gateway.fault(**BUSY)
        wait_dead(line)
        first = line.collector.one(job)
        assert "partial" == first.body["status"]
        assert first.body["counts"].keys() == {"accepted", "failed"}
        line.gateway.clear_faults()
        code, summary = dead(line, "replay", "--reason", "retries_exhausted", "--yes")
        assert (0, 1) == (code, summary["replayed"])
        (second,) = revised(line, job)
        assert {"accepted": 100} == second.body["counts"]
        assert first.ids.items() <= second.ids.items()
        assert dict.fromkeys(everybody, 1) == line.gateway.times(LONG)
        wait_settled(line)
        assert 0 == line.queues.count("dead")

    def test_a_letter_that_is_replayed_twice_sends_once(self, line: Line) -> None:
        """Both copies have the same id; neither they nor a third one make a call more."""
        recipients = numbers(3)
        line.gateway.fault(**BUSY)
        job = send(line, recipients, "twice")
        wait_dead(line)
        line.gateway.clear_faults()
        letter = copied(line)
        assert 2 == dead(line, "replay", *ALL)[1]["replayed"]
        revised(line, job, parts=2)
        bury(line, letter)
        wait_dead(line)
        assert 1 == dead(line, "replay", *ALL)[1]["replayed"]
        results = revised(line, job, parts=3)
        assert dict.fromkeys(recipients, 1) == line.gateway.times("twice")
        assert all(results[0].raw == result.raw for result in results)

    def test_the_job_published_again_meanwhile_changes_nothing(self, line: Line) -> None:
        """Original and replay have one entry in the ledger."""
        recipients = numbers(3)
        line.gateway.fault(**BUSY)
        job = new_job_id()
        send(line, recipients, "again", job_id=job)
        wait_dead(line)
        line.gateway.clear_faults()
        line.gateway.change(latency=0.5)
        dead(line, "replay", *ALL)
        for _ in range(3):
            send(line, recipients, "again", job_id=job)
        assert {"accepted"} == {result.body["status"] for result in revised(line, job)}
        line.collector.wait_for(lambda result: result.job_id == job, "every result", count=5)
        assert dict.fromkeys(recipients, 1) == line.gateway.times("again")

    def test_given_up_again_it_is_a_letter_of_its_own(self, line: Line) -> None:
        """Each replay counts, and has all its rounds."""
        recipients = numbers(2)
        line.gateway.fault(**BUSY)
        job = send(line, recipients, "thrice")
        for revision in (2, 3):
            wait_dead(line)
            assert 1 == dead(line, "replay", *ALL)[1]["replayed"]
            # Its letter is gone by now; the next one comes behind this result.
            revised(line, job, revision)
        wait_dead(line)
        line.gateway.clear_faults()
        dead(line, "replay", *ALL)
        (last,) = revised(line, job, 4)
        assert {"accepted": 2} == last.body["counts"]
        assert dict.fromkeys(recipients, 1) == line.gateway.times("thrice")

    def test_parts_of_a_large_job(self, line: Line) -> None:
        """Each part is a letter; together they hold everybody once."""
        recipients = numbers(250)
        line.gateway.fault(**BUSY)
        job = send(line, recipients, "large")
        wait_dead(line, 3)
        line.gateway.clear_faults()
        code, summary = dead(line, "replay", "--job-id", job, "--yes")
        assert (0, 3) == (code, summary["replayed"])
        results = revised(line, job, parts=3)
        sent = [name for result in results for name in result.ids]
        assert sorted(recipients) == sorted(sent)
        assert dict.fromkeys(recipients, 1) == line.gateway.times("large")

    @pytest.mark.parametrize("count", [3, 150])
    def test_a_job_whose_recipients_could_not_be_looked_up(self, line: Line, count: int) -> None:
        """It is planned anew, with the list as it is then."""
        recipients = numbers(count)
        line.gateway.fault(command="check_DNDnumber", status=503)
        job = line.producer.send(recipients, "looked up")
        wait_dead(line)
        line.gateway.clear_faults()
        assert 0 == dead(line, "replay", *ALL)[0]
        results = revised(line, job, parts=1 if count <= 100 else 2)
        assert sorted(recipients) == sorted(name for result in results for name in result.ids)
        assert dict.fromkeys(recipients, 1) == line.gateway.times("looked up")


def forget(line: Line) -> None:
    """Replay while no worker runs, and let the ledger forget before one does."""
    letters = line.queues.count("dead")
    line.worker.terminate()
    line.gateway.clear_faults()
    assert letters == dead(line, "replay", *ALL)[1]["replayed"]
    for file in line.workshop.folder.glob("ledger.db*"):
        file.unlink()
    line.workshop.ready(**SETTINGS)


class TestForgotten:
    """The copy waited in its queue until the ledger had forgotten the job."""

    def test_nobody_is_sent_to_again(self, line: Line) -> None:
        """Some were sent to before the job died. It is a dead letter once more, which only force replays."""
        everybody = numbers(100)
        line.gateway.fault(command="sendSMS", latency=2, times=1)
        job = send(line, everybody, LONG, params=NOTE)
        wait_until(lambda: line.gateway.calls("sendSMS") == 1, "the first call is under way")
        line.gateway.fault(**BUSY)
        wait_dead(line)
        sent = line.gateway.times(LONG)
        forget(line)
        wait_dead(line)
        assert 0 < len(sent) < 100
        assert sent == line.gateway.times(LONG)
        assert {None} == {one.body.get("revision") for one in line.collector.of(job)}
        assert {"forgotten": 1} == dead(line, "replay", *ALL)[1]["refused"]
        assert 1 == dead(line, "replay", "--force", *ALL)[1]["replayed"]
        wait_until(lambda: set(everybody) == set(line.gateway.times(LONG)), "everybody is sent to")

    def test_nor_those_of_a_part(self, line: Line) -> None:
        """Each part asks for an entry of its own."""
        line.gateway.fault(**BUSY)
        send(line, numbers(250), "parts")
        wait_dead(line, 3)
        forget(line)
        wait_dead(line, 3)
        assert {} == line.gateway.times("parts")
        assert {"forgotten": 3} == dead(line, "replay", *ALL)[1]["refused"]


class TestUncertain:
    """Jobs of which nobody knows whether they were sent."""

    def test_are_left_alone_unless_forced(self, line: Line) -> None:
        """By force they are sent to again, once for each letter."""
        (one,) = numbers(1)
        line.gateway.fault(command="sendSMS", kind="drop", when="after", times=1)
        line.gateway.fault(**BUSY)
        job = send(line, [one], "perhaps", on_uncertain="resend")
        wait_dead(line)
        assert {one: "uncertain"} == line.collector.one(job).outcomes
        line.gateway.clear_faults()
        code, summary = dead(line, "replay", *ALL)
        assert (1, 0, {"uncertain": 1}) == (code, summary["replayed"], summary["refused"])
        copied(line)
        code, summary = dead(line, "replay", "--force", *ALL)
        assert (0, 2) == (code, summary["replayed"])
        (second, _) = revised(line, job, parts=2)
        assert {one: "accepted"} == second.outcomes
        assert {one: 2} == line.gateway.times("perhaps")

    def test_stay_uncertain_where_the_force_comes_to_nothing(self, line: Line) -> None:
        """The gateway is still busy: what nobody knows is not called unsent."""
        (one,) = numbers(1)
        line.gateway.fault(command="sendSMS", kind="drop", when="after", times=1)
        line.gateway.fault(**BUSY)
        job = send(line, [one], "still", on_uncertain="resend")
        wait_dead(line)
        dead(line, "replay", "--force", *ALL)
        (second,) = revised(line, job)
        assert {one: "uncertain"} == second.outcomes
        wait_dead(line)
        assert {"uncertain": 1} == dead(line, "replay", *ALL)[1]["refused"]
        assert {one: 1} == line.gateway.times("still")
