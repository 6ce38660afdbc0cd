"""A worker is frozen (SIGSTOP) and thawed after another has taken its work over."""

from collections.abc import Iterator
from pathlib import Path
from signal import SIGSTOP
from typing import Any

import pytest

from tests.support.chaos_gateway import LocalGateway, gateway_loop
from tests.support.chaos_process import ForkedWorker
from tests.support.chaos_scene import PLAIN, Scene, open_scene
from tests.support.chaos_steps import Moment
from tests.support.worker_process import wait_until

UNCERTAIN = {PLAIN: "uncertain"}
ACCEPTED = {PLAIN: "accepted"}


@pytest.fixture
def gateway() -> Iterator[LocalGateway]:
    """Provide a gateway of the test's own."""
    with gateway_loop() as loop, loop.gateway() as gateway:
        yield gateway


@pytest.fixture
def scene(amqp_url: str, amqp_prefix: str, gateway: LocalGateway, tmp_path: Path) -> Iterator[Scene]:
    """Provide a scene on the shared broker, which gives a silent worker up after a few seconds."""
    with open_scene(f"{amqp_url}?heartbeat=2", amqp_prefix, gateway, tmp_path) as scene:
        yield scene


def frozen_at(scene: Scene, moment: Moment, **job: Any) -> tuple[ForkedWorker, str]:  # noqa: ANN401 - any JSON
    """Start a worker that freezes itself at *moment* of a job's walk; return both."""
    worker = scene.ready(moment=moment)
    job_id = scene.send(**job)
    worker.wait_frozen()
    return worker, job_id


def frozen_in_call(
    scene: Scene,
    reply: str | None = None,
    **job: Any,  # noqa: ANN401 - any JSON
) -> tuple[ForkedWorker, str]:
    """Freeze a worker whose call was carried out and whose reply is under way; return it and the job."""
    scene.gateway.fault(command="sendSMS", latency=2.0, when="after", body=reply, times=1)
    worker = scene.ready()
    job_id = scene.send(**job)
    wait_until(lambda: scene.gateway.ids(job_id), "the call is carried out")
    worker.freeze()
    return worker, job_id


class TestFrozen:
    """What the frozen one had begun is decided by the other, and corrected by the frozen one."""

    @pytest.mark.row(
        "freeze/during-call",
        "with the call under way",
        "`uncertain`",
        "the reply that waits in the socket is read; the ids come as revision 2",
    )
    def test_during_the_call(self, scene: Scene) -> None:
        """The other reports `uncertain`; the reply that was waiting brings the ids as revision 2."""
        frozen, job = frozen_in_call(scene)
        scene.ready()
        assert UNCERTAIN == scene.wait_result(job).outcomes
        frozen.thaw()
        revised = scene.wait_result(job, lambda one: one.revision == 2)
        assert scene.gateway.ids(job) == {PLAIN: [revised.ids[PLAIN]]}

    @pytest.mark.row(
        "freeze/ids-of-nobody",
        "the same, and the reply does not say whose its ids are",
        "`uncertain`",
        "the ids come in the words of revision 2, `uncertain` as well",
    )
    def test_ids_of_nobody(self, scene: Scene) -> None:
        """They stand nowhere else: the result is published once more for their sake."""
        frozen, job = frozen_in_call(scene, '{"message_id": {"532073f7e4b05199d2c3d812": null}}')
        scene.ready()
        assert UNCERTAIN == scene.wait_result(job).outcomes
        frozen.thaw()
        revised = scene.wait_result(job, lambda one: one.revision == 2)
        assert UNCERTAIN == revised.outcomes
        assert "532073f7e4b05199d2c3d812" in revised.body["recipients"][0]["error"]["detail"]
        assert 1 == len(scene.gateway.ids(job)[PLAIN])

    @pytest.mark.row(
        "freeze/after-claim",
        "between claim and call",
        "another one reports `uncertain` when the lease is over",
        "more than 5 s have passed since the claim (what the lease leaves beside a "
        "call that takes `ITON_TIMEOUT`): it asks the ledger again, and does not call",
    )
    def test_between_claim_and_call(self, scene: Scene) -> None:
        """The frozen one asks the ledger again before the call, and does not send what the other settled."""
        frozen, job = frozen_at(scene, Moment("swap", 1, "after", SIGSTOP))
        scene.ready()
        assert UNCERTAIN == scene.wait_result(job).outcomes
        frozen.thaw()
        wait_until(lambda: "result" in frozen.steps, "the thawed one has finished")
        assert {} == scene.gateway.ids(job)
        assert {1} == {one.revision for one in scene.results(job)}

    @pytest.mark.row(
        "freeze/before-call",
        "after that check, before the first byte",
        "`uncertain`",
        "it calls, once; the ids come as revision 2. Nobody else called",
    )
    def test_with_the_call_under_its_hand(self, scene: Scene) -> None:
        """Frozen after the last check it does call: once, and its ids come as revision 2."""
        frozen, job = frozen_at(scene, Moment("call", 1, "before", SIGSTOP))
        scene.ready()
        assert UNCERTAIN == scene.wait_result(job).outcomes
        frozen.thaw()
        revised = scene.wait_result(job, lambda one: one.revision == 2)
        assert scene.gateway.ids(job) == {PLAIN: [revised.ids[PLAIN]]}

    @pytest.mark.row(
        "freeze/before-claim",
        "before the claim",
        "another one claims at once and sends",
        "its claim is refused; it publishes what the ledger holds",
    )
    def test_before_the_claim(self, scene: Scene) -> None:
        """The other sends at once; the frozen one finds its claim refused."""
        frozen, job = frozen_at(scene, Moment("swap", 1, "before", SIGSTOP))
        scene.ready()
        assert ACCEPTED == scene.wait_result(job).outcomes
        frozen.thaw()
        wait_until(lambda: "result" in frozen.steps, "the thawed one has finished")
        assert 1 == len(scene.gateway.ids(job)[PLAIN])
        assert 1 == len({str(one.body) for one in scene.results(job)})

    @pytest.mark.row(
        "freeze/before-ack",
        "with the result published",
        "the result comes again, the same",
        "its ack is dropped with the dead channel",
    )
    def test_before_the_ack(self, scene: Scene) -> None:
        """What was published and not acknowledged is published again, the same."""
        frozen, job = frozen_at(scene, Moment("ack", 1, "before", SIGSTOP))
        scene.ready()
        wait_until(lambda: len(scene.results(job)) == 2, "the result comes again")
        frozen.thaw()
        frozen.wait_ready()
        assert 1 == len({str(one.body) for one in scene.results(job)})
        assert 1 == len(scene.gateway.ids(job)[PLAIN])

    @pytest.mark.row("freeze/recovers", "idle", "another one works", "it connects again and takes jobs")
    def test_goes_on_afterwards(self, scene: Scene) -> None:
        """The broker has dropped its connection meanwhile: it connects again and takes jobs."""
        worker = scene.ready()
        worker.freeze()
        other = scene.ready()
        scene.wait_result(scene.send())
        other.kill()
        worker.thaw()
        worker.wait_ready()
        assert ACCEPTED == scene.wait_result(scene.send()).outcomes


class TestFrozenWithResend:
    """A job that prefers a double to a doubt was repeated by the other."""

    @pytest.mark.row(
        "freeze/resend-overlap",
        "the same, going on while the other one calls",
        "",
        "both ids in one result, no third call",
    )
    def test_reply_before_the_repetition_ends(self, scene: Scene) -> None:
        """Both ids are published, in one result, and there is no third call."""
        frozen, job = frozen_in_call(scene, on_uncertain="resend")
        scene.gateway.fault(command="sendSMS", latency=2.0, when="after", times=1)
        scene.ready()
        wait_until(lambda: len(scene.gateway.ids(job)[PLAIN]) == 2, "the other repeats the call")
        frozen.thaw()
        first, second = scene.gateway.ids(job)[PLAIN]
        result = scene.wait_result(job, lambda one: "earlier_message_ids" in one.body["recipients"][0])
        entry = result.body["recipients"][0]
        assert {first, second} == {entry["message_id"], *entry["earlier_message_ids"]}
        assert 2 == len(scene.gateway.ids(job)[PLAIN])

    @pytest.mark.row(
        "freeze/resend-late",
        "in the call of a `resend` job",
        "the other one calls again: accepted",
        "the late id is published beside the other (`earlier_message_ids`), revision 2",
    )
    def test_reply_after_the_repetition(self, scene: Scene) -> None:
        """The late id is published beside the other as revision 2."""
        frozen, job = frozen_in_call(scene, on_uncertain="resend")
        scene.ready()
        second = scene.wait_result(job).ids[PLAIN]
        frozen.thaw()
        revised = scene.wait_result(job, lambda one: one.revision == 2)
        entry = revised.body["recipients"][0]
        assert second == entry["message_id"]
        assert scene.gateway.ids(job)[PLAIN] == [*entry["earlier_message_ids"], second]
