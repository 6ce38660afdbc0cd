"""A worker that the broker does not let in: log, readiness and `check` say the same, once."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scripts.local_broker import PrivateBroker
from tests.support.forked import run_program
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import Workshop, wait_until

_ATTEMPTS = 8  # of the two connections together
_USER, _PASSWORD = "elsewhere", "elsewhere-4711"


@pytest.fixture
def shop(
    own_broker: PrivateBroker, own_broker_prefix: str, gateway: SimulatorProcess, tmp_path: Path
) -> Iterator[Workshop]:
    """Provide a start of workers on the private node."""
    workshop = Workshop(
        amqp_url=own_broker.url, prefix=own_broker_prefix, gateway_url=gateway.url, folder=tmp_path
    )
    yield workshop
    workshop.close()


@pytest.fixture(scope="module")
def place(own_broker_node: PrivateBroker) -> str:
    """Provide HOST:PORT of a broker with a virtual host that the user may not use."""
    own_broker_node.start()
    own_broker_node.rabbitmqctl("add_vhost", "others")
    own_broker_node.rabbitmqctl("add_user", _USER, _PASSWORD)
    return urlsplit(own_broker_node.url).netloc.partition("@")[2]


def _accepted(broker: PrivateBroker) -> int:
    """Count the connections that the node has seen so far."""
    logs = (broker._folder / "log").glob("*.log")
    return sum(log.read_text().count("accepting AMQP connection") for log in logs)


def _checked(shop: Workshop, url: str) -> str:
    """Return what `check` says of the broker."""
    done = run_program("check", "--json", env=shop.environment(AMQP_URL=url), cwd=shop.folder)
    findings = {line["part"]: line["detail"] for line in map(json.loads, done.stdout.splitlines())}
    return str(findings["broker"])


class TestNotLetIn:
    """For as long as nobody mends it."""

    @pytest.mark.parametrize(
        ("login", "path", "words"),
        [
            ("guest:guest", "nosuch", "has no virtual host nosuch, or not for this user"),
            (f"{_USER}:{_PASSWORD}", "others", "has no virtual host others, or not for this user"),
            ("guest:wr0ng-pw", "", "refuses user or password"),
        ],
    )
    def test_log_and_readiness_have_the_words_of_check_and_the_log_has_them_once(
        self, login: str, path: str, words: str, own_broker: PrivateBroker, place: str, shop: Workshop
    ) -> None:
        """Once for each of the two connections, however often each is tried."""
        url = f"amqp://{login}@{place}/{path}"
        words = f"the broker at {place} {words}"
        before = _accepted(own_broker)
        worker = shop.start(AMQP_URL=url)
        wait_until(lambda: _accepted(own_broker) >= before + _ATTEMPTS, "it has tried often")
        reasons = json.loads(worker.wait_not_ready())["reasons"]
        assert reasons == {"broker_consuming": words, "broker_publishing": words}
        lines = worker.log_lines("broker.unavailable")
        assert [line["reason"] for line in lines] == [words, words]
        assert len({line["connection"] for line in lines}) == len(lines)
        assert _checked(shop, url) == words
