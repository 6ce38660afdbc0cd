"""Jobs that wait for their time, and for the hours, through kills and restarts of the real process."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.line import Line
from tests.support.results_side import numbers
from tests.support.scheduled import Lateness, scheduled_under_kills
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import Workshop, wait_until

ONE, TWO, THREE, FOUR = numbers(4)
WEEK = {"WORKER_SEND_AFTER_LIMIT": 604_800}
HELD_WITHIN = 20.0  # seconds; ten are promised, to a machine that is not busy with others


def ahead(seconds: float) -> str:
    """So many seconds from now, as a job has it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def closed_now() -> dict[str, str]:
    """Hours that begin in two hours."""
    now = datetime.now(UTC)
    begin, end = now + timedelta(hours=2), now + timedelta(hours=4)
    return {"WORKER_PROMOTIONAL_HOURS": f"{begin:%H:%M}-{end:%H:%M}", "WORKER_HOURS_TIMEZONE": "UTC"}


class TestScheduled:
    """``send_after``."""

    @pytest.mark.row(
        "hours/scheduled",
        "workers die again and again while 200 jobs are scheduled",
        "none goes out before its time, none twice, and with a worker there none later than 2 s after it",
    )
    def test_many_go_out_in_time_whatever_is_killed(
        self, workshop: Workshop, gateway: SimulatorProcess, figures: Callable[[str, object], None]
    ) -> None:
        """None before its time, none twice, all of them; the worker is killed three times meanwhile."""
        late: Lateness = scheduled_under_kills(workshop, gateway, jobs=200, kills=3, over=6.0)
        figures("scheduled jobs, killed three times", late.words())
        assert 0 <= late.earliest
        assert late.within_reach <= 2.0 + late.usual

    def test_one_waits_with_its_properties(self, own_line: Callable[..., Line]) -> None:
        """Body and properties are those of its producer, and its time is no retry."""
        line = own_line(**WEEK)
        job = {"job_id": "later", "recipients": [ONE], "text": "later", "dnd": "skip", "send_after": ahead(2)}
        line.producer.publish(job, correlation_id="c-1", headers={"kept": "as it is"})
        result = line.collector.one("later")
        assert {ONE: "accepted"} == result.outcomes
        assert "c-1" == result.properties.correlation_id
        assert {ONE: 1} == line.gateway.times("later")

    def test_what_cannot_be_scheduled_is_rejected_by_name(self, own_line: Callable[..., Line]) -> None:
        """Beyond the limit, and with an end that is not after it."""
        line = own_line(WORKER_SEND_AFTER_LIMIT=60)
        bad: list[dict[str, Any]] = [
            {"send_after": ahead(62)},
            {"send_after": ahead(30), "expires_at": ahead(20)},
            {"send_after": "tomorrow"},
            {"send_after": 1_800_000_000},
        ]
        for fields in bad:
            result = line.collector.one(line.producer.send([ONE], "never", **fields))
            assert "rejected" == result.body["status"]
            assert [["send_after"]] == [error["loc"] for error in result.body["errors"]]
        past = line.producer.send([ONE], "at once", send_after=ahead(-3600))
        assert {ONE: "accepted"} == line.collector.one(past).outcomes


class TestHours:
    """Outside of them, and when they are changed by a restart."""

    @pytest.mark.row(
        "hours/held",
        "the worker dies, and starts with other hours, while jobs are held",
        "they go out within 10 s, once each",
    )
    def test_jobs_are_held_until_they_begin(self, own_line: Callable[..., Line]) -> None:
        """In order, whatever is killed; others go meanwhile, and who cannot wait is told at once."""
        line = own_line(**closed_now())
        held = [line.producer.send([one], "in the morning", dnd="skip") for one in (ONE, TWO, THREE)]
        urgent = line.producer.send([FOUR], "in the morning", urgent=True, category="service_explicit")
        large = line.producer.send(numbers(150, 10), "to many", dnd="skip")
        lost = line.producer.send([ONE], "too late", dnd="skip", expires_at=ahead(3600))
        service = line.producer.send([ONE], "at once", category="service")
        assert {ONE: "accepted"} == line.collector.one(service).outcomes
        (told,) = line.collector.one(lost).body["recipients"]
        assert ("expired", "outside_hours") == (told["outcome"], told["error"]["code"])
        wait_until(lambda: 4 == line.queues.count("send.held"), "the jobs are held")
        wait_until(lambda: 1 == line.queues.count("send.urgent.held"), "so is the urgent one")
        assert (200, 0) == (line.worker.get("/readyz")[0], len(line.gateway.sends("in the morning")))
        line.worker.kill()
        line.workshop.ready()
        for job in (*held, urgent):
            assert ["accepted"] == list(line.collector.one(job, within=HELD_WITHIN).outcomes.values())
        assert 150 == sum(len(part.outcomes) for part in line.collector.whole(large))
        sends = [one for send in line.gateway.sends("in the morning") for one in send["to"]]
        assert sorted([ONE, TWO, THREE, FOUR]) == sorted(sends)
        assert set(numbers(150, 10)) == line.gateway.times("to many").keys()
        wait_until(lambda: 0 == line.queues.count("send.held"), "the queue is empty")
