"""Messages that are followed: each ends in one tracked result, whichever step is a worker's last."""

import asyncio
import json
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import TrackedResult
from tests.support.fake_worker import FakeWorker, delivery, numbers
from tests.support.fakes import settled
from tests.support.followed import Scene, report
from worker.domain.errors import OutcomeUncertainError, PermanentError, TransientError
from worker.domain.messages import DeadLetter, Lane
from worker.ports import MessageReport

ONE, OTHER, THIRD = numbers(3)
RIPE = {ONE: 10.0, OTHER: 100.0, THIRD: 400.0}


def scene(**options: object) -> Scene:
    """Three messages with ends at different times."""
    return Scene((ONE, OTHER, THIRD), ripe=RIPE.get, **options)  # type: ignore[arg-type]


def assert_followed(done: Scene, messages: int | None = 3) -> None:
    """Each accepted message is in one result, once, and nothing is left; None: accepted or not."""
    assert messages is None or len(done.accepted) == messages
    assert dict.fromkeys(done.accepted, 1) == dict(done.ends)
    assert sorted(body["track"] for body in done.tracked.values()) == list(range(1, len(done.tracked) + 1))


class TestToTheEnd:
    """What a job with ``track`` gets."""

    async def test_each_message_is_in_one_result_when_it_has_its_end(self) -> None:
        """Looks after 30, 60, 120 and 120 s: what is final by then is told, and nothing else."""
        done = scene()
        await done.to_the_end()
        assert_followed(done)
        assert ["job-1/track/1", "job-1/track/2", "job-1/track/3"] == list(done.tracked)
        assert [30, 90, 210, 330, 450] == [round(at) for at in done.looks]

    async def test_a_result_has_all_that_the_contract_names(self) -> None:
        """The form, the properties of the job, its metadata."""
        done = scene()
        await done.to_the_end()
        (first, *_) = [one for one in done.world.publisher.results if "/track/" in one.message_id]
        assert ("delivery", "delivery.final", "mine", "my-queue") == (
            first.exchange, first.routing_key, first.correlation_id, first.reply_to,
        )  # fmt: skip
        body = json.loads(first.body)
        assert body == json.loads(TrackedResult.model_validate(body).to_json())
        assert {"a": 1} == body["metadata"]
        assert "part" not in body

    async def test_what_is_not_final_in_time_is_unknown(self) -> None:
        """With ITON's last word, and a code that says why."""
        done = Scene((ONE,), ripe=lambda _: None)
        await done.to_the_end()
        assert_followed(done, 1)
        ((message,),) = [body["messages"] for body in done.tracked.values()]
        (recipient,) = message["recipients"]
        assert (True, "unknown", "SENT") == (message["found"], recipient["status"], recipient["raw_status"])
        assert "tracking_ended" == recipient["error"]["code"]
        assert 600 <= done.looks[-1] < 660

    async def test_an_id_that_was_never_found_ends_as_well(self) -> None:
        """``found`` is false, and the recipient is named."""
        done = Scene((ONE,))
        done.ripen = lambda: None  # type: ignore[method-assign]
        await done.to_the_end()
        ((message,),) = [body["messages"] for body in done.tracked.values()]
        assert message["found"] is False
        (recipient,) = message["recipients"]
        assert (ONE, "unknown", "tracking_ended") == (
            recipient["recipient"], recipient["status"], recipient["error"]["code"],
        )  # fmt: skip

    async def test_only_accepted_messages_are_followed(self) -> None:
        """A job that nobody accepted costs nothing."""
        done = Scene((ONE,))
        done.world.gateway.script.append(PermanentError("sender_refused", "no"))
        await done.to_the_end()
        assert ({}, []) == (done.tracked, done.world.gateway.status_calls)

    async def test_the_same_job_again_changes_nothing(self) -> None:
        """Its send result comes again; what was followed is not followed twice."""
        done = scene()
        await done.to_the_end()
        calls = len(done.world.gateway.status_calls)
        await done.to_the_end()
        assert_followed(done)
        assert calls == len(done.world.gateway.status_calls)

    async def test_parts_number_their_results_apart(self) -> None:
        """The k-th of part p of P is p + P (k - 1)."""
        done = Scene(numbers(150), ripe=lambda name: 10.0 if int(name) % 2 else 100.0)
        done.worker.share_above = 1000
        await done.to_the_end()
        assert dict.fromkeys(done.accepted, 1) == dict(done.ends)
        assert {1, 2, 3, 4} == {body["track"] for body in done.tracked.values()}


class TestKilled:
    """Whichever step is the last one of a worker."""

    @pytest.mark.row(
        "track/killed",
        "a worker dies at any step of the job or of a look; what it had in hand comes again, at once or late",
        "each accepted message is in one tracked result, which is the same each time",
    )
    @pytest.mark.parametrize("late", [False, True])
    async def test_at_each_step(self, *, late: bool) -> None:
        """What it had in hand comes again, at once or after all else."""
        for number in count(1):
            done = scene(kills=(number,), late=late)
            await done.to_the_end()
            assert_followed(done, 3 if done.accepted else None)
            assert done.accepted or number < 8
            if done.steps < number:
                return

    @settings(max_examples=150, deadline=None)
    @given(kills=st.sets(st.integers(1, 90), max_size=6), late=st.booleans())
    @pytest.mark.row("track/killed")
    async def test_at_several_steps(self, *, kills: set[int], late: bool) -> None:
        """One after another."""
        done = scene(kills=tuple(kills), late=late)
        await done.to_the_end()
        assert_followed(done, None)

    @pytest.mark.row(
        "track/twice", "each look comes twice", "the second one is dropped: no look is made twice for good"
    )
    async def test_a_message_that_comes_twice_makes_no_second_chain(self) -> None:
        """The same look from two messages: the later one is dropped, for good."""
        done = scene()
        collect = done._collect
        done._collect = lambda: _twice(done, collect)  # type: ignore[method-assign]
        await done.to_the_end()
        assert_followed(done)
        assert 5 == len(done.world.gateway.status_calls)

    @pytest.mark.row(
        "track/forgets", "the ledger loses the entry", "the message has what is open: it goes on"
    )
    async def test_a_ledger_that_forgets_stops_nothing(self) -> None:
        """The message carries what is open."""
        done = scene()
        handled = done.handled

        async def forgetting(one: object) -> None:
            done.world.ledger.forget()
            await handled(one)  # type: ignore[arg-type]

        done.handled = forgetting  # type: ignore[method-assign]
        await done.to_the_end()
        assert_followed(done)


class TestTwoWorkers:
    """Two have a message of the same look at once."""

    @pytest.mark.row("track/twice")
    async def test_no_look_is_made_twice_for_good(self) -> None:
        """Both ask, and both have the next one brought; only one of these is named, and made."""
        done = scene()
        await done.begun()
        ((_, _, first),) = done.waiting
        done.waiting.clear()
        done.world.clock.leap(30)
        await done.at_once(first, first)
        assert 2 == len(done.looks) == len(done.waiting)
        for _ in range(4):
            due = [one for _, _, one in done.waiting]
            done.world.clock.leap(120)
            done.waiting.clear()
            await done.at_once(*due)
        assert 2 + 4 == len(done.looks)
        assert_followed(done)

    @pytest.mark.row(
        "track/early", "the next look comes before the entry names it", "it is made; the one before has lost"
    )
    async def test_a_look_that_comes_early_is_made(self) -> None:
        """Its worker was stopped between the confirm and the write, and goes on after the look."""
        done = scene()
        await done.begun()
        ((_, _, first),) = done.waiting
        done.waiting.clear()
        done.world.clock.leap(30)
        frozen = asyncio.Event()
        done.world.publisher.before = None
        done.after_follow_up = frozen.wait
        stopped = asyncio.ensure_future(FakeWorker(done.world).dispatch()(first))
        await settled()
        done.after_follow_up = None
        done._collect()
        ((_, _, early),) = done.waiting
        done.waiting.clear()
        await done.handled(early)
        frozen.set()
        await stopped
        await done.served()
        assert_followed(done)


class TestTrouble:
    """A gateway that is away, or answers nonsense."""

    @pytest.mark.parametrize(
        "error",
        [
            TransientError("gateway_busy", "later"),
            OutcomeUncertainError("reply_unreadable", "nonsense"),
        ],
    )
    async def test_costs_no_look(self, error: Exception) -> None:
        """The same look comes again; nothing is told before there is an answer."""
        done = Scene((ONE,), ripe=lambda _: 10.0)
        done.world.gateway.status_script = [error] * 9  # type: ignore[list-item]
        await done.to_the_end()
        assert_followed(done, 1)
        assert 120 == round(done.looks[-1], -1)

    @pytest.mark.row(
        "track/no-answer",
        "the gateway is away, or answers nonsense, past the limit",
        "nothing ends before an answer, or twice the limit",
    )
    async def test_ends_nothing_early(self) -> None:
        """The limit passes without an answer: it goes on until there is one."""
        done = Scene((ONE,), ripe=lambda _: 650.0)
        done.gateway.failing_until = done.began + 700.0
        await done.to_the_end()
        ((message,),) = [body["messages"] for body in done.tracked.values()]
        assert "delivered" == message["recipients"][0]["status"]

    async def test_nothing_is_followed_for_ever(self) -> None:
        """Twice the limit without any answer is the end."""
        done = Scene((ONE,))
        done.gateway.failing_until = 1e9
        await done.to_the_end()
        assert_followed(done, 1)
        assert done.age < 1300

    async def test_one_id_that_fails_keeps_no_other_from_its_end(self) -> None:
        """The others of its call are told in time."""
        done = Scene((ONE, OTHER), ripe=lambda _: 10.0)
        failing = OutcomeUncertainError("reply_unreadable", "nonsense")
        done.world.gateway.status_failing["id-0"] = failing
        await done.to_the_end()
        first, *_ = done.tracked.values()
        assert ["id-1"] == [message["message_id"] for message in first["messages"]]
        assert {"id-0": 1, "id-1": 1} == dict(done.ends)

    async def test_what_is_no_follow_up_is_a_dead_letter(self) -> None:
        """Somebody published on the worker's own queue."""
        done = scene()
        for body in (b"", b"[]", b"{}", b'{"job_id": "x", "message_ids": ["a"]}'):
            disposition = await done.worker.dispatch()(delivery(Lane.TRACK, body))
            assert isinstance(disposition, DeadLetter)


class TestLateReplies:
    """A revision's ids are followed too."""

    @pytest.mark.row(
        "track/revision", "an id comes by a late reply", "it is followed too, also after the others' ends"
    )
    @pytest.mark.parametrize("after", [40.0, 1000.0])
    async def test_also_after_the_end(self, after: float) -> None:
        """They join what is followed, and begin anew where nothing is."""
        done = Scene((ONE, OTHER), ripe=lambda _: 60.0)
        done.world.gateway.script.append({ONE: "id-a"})
        await done.to_the_end()
        assert {"id-a": 1} == dict(done.ends)
        done.world.clock.leap(after)
        await done.revised({OTHER: ("id-b",)})
        assert {"id-a": 1, "id-b": 1} == dict(done.ends)
        assert [1, 2] == [body["track"] for body in done.tracked.values()]


class TestSharedIds:
    """An id that stands for several recipients."""

    async def test_all_of_them_must_be_final(self) -> None:
        """A message is told once, with all of its recipients."""
        done = Scene((ONE, OTHER), ripe=lambda _: None)
        done.world.gateway.script.append({ONE: "id-a", OTHER: "id-a"})

        def ripen() -> None:
            first = report(ONE, "DELIVRD", "delivered").recipients
            second = report(OTHER, *(("UNDELIV", "failed") if done.age > 100 else ("SENT", "pending")))
            strangers = report(THIRD, "SENT", "pending").recipients
            named = (*first, *second.recipients, *strangers)
            done.gateway.reports["id-a"] = MessageReport("I", None, "x", named)

        done.ripen = ripen  # type: ignore[method-assign]
        await done.to_the_end()
        (body,) = done.tracked.values()
        (message,) = body["messages"]
        assert {ONE: "delivered", OTHER: "failed"} == {
            one["recipient"]: one["status"] for one in message["recipients"]
        }


def _twice(done: Scene, collect: object) -> None:
    publisher = done.world.publisher
    publisher.follow_ups += list(publisher.follow_ups)
    collect()  # type: ignore[operator]
