"""The spans of jobs, and what is continued by whom."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from tests.support.fake_worker import FakeWorker, World, delivery, part_delivery, send_job
from tests.support.traced import Spans, told
from worker.domain.errors import BrokerUnavailableError, OutcomeUncertainError, TransientError
from worker.domain.messages import DeadLetter, Delay, Delivery, Disposition, Lane

TRACE, PRODUCER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PRODUCER}-01"
ONE, OTHER = "919876543210", "919123454321"

Handling = Callable[[Delivery], Disposition]


@pytest.fixture
def spans() -> Spans:
    """Provide where the spans go."""
    return Spans()


@pytest.fixture
def world() -> World:
    """Provide gateway, ledger and broker."""
    return World()


async def handled(spans: Spans, world: World, job: Delivery, **options: int) -> Disposition:
    """Return what becomes of *job*; time passes as it must."""
    worker = FakeWorker(world, tracing=spans.tracing, **options)  # type: ignore[arg-type]  # numbers only
    found: list[Disposition] = []

    async def handle() -> None:
        found.append(await spans.tracing.jobs(worker.dispatch())(job))

    await world.clock.run(handle())
    return found[0]


def ids(traceparent: str | None) -> list[str]:
    """Version, trace, span, flags."""
    return (traceparent or "").split("-")


class TestSendJob:
    """A job is a span that continues its producer's; each step is a child."""

    async def test_the_steps_are_children_of_the_job_and_the_job_is_the_producers(
        self, spans: Spans, world: World
    ) -> None:
        """DND, send, publish."""
        job = delivery(Lane.SEND, send_job(ONE, OTHER, dnd="filter"), traceparent=TRACEPARENT)
        await handled(spans, world, job)
        assert [
            ("check_DNDnumber", "process iton.send"),
            ("sendSMS", "process iton.send"),
            ("publish iton.results.send", "process iton.send"),
            ("process iton.send", "remote"),
        ] == spans.tree()
        (span,) = spans.named("process iton.send")
        assert span.parent is not None
        assert (int(TRACE, 16), int(PRODUCER, 16)) == (span.parent.trace_id, span.parent.span_id)
        assert {int(TRACE, 16)} == {one.context.trace_id for one in spans.all if one.context}

    async def test_the_jobs_span_says_what_became_of_it(self, spans: Spans, world: World) -> None:
        """By OpenTelemetry's names for messaging, and ours."""
        world.gateway.dnd.add(OTHER)
        await handled(spans, world, delivery(Lane.SEND, send_job(ONE, OTHER, dnd="filter")))
        (span,) = spans.named("process iton.send")
        assert SpanKind.CONSUMER is span.kind
        assert {
            "messaging.system": "rabbitmq",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": "iton.send",
            "iton.lane": "send",
            "iton.attempt": 1,
            "iton.job.kind": "send",
            "iton.job.result": "partial",
            "iton.job.id": "job-1",
            "iton.count.accepted": 1,
            "iton.count.dnd": 1,
            "iton.disposition": "done",
        } == told(span)

    async def test_a_result_continues_from_the_span_that_published_it(
        self, spans: Spans, world: World
    ) -> None:
        """Its consumer's spans are below the publishing one, in the producer's trace."""
        await handled(spans, world, delivery(Lane.SEND, send_job(ONE), traceparent=TRACEPARENT))
        (span,) = spans.named("publish iton.results.send")
        assert span.context is not None
        assert ["00", TRACE, f"{span.context.span_id:016x}", "01"] == ids(world.last.traceparent)

    async def test_without_a_producers_trace_one_begins(self, spans: Spans, world: World) -> None:
        """The result carries it."""
        await handled(spans, world, delivery(Lane.SEND, send_job(ONE)))
        (span,) = spans.named("process iton.send")
        assert span.context is not None
        assert span.parent is None
        assert f"{span.context.trace_id:032x}" == ids(world.last.traceparent)[1]

    async def test_a_trace_that_is_not_sampled_is_passed_on_and_costs_no_span(
        self, spans: Spans, world: World
    ) -> None:
        """The producer's decision is kept."""
        quiet = f"00-{TRACE}-{PRODUCER}-00"
        await handled(spans, world, delivery(Lane.SEND, send_job(ONE), traceparent=quiet))
        assert () == spans.all
        assert (TRACE, "00") == (ids(world.last.traceparent)[1], ids(world.last.traceparent)[3])

    async def test_a_rejected_job_is_a_failed_span(self, spans: Spans, world: World) -> None:
        """Its error is a code."""
        await handled(spans, world, delivery(Lane.SEND, b"not a job", traceparent=TRACEPARENT))
        (span,) = spans.named("process iton.send")
        assert StatusCode.ERROR is span.status.status_code
        assert ("rejected", "dead_letter") == (told(span)["iton.job.result"], told(span)["iton.disposition"])


class TestLargeJob:
    """One trace over all parts, whoever sends them."""

    async def test_parts_continue_the_span_that_handed_them_out(self, spans: Spans, world: World) -> None:
        """Another worker's spans stand below it, and so do the results."""
        job = send_job(*(f"9198765{number:05d}" for number in range(150)))
        await handled(spans, world, delivery(Lane.SEND, job, traceparent=TRACEPARENT))
        assert 2 == len(world.publisher.parts)
        for part in world.publisher.parts:
            await handled(spans, world, part_delivery(part))
        assert [("process iton.send.parts", "publish iton.send.parts")] * 2 == [
            one for one in spans.tree() if one[0] == "process iton.send.parts"
        ]
        assert {int(TRACE, 16)} == {one.context.trace_id for one in spans.all if one.context}
        assert [TRACE] * 2 == [ids(result.traceparent)[1] for result in world.publisher.results]

    async def test_parts_that_are_sent_here_are_steps_of_the_job(self, spans: Spans, world: World) -> None:
        """As those of a small one are; each result has its span."""
        job = send_job(*(f"9198765{number:05d}" for number in range(150)))
        await handled(spans, world, delivery(Lane.SEND, job, traceparent=TRACEPARENT), share_above=1000)
        own = "process iton.send"
        steps = [("sendSMS", own)] * 2 + [("publish iton.results.send", own)] * 2 + [(own, "remote")]
        assert sorted(steps) == sorted(spans.tree())
        assert {1} == {told(span)["iton.attempt"] for span in spans.named("sendSMS")}
        assert "accepted" == told(spans.named(own)[0])["iton.job.result"]


class TestRetry:
    """Repeats are seen, and rounds hang together."""

    async def test_each_call_is_a_span_of_its_own(self, spans: Spans, world: World) -> None:
        """The failed one names its error by a code."""
        world.gateway.script = [TransientError("gateway_busy", "busy"), None]
        await handled(spans, world, delivery(Lane.SEND, send_job(ONE)))
        first, second = spans.named("sendSMS")
        assert {"iton.command": "sendSMS", "iton.attempt": 1, "error.type": "gateway_busy"} == told(first)
        assert StatusCode.ERROR is first.status.status_code
        assert {"iton.command": "sendSMS", "iton.attempt": 2} == told(second)

    async def test_the_next_round_continues_this_one(self, spans: Spans, world: World) -> None:
        """Also where the producer named no trace."""
        world.gateway.script = [TransientError("gateway_busy", "busy")]
        job = delivery(Lane.SEND, send_job(ONE))
        delay = await handled(spans, world, job, attempts=1)
        assert isinstance(delay, Delay)
        await handled(spans, world, replace(job, traceparent=delay.traceparent, attempts=1))
        first, second = spans.named("process iton.send")
        assert first.context is not None
        assert second.parent is not None
        assert first.context.span_id == second.parent.span_id
        assert (1, "delay", 2, "done") == (
            *(told(first)[name] for name in ("iton.attempt", "iton.disposition")),
            *(told(second)[name] for name in ("iton.attempt", "iton.disposition")),
        )

    async def test_a_dead_letter_carries_the_span_that_gave_it_up(self, spans: Spans, world: World) -> None:
        """A replay goes on from there."""
        world.gateway.script = [TransientError("gateway_busy", "busy")]
        job = delivery(Lane.SEND, send_job(ONE), attempts=2, traceparent=TRACEPARENT)
        letter = await handled(spans, world, job, attempts=1)
        assert isinstance(letter, DeadLetter)
        (span,) = spans.named("process iton.send")
        assert span.context is not None
        assert ["00", TRACE, f"{span.context.span_id:016x}", "01"] == ids(letter.traceparent)

    async def test_a_lost_reply_is_an_outcome_of_the_job(self, spans: Spans, world: World) -> None:
        """Nothing failed that could be tried again."""
        world.gateway.script = [OutcomeUncertainError("reply_lost", "no reply")]
        await handled(spans, world, delivery(Lane.SEND, send_job(ONE)))
        (span,) = spans.named("process iton.send")
        assert ("uncertain", 1) == (told(span)["iton.job.result"], told(span)["iton.count.uncertain"])

    async def test_a_publish_that_failed_names_its_error(self, spans: Spans, world: World) -> None:
        """The job goes back to its queue."""
        world.publisher.failures = 1
        await handled(spans, world, delivery(Lane.SEND, send_job(ONE)))
        (publish,) = spans.named("publish iton.results.send")
        assert "not_confirmed" == told(publish)["error.type"]
        assert "requeue" == told(spans.named("process iton.send")[0])["iton.disposition"]
        assert BrokerUnavailableError.__name__ not in str(publish.events)


class TestLookups:
    """Status and account jobs."""

    @pytest.mark.parametrize(
        ("lane", "job", "steps"),
        [
            (
                Lane.STATUS,
                {"job_id": "poll", "message_ids": ["a" * 24]},
                ["message_status", "publish iton.results.delivery"],
            ),
            (Lane.ACCOUNT, {"job_id": "poll"}, ["account", "publish iton.results.account"]),
        ],
    )
    async def test_have_a_span_for_the_question_and_one_for_the_result(
        self, spans: Spans, world: World, lane: Lane, job: dict[str, object], steps: list[str]
    ) -> None:
        """Below the job's."""
        await handled(spans, world, delivery(lane, job))
        assert [(step, f"process iton.{lane}") for step in steps] == spans.tree()[:-1]

    async def test_the_workers_own_look_at_the_balance_has_none(self, spans: Spans, world: World) -> None:
        """It is no job's."""
        await FakeWorker(world, tracing=spans.tracing).lookups.account()
        assert () == spans.all
