"""Whose trouble a refusal is: one job's own, or everybody's."""

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from tests.support.campaign import Campaign
from tests.support.deadline import DEADLINE
from tests.support.line import Line, metric, wait_settled
from tests.support.results_side import numbers
from tests.support.worker_process import PASSWORD, wait_until

pytestmark = pytest.mark.slow

TEXT, SENDER, NUMBER = "only I am refused", "NOBODY", "919999999999"
BURST = 50  # jobs, one of them urgent
# Seconds. Everybody else once waited for one trial each 5 s; this is for the whole burst. On a machine that
# is too busy for that it is so many times what a burst takes by itself.
BURST_WITHIN = 4.0
BURST_LONGER = 3.0
BURST_EVERY = 1.0  # seconds; bursts without a pause show no more, and take the processor from everybody
AGAIN_WITHIN = 10.0
"""Seconds after which work goes on once everything works again (contract, promise 7)."""
# Two rounds of seconds. More calls in a row than make one doubt the gateway, as by default.
SETTINGS = {"WORKER_RETRY_DELAYS": "1,2", "WORKER_RETRY_ATTEMPTS": 6}
Fields = Mapping[str, Any]


def campaign_on(line: Line, text: str) -> Campaign:
    """Begin a campaign."""
    return Campaign(line.producer, line.collector, line.gateway, line.workshop.amqp_url, text)


def readiness(line: Line) -> tuple[int, list[str]]:
    """What /readyz says, and why."""
    status, body = line.worker.get("/readyz")
    return status, list(json.loads(body)["reasons"])


def is_past(moment: float) -> bool:
    """Whether the monotonic clock has reached *moment*."""
    return time.monotonic() >= moment


def wait_all(line: Line, jobs: list[str], within: float) -> None:
    """Wait until each of *jobs* has a result."""
    wait_until(lambda: set(jobs) <= {one.job_id for one in line.collector.all}, f"{len(jobs)} jobs", within)


class TestOneJobIsRefused:
    """Others are served meanwhile: it is that job's own trouble."""

    @pytest.mark.parametrize(
        ("fault", "job", "words"),
        [
            (
                {"text": TEXT, "status": 403, "body": "Blocked by policy 7"},
                {"text": TEXT, "recipients": [NUMBER]},
                "Blocked by policy 7",
            ),
            (
                {"number": NUMBER, "status": 403, "body": "Blocked by policy 8"},
                {"text": "hello", "recipients": [NUMBER]},
                "Blocked by policy 8",
            ),
            (
                {"sender": SENDER, "status": 429, "body": "Header not authorised"},
                {"text": "hello", "recipients": [NUMBER], "sender": SENDER},
                "Header not authorised",
            ),
            (
                {"at_least": 60, "kind": "no_credits"},
                {"text": "hello", "recipients": numbers(60, start=5_000)},
                "Insufficient credits",
            ),
        ],
        ids=["text-403", "number-403", "sender-429", "large-call-without-credits"],
    )
    def test_it_fails_by_its_rounds_and_everybody_else_goes_at_full_speed(
        self,
        own_line: Callable[..., Line],
        figures: Callable[[str, object], None],
        fault: Fields,
        job: Fields,
        words: str,
    ) -> None:
        """It ends as failed and dead with the gateway's words; /readyz is 200 and no circuit opens."""
        line = own_line(**SETTINGS)
        names = iter(numbers(100_000))

        def burst(within: float) -> float:
            jobs = [
                line.producer.send([next(names)], "others", category="service", urgent=not index)
                for index in range(BURST)
            ]
            published = time.monotonic()
            wait_all(line, jobs, within)
            return published

        alone = time.monotonic() - burst(DEADLINE)
        served = BURST
        # The one that follows has never seen a call succeed.
        line.worker.terminate()
        line.workshop.workers.clear()
        line.workshop.ready(**SETTINGS)
        line.gateway.fault(command="sendSMS", **fault)
        bad = line.producer.send(**job, category="service")
        while not line.collector.of(bad):
            published = burst(max(BURST_WITHIN, BURST_LONGER * alone))
            served += BURST
            wait_until(partial(is_past, published + BURST_EVERY), "the next burst's time")
            assert (200, []) == readiness(line)
        figures(f"served while one job was refused ({words})", served)
        self._check_the_bad_one(line, bad, words)
        assert set(numbers(served)) == set(line.gateway.times("others"))
        assert [] == line.worker.log_lines("intake.paused") + line.worker.log_lines("circuit.changed")

    @staticmethod
    def _check_the_bad_one(line: Line, bad: str, words: str) -> None:
        (result,) = line.collector.whole(bad)
        assert ("send.failed", {"failed"}) == (result.key, set(result.outcomes.values()))
        assert {True} == {words in entry["error"]["detail"] for entry in result.body["recipients"]}
        (dead,) = line.queues.wait_letters("dead")
        assert bad == json.loads(dead[2])["job_id"]
        assert words in dead[1].headers["x-iton-detail"]
        assert 2 == dead[1].headers["x-iton-attempts"]
        others = [one for one in line.collector.all if one.job_id != bad]
        assert {"send.accepted"} == {one.key for one in others}


class TestAccount:
    """Nobody is served: it is the account's trouble, and costs no job a round."""

    @pytest.mark.parametrize(
        ("spoilt", "mended", "cause"),
        [
            ({"password": "another"}, {"password": PASSWORD}, "credentials"),
            ({"balance": 0}, {"balance": 1000}, "credits"),
        ],
        ids=["password", "credits"],
    )
    def test_two_hundred_jobs_under_way_and_arriving_wait_for_its_end(
        self, own_line: Callable[..., Line], spoilt: Fields, mended: Fields, cause: str
    ) -> None:
        """Longer than all rounds together take: none fails, none is dead, all are accepted within 10 s."""
        line = own_line(**SETTINGS)
        line.gateway.change(latency=0.2)  # so that calls are under way
        campaign = campaign_on(line, "paused")
        campaign.publish(100)
        campaign.wait_sent(1)
        line.gateway.change(**spoilt)
        campaign.publish(100)
        wait_until(lambda: readiness(line) == (503, [cause]), f"/readyz says {cause}")
        asked = line.gateway.calls("account")
        # The questions are 5 s apart in the end.
        wait_until(lambda: line.gateway.calls("account") >= asked + 4, "it was asked again and again")
        assert (503, [cause]) == readiness(line)
        assert 0 == metric(line, "iton_worker_retries_total", '{kind="delay"}')
        line.gateway.change(**mended)
        campaign.wait_done(AGAIN_WITHIN)
        assert {} == campaign.reckoning(line.queues).faults
        line.worker.wait_ready()


class TestLookupsAreDown:
    """The DND endpoint alone does not work: jobs that need it wait, those behind them do not."""

    @pytest.mark.parametrize(
        "fault", [{"status": 503}, {"kind": "hang", "latency": 600}], ids=["503", "hangs"]
    )
    def test_jobs_that_need_none_pass_those_that_do(
        self, own_line: Callable[..., Line], fault: Fields
    ) -> None:
        """More wait than may be in hand; all are accepted within 10 s of its end, and no round is used."""
        line = own_line(**SETTINGS, WORKER_PREFETCH=20, ITON_TIMEOUT=3)
        line.gateway.fault(command="check_DNDnumber", **fault)
        waiting = [line.producer.send([name], "offers", category="promotional") for name in numbers(60)]
        campaign = campaign_on(line, "codes")
        campaign.publish(100)
        campaign.wait_done()
        assert {"codes"} == {one["message"] for one in line.gateway.sends()}
        asked = line.gateway.calls("check_DNDnumber")
        # A trial each 5 s: by the second one the rounds would be over.
        wait_until(lambda: line.gateway.calls("check_DNDnumber") >= asked + 2, "two more trials")
        assert (200, []) == readiness(line)
        line.gateway.clear_faults()
        wait_all(line, waiting, AGAIN_WITHIN)
        assert {"send.accepted"} == {one.key for one in line.collector.all}
        assert dict.fromkeys(numbers(60), 1) == line.gateway.times("offers")
        wait_settled(line)
        assert 0 == line.queues.count("dead")
