"""Lookups with a span for each job that asks, though the calls themselves may serve several jobs."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from opentelemetry.trace import SpanKind, Tracer

from worker.domain.errors import PermanentError
from worker.handlers.lookups import Lookups
from worker.ports import Command, MessageReport
from worker.tracing.spans import Attributes, in_a_trace, span_of


class TracedLookups(Lookups):
    """`Lookups` whose answers to a job have a span each, from the question to the last answer."""

    def __init__(self, tracer: Tracer, *args: Any, **options: Any) -> None:  # noqa: ANN401 - those of Lookups
        super().__init__(*args, **options)
        self._tracer = tracer

    async def dnd(self, recipients: Sequence[str], *, urgent: bool) -> Mapping[str, bool | PermanentError]:
        """As `Lookups` says."""
        attributes: Attributes = _of(Command.DND) | {"iton.recipients": len(recipients)}
        with span_of(self._tracer, Command.DND.value, attributes, kind=SpanKind.CLIENT) as span:
            answers = await super().dnd(recipients, urgent=urgent)
            span.set_attribute("iton.dnd.listed", sum(said is True for said in answers.values()))
            return answers

    async def status(self, message_ids: Sequence[str]) -> Mapping[str, MessageReport | PermanentError]:
        """As `Lookups` says."""
        attributes: Attributes = _of(Command.STATUS) | {"messaging.batch.message_count": len(message_ids)}
        with span_of(self._tracer, Command.STATUS.value, attributes, kind=SpanKind.CLIENT):
            return await super().status(message_ids)

    async def account(self) -> Decimal:
        """As `Lookups` says; the watch over the balance asks for no job, and has no spans."""
        if not in_a_trace():
            return await super().account()
        with span_of(self._tracer, Command.ACCOUNT.value, _of(Command.ACCOUNT), kind=SpanKind.CLIENT):
            return await super().account()


def _of(command: Command) -> dict[str, str | int]:
    return {"iton.command": command.value}
