"""Jobs that share calls, in the real process (``WORKER_COALESCE_SENDS``)."""

from collections.abc import Callable

import pytest

from tests.support.line import Line, wait_settled
from tests.support.worker_process import wait_until

TEXT = "The sale ends on Sunday"
NAMES = [f"9198765432{number:02d}" for number in range(10, 30)]
_SETTINGS = {"WORKER_COALESCE_SENDS": "true", "ITON_TIMEOUT": 3, "WORKER_RETRY_DELAYS": "1"}


@pytest.fixture
def line(own_line: Callable[..., Line]) -> Line:
    """Provide a worker whose jobs share calls."""
    return own_line(**_SETTINGS)


def published(line: Line) -> list[str]:
    """The ids of twenty jobs to one number each, with the same text."""
    return [line.producer.send([name], TEXT, category="service") for name in NAMES]


def outcomes(line: Line, jobs: list[str]) -> dict[str, str]:
    """What became of each number; every job has exactly one."""
    found: dict[str, str] = {}
    for job in jobs:
        found |= line.collector.one(job).outcomes
    return found


class TestJointSends:
    """Few calls, each job its own result."""

    @pytest.mark.row("joint/many", "nothing", "few calls, one text a number, each job its own id")
    def test_many_jobs_are_few_calls(self, line: Line) -> None:
        """Two go at once; the others share calls. Each text arrives once, each job has its own id."""
        line.gateway.fault(command="sendSMS", latency=1.0)
        jobs = published(line)
        assert dict.fromkeys(NAMES, "accepted") == outcomes(line, jobs)
        assert dict.fromkeys(NAMES, 1) == line.gateway.times(TEXT)
        assert line.gateway.calls("sendSMS") < len(NAMES) / 2
        wait_settled(line)
        _, text = line.worker.get("/metrics")
        assert f'iton_worker_gateway_call_jobs_sum{{command="sendSMS"}} {len(NAMES)}.0' in text

    @pytest.mark.row(
        "joint/killed-in-call",
        "SIGKILL with joint calls under way",
        "the jobs of those calls are `uncertain`, the others accepted; one text a number",
    )
    def test_killed_in_the_middle_of_joint_calls(self, line: Line) -> None:
        """Each job of the call is uncertain, none is sent twice; those that had not gone are sent."""
        line.gateway.fault(command="sendSMS", kind="hang", when="after", times=2)
        jobs = published(line)
        wait_until(lambda: line.gateway.calls("sendSMS") >= 2, "two calls are under way")
        line.worker.kill()
        under_way = set(line.gateway.times(TEXT))
        line.workshop.ready(**_SETTINGS)
        expected = {name: "uncertain" if name in under_way else "accepted" for name in NAMES}
        assert expected == outcomes(line, jobs)
        assert dict.fromkeys(NAMES, 1) == line.gateway.times(TEXT)

    @pytest.mark.row(
        "joint/lost", "the reply to a joint call is lost", "its jobs are `uncertain`, the others accepted"
    )
    def test_a_lost_reply_makes_just_its_jobs_uncertain(self, line: Line) -> None:
        """A connection that is closed under the first call of several."""
        line.gateway.fault(command="sendSMS", kind="drop", when="after", times=1)
        jobs = published(line)
        found = outcomes(line, jobs)
        assert {"uncertain", "accepted"} >= set(found.values())
        assert "uncertain" in found.values()
        assert dict.fromkeys(NAMES, 1) == line.gateway.times(TEXT)

    @pytest.mark.row("joint/not-sent", "429 or 503", "sent again, one text a number")
    @pytest.mark.parametrize("status", [429, 503])
    def test_what_was_not_sent_goes_again(self, line: Line, status: int) -> None:
        """Nobody twice."""
        line.gateway.fault(command="sendSMS", status=status, times=3)
        jobs = published(line)
        assert dict.fromkeys(NAMES, "accepted") == outcomes(line, jobs)
        assert dict.fromkeys(NAMES, 1) == line.gateway.times(TEXT)

    @pytest.mark.row(
        "joint/stopped",
        "SIGTERM with a call under way",
        "it is finished; the rest goes back and is sent by the next worker",
    )
    def test_a_stop_loses_nothing(self, line: Line) -> None:
        """Calls under way are finished and recorded; the rest goes back and is sent by the next worker."""
        line.gateway.fault(command="sendSMS", latency=1.0)
        jobs = published(line)
        wait_until(lambda: line.gateway.calls("sendSMS") >= 1, "a call is under way")
        line.worker.terminate()
        line.workshop.ready(**_SETTINGS)
        assert dict.fromkeys(NAMES, "accepted") == outcomes(line, jobs)
        assert dict.fromkeys(NAMES, 1) == line.gateway.times(TEXT)
