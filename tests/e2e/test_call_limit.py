"""A gateway that takes only so many calls, or takes its time, and a worker that was not told."""

import time
from collections.abc import Callable

import pytest

from tests.support.campaign import Campaign
from tests.support.line import Line, metric
from tests.support.results_side import numbers
from tests.support.worker_process import wait_until

pytestmark = pytest.mark.slow

MOST = 10
JOBS = 400
DONE, ACCEPTED = "iton_worker_jobs_total", '{kind="send",result="accepted"}'
PREFETCH, IN_FLIGHT, SEND = "iton_worker_prefetch", "iton_worker_jobs_in_flight", '{lane="send"}'


class TestCallLimit:
    """Ten calls at once, a tenth of a second each."""

    @pytest.mark.row(
        "gateway/limited",
        "it takes ten calls at once and refuses the rest, or lets them wait",
        "the worker finds the number; nothing fails, is put off or dead-lettered for it",
    )
    @pytest.mark.parametrize("over_limit", ["refuse", "queue"])
    def test_every_job_is_sent_once_and_the_gateway_is_not_hammered(
        self, own_line: Callable[..., Line], over_limit: str
    ) -> None:
        """None fails, none is put off to a delay queue; few are turned away."""
        line = own_line(LOG_LEVEL="info")
        line.gateway.change(max_in_flight=MOST, over_limit=over_limit, latency=0.1)
        names = numbers(JOBS)
        for name in names:
            line.producer.send([name], f"hello {name}", category="service")
        wait_until(lambda: len(line.collector.all) >= JOBS, "all results")
        assert {"send.accepted"} == {result.key for result in line.collector.all}
        assert dict.fromkeys(((f"hello {name}", name) for name in names), 1) == line.gateway.times_of_all()
        turned_away = metric(line, "iton_worker_gateway_calls_total", '{class="transient",command="sendSMS"}')
        assert turned_away < JOBS / 10
        assert 0 == metric(line, "iton_worker_retries_total", '{kind="delay"}')
        assert 0 == metric(line, "iton_worker_breaker_open", '{command="sendSMS"}')
        if over_limit == "refuse":
            assert MOST - 2 <= metric(line, "iton_worker_gateway_calls_limit") <= MOST + 6


class TestVaryingTimes:
    """50 to 450 ms a call, any number at once: that calls differ does not mean that they queue."""

    def test_nothing_collapses(
        self, own_line: Callable[..., Line], figures: Callable[[str, object], None]
    ) -> None:
        """No fewer calls at once than the limit's floor, 16, which makes 64 jobs a second.

        On a slow machine calls take longer. Taken for a queue, the spread once left three calls at once, 11
        jobs a second: twice of what three make is enough.
        """
        line = own_line(LOG_LEVEL="info")
        line.gateway.change(latency=0.05, jitter=0.4)
        campaign = Campaign(line.producer, line.collector, line.gateway, line.workshop.amqp_url, "varying")
        campaign.publish(1_200)
        campaign.wait_done(120)
        assert {} == campaign.reckoning(line.queues).faults
        second_half = campaign.arrivals()[600:]
        rate = len(second_half) / (second_half[-1] - second_half[0])
        figures("jobs a second at a gateway that takes 50 to 450 ms", round(rate))
        assert rate > 2 * 3 / 0.25


class TestPrefetch:
    """How many jobs are in hand."""

    def test_a_slow_gateway_is_kept_busy(self, own_line: Callable[..., Line]) -> None:
        """One second a call: with fifty jobs in hand it would take half a minute."""
        line = own_line(LOG_LEVEL="info")
        line.gateway.change(latency=1.0)
        names = numbers(1_500)
        for name in names:
            line.producer.send([name], f"hello {name}", category="service")
        wait_until(lambda: metric(line, IN_FLIGHT, SEND) >= 200, "many jobs in hand")
        wait_until(lambda: len(line.collector.all) >= len(names), "all results")
        assert {"send.accepted"} == {result.key for result in line.collector.all}
        assert dict.fromkeys(((f"hello {name}", name) for name in names), 1) == line.gateway.times_of_all()

    def test_under_a_rate_limit_the_rest_can_be_left_to_others(self, own_line: Callable[..., Line]) -> None:
        """Five calls a second: as many as a fast gateway wants would be minutes of work."""
        line = own_line(LOG_LEVEL="info", WORKER_PREFETCH=10, ITON_RATE_LIMIT=5)
        for name in numbers(300):
            line.producer.send([name], f"hello {name}", category="service")
        wait_until(lambda: metric(line, DONE, ACCEPTED) >= 5, "some are done")
        done = metric(line, DONE, ACCEPTED)
        began = time.monotonic()
        wait_until(lambda: metric(line, DONE, ACCEPTED) >= done + 30, "some more are done")
        more = metric(line, DONE, ACCEPTED) - done
        # Who had too few in hand would leave the most of it unused; a machine that stands still, a part.
        assert more / (time.monotonic() - began) > 5 / 2
        assert metric(line, IN_FLIGHT, SEND) <= 10 == metric(line, PREFETCH, SEND)
        assert 0 == metric(line, "iton_worker_redeliveries_total")
