"""Messages that are followed to their end, by real workers that are killed meanwhile."""

import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.line import Line
from tests.support.results_side import Result, numbers
from tests.support.worker_process import wait_until

SETTINGS = {"WORKER_TRACK_DELAYS": "1,1,2", "WORKER_TRACK_LIMIT": 60}


def tracked(line: Line) -> dict[str, Result]:
    """Each tracked result once; two of one id have the same content."""
    found: dict[str, Result] = {}
    for result in line.collector.all:
        if "track" in result.body:
            first = found.setdefault(str(result.properties.message_id), result)
            assert first.raw == result.raw
    return found


def ends(line: Line) -> Counter[str]:
    """How many tracked results each message is in."""
    return Counter(
        message["message_id"] for result in tracked(line).values() for message in result.body["messages"]
    )


def accepted(line: Line, *job_ids: str) -> set[str]:
    """The ids that the send results of these jobs name."""
    return {
        one["message_id"]
        for result in line.collector.all
        if result.exchange == "results.send" and result.job_id in job_ids
        for one in result.body["recipients"]
        if "message_id" in one
    }


class TestFollowed:
    """``track: true``."""

    @pytest.mark.row("track/killed")
    def test_each_message_is_in_one_result_though_workers_are_killed(
        self, own_line: Callable[..., Line]
    ) -> None:
        """Statuses ripen by chance over four seconds; two workers die, one is stopped and started again."""
        line = own_line(**SETTINGS)
        line.gateway.change(ripen_after=1, ripen_spread=4)
        jobs = [line.producer.send(numbers(30), "followed", track=True, metadata={"a": 1}) for _ in range(4)]
        jobs.append(line.producer.send(numbers(250), "large", track=True))
        for job in jobs:
            line.collector.whole(job)
        messages = accepted(line, *jobs)
        assert 4 * 30 + 250 == len(messages)
        for _ in range(2):
            seen = len(ends(line))
            wait_until(lambda seen=seen: len(ends(line)) > seen, "a few more ends")  # type: ignore[misc]
            line.worker.kill()
            line.workshop.workers.insert(0, line.workshop.ready(**SETTINGS))
            line.workshop.workers.pop()
        wait_until(lambda: messages <= ends(line).keys(), "the end of each message")
        assert dict.fromkeys(messages, 1) == dict(ends(line))
        results = list(tracked(line).values())
        assert {"delivery.final"} == {result.key for result in results}
        assert {"final"} == {result.body["status"] for result in results}
        assert {"delivery.result.v1"} == {result.properties.type for result in results}
        by_job = {job: sorted(one.body["track"] for one in results if one.job_id == job) for job in jobs}
        assert [list(range(1, len(by_job[job]) + 1)) for job in jobs[:4]] == [by_job[job] for job in jobs[:4]]
        for result in results:
            assert f"{result.job_id}/track/{result.body['track']}" == result.properties.message_id

    def test_ids_of_many_jobs_are_asked_for_together(self, own_line: Callable[..., Line]) -> None:
        """Four looks at two hundred jobs with one recipient each: two calls a look, some for the edges."""
        line = own_line(WORKER_TRACK_DELAYS="2,2", WORKER_TRACK_LIMIT=60)
        line.gateway.change(ripen_after=6)
        jobs = [line.producer.send([number], "alone", track=True) for number in numbers(200)]
        for job in jobs:
            line.collector.one(job)
        messages = accepted(line, *jobs)
        wait_until(lambda: messages <= ends(line).keys(), "the end of each message")
        assert dict.fromkeys(messages, 1) == dict(ends(line))
        # One by one they would be eight hundred; a busy machine spreads a look over some more.
        assert 6 <= line.gateway.calls("message_status") <= 40

    @pytest.mark.row("track/no-answer")
    def test_a_gateway_that_is_away_costs_nothing(self, own_line: Callable[..., Line]) -> None:
        """The limit passes meanwhile; what it says afterwards is what counts."""
        line = own_line(WORKER_TRACK_DELAYS="1", WORKER_TRACK_LIMIT=3)
        line.gateway.change(ripen_after=0)
        line.gateway.fault(command="message_status", status=503)
        job = line.producer.send(numbers(3), "away", track=True)
        line.collector.whole(job)
        time.sleep(4)  # longer than the limit
        assert not tracked(line)
        line.gateway.clear_faults()
        wait_until(lambda: len(ends(line)) == 3, "the end of each message")
        (result,) = tracked(line).values()
        assert {"delivered"} == {one["status"] for m in result.body["messages"] for one in m["recipients"]}
