"""What no span may hold, whatever a producer sends and however it ends."""

import asyncio
import re
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan

from tests.support.fake_worker import FakeWorker, World, delivery
from tests.support.traced import Spans
from worker.domain.errors import (
    AccountError,
    AccountTrouble,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)
from worker.domain.messages import Delivery, Lane

SECRET = "s3sam-öffne&dich"
# The widest number that is shown of anything is a count; a phone number has ten digits and more.
DIGITS = re.compile(r"\d{7}")

numbers = st.from_regex(r"91[6-9][0-9]{9}", fullmatch=True)
texts = st.from_regex(r"Geheim [A-Za-z0-9]{8,30}", fullmatch=True)
senders = st.from_regex(r"SND[A-Z]{4,10}", fullmatch=True)
job_ids = st.from_regex(r"job-[a-z]{1,20}", fullmatch=True)


def _errors(words: str) -> st.SearchStrategy[WorkerError | None]:
    """What a send may end with: nothing, or an error whose detail quotes all that is secret."""
    kinds = (PermanentError, TransientError, OutcomeUncertainError)
    known: list[WorkerError | None] = [kind("gateway_error", words) for kind in kinds]
    return st.sampled_from(
        [*known, AccountError("account_refused", words, trouble=AccountTrouble.CREDENTIALS), None]
    )


def _shown(spans: Spans) -> str:
    """All that a collector would get of the spans but their ids and times."""
    return "\n".join(
        f"{span.name} {span.status.description} {dict(span.attributes or {})} {_resource(span)} "
        f"{[(event.name, dict(event.attributes or {})) for event in span.events]} {span.links}"
        for span in spans.all
    )


def _resource(span: ReadableSpan) -> dict[str, object]:
    """What names the process; its random id has digits of its own."""
    return {name: value for name, value in span.resource.attributes.items() if name != "service.instance.id"}


class TestSecrecy:
    """Numbers, texts, senders and credentials stay inside."""

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_no_span_names_a_number_a_text_a_sender_or_a_credential(self, data: st.DataObject) -> None:
        """Neither in a name, an attribute, an event nor a status; also where an error quotes them."""
        to = data.draw(st.lists(numbers, min_size=1, max_size=4, unique=True))
        text, sender = data.draw(texts), data.draw(senders)
        quoting = f"{SECRET} {text} {sender} {' '.join(to)}"
        job = {
            "job_id": data.draw(job_ids),
            "recipients": to,
            "text": text,
            "sender": sender,
            "metadata": {"note": quoting},
            "dnd": data.draw(st.sampled_from(["filter", "skip"])),
            **data.draw(st.sampled_from([{}, {text: sender}, {"recipients": to[0]}])),
        }
        given_job = delivery(
            Lane.SEND,
            job,
            message_id=to[0],
            correlation_id=text,
            reply_to=sender,
            routing_key=to[0],
        )
        shown = _shown(_handled(given_job, data.draw(_errors(quoting)), data.draw(_errors(quoting))))
        assert shown
        assert [] == [one for one in (SECRET, text, sender, *to) if one in shown]
        assert [] == DIGITS.findall(shown)

    def test_a_crash_is_named_by_its_kind(self) -> None:
        """The library would add its words and a traceback with the values of variables."""
        shown = _shown(_handled(delivery(Lane.SEND, {}), None, None, crash=f"{SECRET} 919876543210"))
        assert "ZeroDivisionError" in shown
        assert [] == [one for one in (SECRET, "919876543210", "Traceback") if one in shown]


def _handled(
    job: Delivery, send_error: WorkerError | None, dnd_error: WorkerError | None, *, crash: str = ""
) -> Spans:
    spans, world = Spans(), World()
    world.gateway.script = [send_error]
    world.gateway.dnd_script = [dnd_error]
    dispatch = FakeWorker(world, tracing=spans.tracing, attempts=1).dispatch()

    async def broken(_delivery: Delivery) -> object:
        raise ZeroDivisionError(crash)

    handle = spans.tracing.jobs(broken if crash else dispatch)  # type: ignore[arg-type]  # it never returns
    with asyncio.Runner() as runner, suppress(ZeroDivisionError, AccountError):
        runner.run(world.clock.run(handle(job)))
    return spans
