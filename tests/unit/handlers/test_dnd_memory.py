"""DND answers that are remembered (contract, section 1, rule 5, holds all the same)."""

import asyncio
import json

import pytest

from tests.support.fake_worker import FakeWorker, World, delivery, numbers, send_job
from worker.domain.errors import PermanentError, TransientError
from worker.domain.messages import Lane
from worker.handlers.dispatch import Dispatch

HOUR = 3600.0
ONE, TWO, THREE = numbers(3)


@pytest.fixture
def world() -> World:
    """Provide gateway, broker and clock."""
    return World()


@pytest.fixture
def dispatch(world: World) -> Dispatch:
    """Provide one worker that remembers."""
    return FakeWorker(world, dnd_memory=HOUR).dispatch()


async def filtered(world: World, dispatch: Dispatch, job_id: str, *recipients: str) -> dict[str, str]:
    """The outcomes of a job for which the list is asked."""
    job = send_job(*recipients, job_id=job_id, dnd="filter")
    await world.clock.run(asyncio.ensure_future(dispatch(delivery(Lane.SEND, job))))
    bodies = (json.loads(result.body) for result in world.publisher.results)
    mine = (one for body in bodies if body["job_id"] == job_id for one in body["recipients"])
    return {one["recipient"]: one["outcome"] for one in mine}


class TestDndMemory:
    """One question about a number, for a while."""

    async def test_only_unknown_numbers_are_asked_about(self, world: World, dispatch: Dispatch) -> None:
        """Those that are listed are remembered as well as the others."""
        world.gateway.dnd = {TWO}
        await filtered(world, dispatch, "first", ONE, TWO)
        outcomes = await filtered(world, dispatch, "second", TWO, ONE, THREE)
        assert {ONE: "accepted", TWO: "dnd", THREE: "accepted"} == outcomes
        assert [(ONE, TWO), (THREE,)] == world.gateway.dnd_calls

    async def test_a_known_number_does_not_need_the_endpoint(self, world: World, dispatch: Dispatch) -> None:
        """Its job goes on while the endpoint is down."""
        await filtered(world, dispatch, "first", ONE)
        world.gateway.dnd_script = [TransientError("gateway_unreachable", "refused")] * 99
        assert {ONE: "accepted"} == await filtered(world, dispatch, "second", ONE)

    async def test_silence_is_not_remembered(self, world: World, dispatch: Dispatch) -> None:
        """A number that the reply left out is asked about again."""
        world.gateway.unnamed = {ONE}
        assert {ONE: "dnd_unverified"} == await filtered(world, dispatch, "first", ONE)
        world.gateway.unnamed = set()
        assert {ONE: "accepted"} == await filtered(world, dispatch, "second", ONE)

    async def test_a_refusal_is_not_remembered(self, world: World, dispatch: Dispatch) -> None:
        """It says nothing about the number."""
        world.gateway.refusal = PermanentError("number_refused", "no")
        world.gateway.dnd_refused = {ONE}
        assert {ONE: "dnd_unverified"} == await filtered(world, dispatch, "first", ONE)
        world.gateway.dnd_refused = set()
        assert {ONE: "accepted"} == await filtered(world, dispatch, "second", ONE)

    async def test_it_ends(self, world: World, dispatch: Dispatch) -> None:
        """A number that was listed meanwhile is found out after the time at the latest."""
        await filtered(world, dispatch, "first", ONE)
        world.gateway.dnd = {ONE}
        assert {ONE: "accepted"} == await filtered(world, dispatch, "second", ONE)
        await world.clock.advance(HOUR)
        assert {ONE: "dnd"} == await filtered(world, dispatch, "third", ONE)

    async def test_large_jobs_fill_it_and_use_it(self, world: World, dispatch: Dispatch) -> None:
        """The second one asks for nothing but what is new."""
        names = numbers(320)
        await filtered(world, dispatch, "first", *names[:310])
        asked = len(world.gateway.dnd_calls)
        await filtered(world, dispatch, "second", *names)
        assert [names[310:]] == world.gateway.dnd_calls[asked:]

    async def test_answers_before_a_failure_are_kept(self, world: World, dispatch: Dispatch) -> None:
        """A large job that is put off goes on from there."""
        names = numbers(300)
        world.gateway.dnd_script = [None, *[TransientError("gateway_unreachable", "refused")] * 999]
        await filtered(world, dispatch, "large", *names)
        world.gateway.dnd_script.clear()
        world.gateway.dnd_calls.clear()
        await filtered(world, dispatch, "again", *names)
        assert sorted(names[100:]) == sorted(name for call in world.gateway.dnd_calls for name in call)
