"""The gateway's client and the simulator: two readings of the same document must agree."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Literal

import pytest

from worker.domain.errors import AccountError, AccountTrouble, PermanentError, WorkerError
from worker.iton.client import ItonGateway
from worker.iton.dialect import Credentials, Dialect
from worker.ports import TextMessage
from worker.simulator import ReplyForm, SimulatorOptions, Spelling, running_simulator
from worker.simulator.control import Control

NUMBERS = [str(919876543200 + number) for number in range(1, 8)]
MESSAGE = TextMessage(text="Ihr Code: 4711 & mehr\r\n+%", unicode=False, sender="ITONXX", params={})


@asynccontextmanager
async def simulated(
    dialect: Dialect | None = None,
    **options: Any,  # noqa: ANN401 - the fields of SimulatorOptions
) -> AsyncIterator[tuple[ItonGateway, Control]]:
    """Provide a gateway's client and the switches of the simulator that it talks to."""
    chosen = SimulatorOptions(username="us&er", password="p=w d", token="t0ken", **options)
    async with running_simulator(chosen) as simulator:
        gateway = ItonGateway(simulator.url, Credentials("us&er", "p=w d", "t0ken"), dialect)
        try:
            yield gateway, simulator.control
        finally:
            await gateway.aclose()


class TestSends:
    """sendSMS."""

    @pytest.mark.parametrize("form", ReplyForm)
    @pytest.mark.parametrize("spelling", Spelling)
    async def test_every_form_gives_the_right_id_to_the_right_recipient(
        self, form: ReplyForm, spelling: Spelling
    ) -> None:
        """However its numbers are spelt."""
        async with simulated(reply_form=form, spelling=spelling) as (gateway, control):
            ids = await gateway.send(MESSAGE, NUMBERS)
            (sent,) = control.sends
            assert ids == {name: (given,) for name, given in zip(sent.to, sent.ids, strict=True)}
            assert list(ids) == NUMBERS

    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_the_text_arrives_as_it_was_given(self, method: Literal["GET", "POST"]) -> None:
        """It must equal its registered template."""
        message = TextMessage("नमस्ते & 100%\r\n#+😀", unicode=True, sender=None, params={"entity_id": "1&2"})
        async with simulated(Dialect(method=method, default_sender="ITONYY")) as (gateway, control):
            await gateway.send(message, NUMBERS)
            (sent,) = control.sends
            assert (sent.message, sent.garbled, sent.sender) == (message.text, False, "ITONYY")
            assert dict(sent.params) == {"entity_id": "1&2"}

    async def test_a_recipient_that_the_reply_leaves_out_is_missing(self) -> None:
        """Whether it was sent to, nobody can say."""
        async with simulated(missing_endings=("01",)) as (gateway, _):
            assert set(await gateway.send(MESSAGE, NUMBERS)) == set(NUMBERS[1:])

    async def test_what_was_packed_is_taken(self) -> None:
        """A long Unicode text to many numbers stays below the limit of the URL."""
        message = TextMessage("न" * 268, unicode=True, sender=None, params={})
        many = [str(919876500000 + number) for number in range(100)]
        async with simulated() as (gateway, control):
            for call in gateway.pack(message, many):
                await gateway.send(message, call)
            assert [number for sent in control.sends for number in sent.to] == many


class TestQuestions:
    """The commands that only read."""

    @pytest.mark.parametrize("spelling", Spelling)
    async def test_the_dnd_list(self, spelling: Spelling) -> None:
        """Numbers ending in 00 are on it; of those ending in 99 nothing is said."""
        asked = ["919876543200", "919876543201", "919876543299"]
        async with simulated(spelling=spelling) as (gateway, _):
            assert await gateway.check_dnd(asked) == {"919876543200": True, "919876543201": False}

    @pytest.mark.parametrize("narrow_space", [False, True])
    async def test_the_status_of_a_message(self, *, narrow_space: bool) -> None:
        """With its text, its sender, its time and its recipient; an id that nobody knows is missing."""
        async with simulated(narrow_space=narrow_space) as (gateway, control):
            ids = await gateway.send(MESSAGE, NUMBERS[:1])
            ((name,),) = ids.values()
            reports = await gateway.message_status([name, "ffffffffffffffffffffffff"])
            assert set(reports) == {name}
            report = reports[name]
            assert (report.text, report.sender) == (MESSAGE.text, MESSAGE.sender)
            assert [recipient.status for recipient in report.recipients] == ["pending"]
            assert report.sent_at is not None
            assert abs(report.sent_at.timestamp() - control.sends[0].at) <= 1

    @pytest.mark.parametrize("form", ["text", "json"])
    async def test_the_balance(self, form: str) -> None:
        """In both forms."""
        async with simulated(account_form=form, balance=417) as (gateway, _):
            assert await gateway.account() == Decimal(417)


class TestRefusals:
    """The simulator's words, which it took from similar gateways."""

    async def failure(self, gateway: ItonGateway, message: TextMessage = MESSAGE) -> WorkerError:
        """Return the error of a sendSMS."""
        with pytest.raises(WorkerError) as caught:
            await gateway.send(message, NUMBERS)
        return caught.value

    async def test_wrong_credentials(self) -> None:
        """The account's trouble, for every command."""
        async with simulated() as (gateway, control):
            control.change(password="another")
            error = await self.failure(gateway)
            assert isinstance(error, AccountError)
            assert error.trouble is AccountTrouble.CREDENTIALS
            with pytest.raises(AccountError):
                await gateway.account()

    async def test_no_credits(self) -> None:
        """Later it may work again."""
        async with simulated(balance=3) as (gateway, _):
            error = await self.failure(gateway)
            assert isinstance(error, AccountError)
            assert error.trouble is AccountTrouble.CREDITS

    async def test_a_sender_that_is_not_allowed(self) -> None:
        """No use trying again."""
        async with simulated(senders=("OTHER",)) as (gateway, _):
            error = await self.failure(gateway)
            assert (type(error), error.code) == (PermanentError, "sender_refused")

    async def test_a_text_that_is_too_long(self) -> None:
        """No use trying again."""
        async with simulated(max_segments=1) as (gateway, _):
            error = await self.failure(gateway, TextMessage("x" * 200, unicode=False, sender=None, params={}))
            assert (type(error), error.code) == (PermanentError, "text_refused")
