"""A gateway that hangs: what the workers have in hand meanwhile, and how soon it is used again."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pytest

from tests.support.fleet import sample
from tests.support.line import Line, wait_settled
from tests.support.results_side import numbers
from tests.support.worker_process import WorkerProcess, wait_until

pytestmark = pytest.mark.slow

SETTLED_WITHIN = 15.0  # seconds beside ITON_TIMEOUT (contract, promise 7)
AGAIN_WITHIN = 10.0  # seconds (contract, promise 7)
# What hung stays so when the gateway is back: such calls are neither answered nor cut.
HANGS = {"kind": "hang", "latency": 600}
JOBS = 300
MOSTLY = 0.5  # of the time; a look takes a tenth of it, a busy machine some more
POLL = 0.1  # seconds


def open_calls(worker: WorkerProcess) -> int:
    """How many calls a worker has under way."""
    return int(sample(worker, "iton_worker_gateway_calls_in_flight"))


def is_open(worker: WorkerProcess) -> bool:
    """Whether sends are no longer tried."""
    return sample(worker, "iton_worker_breaker_open", command="sendSMS") == 1


def called(line: Line) -> set[str]:
    """Return the numbers that the gateway was called for."""
    return {name for call in line.gateway.recent("sendSMS") for name in call["to"].split(",")}


def with_outcome(line: Line, *outcomes: str) -> set[str]:
    """Return the numbers that have one of *outcomes*."""
    return {name for one in line.collector.all for name, how in one.outcomes.items() if how in outcomes}


def publish(line: Line, names: Iterable[str]) -> None:
    """Publish a job for each number."""
    for name in names:
        line.producer.send([name], "hung", category="service")


def is_waited_out(worker: WorkerProcess) -> bool:
    """Whether sends are no longer tried, and no call is under way."""
    return is_open(worker) and not open_calls(worker)


def accepted_at_last(line: Line, names: set[str]) -> None:
    """The gateway is back: within 10 s *names* have their texts, each once, and nobody else has.

    By the gateway's own clock: how long their results take to be seen here is the machine's matter.
    """
    before = len(line.gateway.sends())
    line.gateway.clear_faults()
    back = datetime.now(UTC)
    wait_until(lambda: names <= with_outcome(line, "accepted"), "all the rest")
    after = [datetime.fromisoformat(send["at"]) for send in line.gateway.sends()[before:]]
    assert (after[-1] - back).total_seconds() <= AGAIN_WITHIN
    assert dict.fromkeys(names, 1) == line.gateway.times("hung")
    wait_settled(line)
    assert 0 == line.queues.count("dead")


class TestAWorkerIsKilledInAnOutage:
    """Two workers, the gateway hangs, and more jobs wait than the calls that are tried."""

    def test_the_other_settles_its_calls_and_has_nothing_else_in_hand(
        self, own_line: Callable[..., Line], figures: Callable[[str, object], None]
    ) -> None:
        """Uncertain within ITON_TIMEOUT + 15 s; the rest is accepted within 10 s of the outage's end."""
        limit = 10
        line = own_line(ITON_TIMEOUT=limit)
        other = line.workshop.ready(ITON_TIMEOUT=limit)
        line.gateway.fault(**HANGS)
        publish(line, numbers(JOBS))
        wait_until(lambda: open_calls(line.worker) and open_calls(other), "both have open calls")
        line.worker.kill()
        deadline = time.monotonic() + limit + SETTLED_WITHIN
        orphans = called(line)
        wait_until(lambda: is_waited_out(other), "the other has given up")
        untouched = set(numbers(JOBS)) - called(line)
        asked = line.gateway.calls("account")
        empty = []
        # Some five seconds lie between two questions: several looks at the queue are among it.
        while orphans - with_outcome(line, "uncertain") or line.gateway.calls("account") < asked + 3:
            assert time.monotonic() < deadline or orphans <= with_outcome(line, "uncertain")
            empty.append(line.queues.count("send") >= len(untouched))
            time.sleep(POLL)
        share = sum(empty) / len(empty)
        figures("share of an outage in which a worker has no job in hand", f"{share:.0%}")
        assert share > MOSTLY
        accepted_at_last(line, untouched)
        assert set(numbers(JOBS)) - untouched == with_outcome(line, "uncertain")


class TestAGatewayThatHung:
    """Its calls take as long as they may, and it must not take as long to learn that it is back."""

    @pytest.mark.parametrize("command", ["all", "sendSMS"])
    def test_it_is_used_again_within_ten_seconds(self, own_line: Callable[..., Line], command: str) -> None:
        """A question has a short limit of its own, and a trial that hangs keeps no other from going out."""
        line = own_line(ITON_TIMEOUT=20)
        line.gateway.fault(command=command, **HANGS)
        publish(line, numbers(JOBS))
        wait_until(lambda: is_open(line.worker), "the circuit opens")
        asked_for = "account" if command == "all" else "sendSMS"
        asked = line.gateway.calls(asked_for)
        # Where the account answers one send is tried at a time; the last one has just begun to hang.
        wait_until(lambda: line.gateway.calls(asked_for) >= asked + 2, "it is asked again")
        accepted_at_last(line, set(numbers(JOBS)) - called(line))
