"""Every fault that the gateway can have, at every command, and the outcome that it must lead to."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import pytest

from scripts.find_broker import FoundBroker
from tests.support.chaos_gateway import gateway_loop
from tests.support.chaos_scene import Scene, open_scene
from tests.support.used_prefix import used_prefix
from tests.support.worker_process import wait_until

pytestmark = pytest.mark.slow

Fault = Mapping[str, Any]
NUMBERS = (f"91987655{number:04d}" for number in count() if 20 <= number % 100 < 99)

NOT_SENT: Mapping[str, Fault] = {
    "503": {"status": 503},
    "503 with Retry-After": {"retry_after": 1},
    "503 and HTML": {"kind": "html", "status": 503},
    "429": {"status": 429},
}
LOST: Mapping[str, Fault] = {
    "500": {"status": 500},
    "502": {"status": 502},
    "504": {"status": 504},
    "HTML": {"kind": "html"},
    "empty": {"body": ""},
    "binary": {"kind": "binary"},
    "oversized": {"kind": "oversized"},
    "truncated": {"kind": "truncated"},
    "redirect": {"status": 302, "body": "", "headers": {"Location": "/elsewhere"}},
    "closed before": {"kind": "drop"},
    "closed after": {"kind": "drop", "when": "after"},
    "reset before": {"kind": "reset"},
    "reset after": {"kind": "reset", "when": "after"},
    "hang before": {"kind": "hang"},
    "hang after": {"kind": "hang", "when": "after"},
    "too slow": {"latency": 3, "when": "after"},
    "dripping for too long": {"kind": "dripping", "interval": 0.5},
}
REFUSED: Mapping[str, Fault] = {
    "bad sender": {"body": "Invalid Sender ID"},
    "bad number": {"body": "Invalid mobile numbers"},
    "no text": {"body": "Message is blank"},
    "too long": {"body": "Message size exceeds"},
    "400": {"status": 400},
    "413": {"status": 413},
    "414": {"status": 414},
    "422": {"status": 422},
}
HARMLESS: Mapping[str, Fault] = {
    "slow": {"latency": 0.4, "when": "after"},
    "dripping": {"kind": "dripping", "interval": 0.005},
    "compressed": {"compressed": True},
    "called an image": {"content_type": "image/png"},
    "called a text": {"content_type": "text/plain"},
}
# What only reads is asked again after these; a refusal is final. What is said of texts and senders is none.
READ_AGAIN = {**NOT_SENT, **LOST}
ANSWERED: Mapping[str, Fault] = {**READ_AGAIN, **HARMLESS}
_TEXTS = ("bad sender", "no text", "too long")
REFUSED_NUMBERS = {name: fault for name, fault in REFUSED.items() if name not in _TEXTS}


@pytest.fixture(scope="module")
def scene(broker: FoundBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Provide one worker for all faults; its time limit is short and its breaker patient."""
    folder = tmp_path_factory.mktemp("faults")
    with (
        used_prefix(broker.url) as prefix,
        gateway_loop() as loop,
        loop.gateway() as gateway,
        open_scene(broker.url, prefix, gateway, folder) as scene,
    ):
        scene.ready(ITON_TIMEOUT=2, WORKER_BREAKER_FAILURES=100)
        wait_until(lambda: gateway.calls("account"), "the worker's own look at the balance")
        yield scene


@pytest.fixture(autouse=True)
def _no_fault_is_left(scene: Scene) -> Iterator[None]:
    yield
    scene.gateway.clear_faults()


def outcome_of_send(scene: Scene, fault: Fault, command: str = "sendSMS", **job: Any) -> str:  # noqa: ANN401 - any JSON
    """Send to one number with *fault* on for one call; return the outcome and check the ids."""
    number = next(NUMBERS)
    scene.gateway.fault(command=command, times=1, **fault)
    job_id = scene.send(number, **job)
    result = scene.wait_result(job_id)
    drawn = scene.gateway.ids(job_id).get(number, [])
    assert len(drawn) <= 1
    assert result.ids == ({number: drawn[0]} if result.outcomes[number] == "accepted" else {})
    return result.outcomes[number]


class TestSend:
    """sendSMS: only what certainly was not sent is sent again."""

    @pytest.mark.row("gateway/not-sent", "a call is answered with 429 or 503", "made again: accepted")
    @pytest.mark.parametrize("fault", NOT_SENT.values(), ids=NOT_SENT)
    def test_not_sent(self, scene: Scene, fault: Fault) -> None:
        """Called again, and accepted."""
        assert "accepted" == outcome_of_send(scene, fault)

    @pytest.mark.row(
        "gateway/lost",
        "a sendSMS reply is lost or cannot be read (500, HTML, "
        "closed, reset, truncated, too slow, oversized, redirected)",
        "`uncertain`, not made again",
    )
    @pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
    def test_lost(self, scene: Scene, fault: Fault) -> None:
        """`uncertain`, and not called again although that would work."""
        assert "uncertain" == outcome_of_send(scene, fault)

    @pytest.mark.row("gateway/refused", "a sendSMS is refused", "`failed`, not made again")
    @pytest.mark.parametrize("fault", REFUSED.values(), ids=REFUSED)
    def test_refused(self, scene: Scene, fault: Fault) -> None:
        """`failed`, and not called again."""
        assert "failed" == outcome_of_send(scene, fault)

    @pytest.mark.parametrize("fault", HARMLESS.values(), ids=HARMLESS)
    def test_harmless(self, scene: Scene, fault: Fault) -> None:
        """The reply is read all the same."""
        assert "accepted" == outcome_of_send(scene, fault)

    def test_ids_that_nobody_asked_for(self, scene: Scene) -> None:
        """A reply about another number says nothing about ours."""
        fault = {"body": '{"message_id": {"0123456789abcdef01234567": "919999999999"}}'}
        assert "uncertain" == outcome_of_send(scene, fault)


class TestDndLookup:
    """check_DNDnumber only reads."""

    @pytest.mark.row(
        "gateway/reading", "any of these at a command that only reads", "asked again until it answers"
    )
    @pytest.mark.parametrize("fault", ANSWERED.values(), ids=ANSWERED)
    def test_asked_again(self, scene: Scene, fault: Fault) -> None:
        """Until it answers; then the job is sent."""
        outcome = outcome_of_send(scene, fault, "check_DNDnumber", category="promotional")
        assert "accepted" == outcome

    @pytest.mark.parametrize("fault", REFUSED_NUMBERS.values(), ids=REFUSED_NUMBERS)
    def test_refused(self, scene: Scene, fault: Fault) -> None:
        """What the endpoint says nothing about is not sent to."""
        outcome = outcome_of_send(scene, fault, "check_DNDnumber", category="promotional")
        assert "dnd_unverified" == outcome


class TestReading:
    """message_status and account."""

    @pytest.mark.row("gateway/reading")
    @pytest.mark.parametrize("fault", ANSWERED.values(), ids=ANSWERED)
    @pytest.mark.parametrize("command", ["message_status", "account"])
    def test_asked_again(self, scene: Scene, command: str, fault: Fault) -> None:
        """Until it answers."""
        assert {"message_status": "delivery.pending", "account": "account.balance"}[command] == self._key(
            scene, command, fault
        )

    @pytest.mark.parametrize("fault", [REFUSED["400"]], ids=["400"])
    @pytest.mark.parametrize("command", ["message_status", "account"])
    def test_refused(self, scene: Scene, command: str, fault: Fault) -> None:
        """A refusal is final: failed, and a dead letter."""
        assert {"message_status": "delivery.failed", "account": "account.failed"}[command] == self._key(
            scene, command, fault
        )
        wait_until(scene.dead, "the dead letter")

    @staticmethod
    def _key(scene: Scene, command: str, fault: Fault) -> str:
        scene.gateway.fault(command=command, times=1, **fault)
        job_id = f"reading-{next(NUMBERS)}"
        if command == "account":
            scene.publish({"job_id": job_id}, "account")
        else:
            scene.publish({"job_id": job_id, "message_ids": ["f" * 24]}, "status")
        return scene.wait_result(job_id).key
