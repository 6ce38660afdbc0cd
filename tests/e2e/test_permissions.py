"""The permissions of ``docs/rabbitmq-permissions.md``: with just these, everything works."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker
from structlog.testing import capture_logs

from scripts.local_broker import PrivateBroker
from tests.support.amqp_side import QUICK, RememberingHandler, running, until
from tests.support.deadline import DEADLINE
from tests.support.forked import run_program
from tests.support.line import Line, line_on
from tests.support.results_side import new_job_id, numbers, open_channel, wait_message
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import Workshop
from worker.amqp.consume.consumer import Consumer
from worker.amqp.consume.options import ConsumerOptions
from worker.amqp.consume.settlement import Settlement
from worker.amqp.publish.options import PublisherOptions
from worker.amqp.publish.publisher import BrokerPublisher
from worker.amqp.topology.values import Topology
from worker.domain.messages import Lane, ResultMessage

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[2] / "docs" / "rabbitmq-permissions.md"
USER, PASSWORD = "limited", "limited-4711"
Rights = tuple[str, str, str]
Grant = Callable[[Rights], None]


def _cells(line: str) -> list[str]:
    """Return the cells of a table's row; a pipe inside of one is escaped."""
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _worker_rights(mode: str) -> Rights:
    """Return configure, write and read of the section whose heading names *mode*."""
    section = next(part for part in DOCUMENT.read_text().split("\n## ") if mode in part.partition("\n")[0])
    rows = dict(_cells(line) for line in section.splitlines() if line.startswith("| ") and "`" in line)
    return (rows["configure"].strip("`"), rows["write"].strip("`"), rows["read"].strip("`"))


def _other_rights(who: str) -> Rights:
    """Return the rights of the row that starts with *who*."""
    (row,) = [line for line in DOCUMENT.read_text().splitlines() if line.startswith(f"| {who}")]
    _, configure, write, read = (cell.strip("`") for cell in _cells(row))
    return (configure, write, read)


@pytest.fixture(scope="module")
def user(own_broker_node: PrivateBroker) -> str:
    """Provide a user who may nothing yet, and who may use the default virtual host."""
    own_broker_node.start()
    own_broker_node.rabbitmqctl("add_user", USER, PASSWORD)
    return USER


@pytest.fixture
def grant(own_broker: PrivateBroker, own_broker_prefix: str, user: str) -> Grant:
    """Provide a function that gives the user rights, written for the default prefix, on the test's."""

    def give(rights: Rights) -> None:
        prefixed = (right.replace("iton", re.escape(own_broker_prefix)) for right in rights)
        own_broker.rabbitmqctl("set_permissions", user, *prefixed)

    return give


@pytest.fixture
def limited_url(own_broker: PrivateBroker) -> str:
    """Return the URL by which the user logs in."""
    return own_broker.url.replace("guest:guest", f"{USER}:{PASSWORD}")


@pytest.fixture
def shop(
    own_broker: PrivateBroker, own_broker_prefix: str, gateway: SimulatorProcess, tmp_path: Path
) -> Iterator[Workshop]:
    """Provide a start of workers on the private node; by default they are administrators."""
    workshop = Workshop(
        amqp_url=own_broker.url, prefix=own_broker_prefix, gateway_url=gateway.url, folder=tmp_path
    )
    yield workshop
    workshop.close()


def _everything_works(line: Line, gateway: SimulatorProcess) -> None:
    """Publish on every exchange that the worker publishes on, and take from all of its queues."""
    whole = line.producer.send(numbers(150), "parts, over the default exchange")
    urgent = line.producer.send(numbers(101, 2), "parts again", urgent=True)
    rejected, status, account = new_job_id(), new_job_id(), new_job_id()
    line.producer.publish({"job_id": rejected, "recipents": ["1"]})
    gateway.fault(command="message_status", status=503, times=1)
    line.producer.publish({"job_id": status, "message_ids": ["f" * 24]}, "status")
    line.producer.publish({"job_id": account}, "account")
    for job_id in (whole, urgent):
        assert {part.body["status"] for part in line.collector.whole(job_id)} == {"accepted"}
    assert line.collector.one(rejected).key == "send.rejected"
    assert line.collector.one(status).key == "delivery.pending"
    assert line.collector.one(account).key == "account.balance"
    line.queues.wait_dead(lambda _properties, body: rejected.encode() in body)
    # A refused publish ends its channel; the job would be delivered again and end well.
    assert "access_refused" not in line.worker.output().lower()


class TestWorker:
    """The worker's own user."""

    @pytest.mark.parametrize("declare", ["true", "false"])
    def test_it_works_with_the_least(
        self, declare: str, grant: Grant, limited_url: str, shop: Workshop, gateway: SimulatorProcess
    ) -> None:
        """Parts, retries over a delay queue, results of every kind and a dead letter."""
        grant(_worker_rights(f"AMQP_DECLARE={declare}"))
        settings = {"AMQP_URL": limited_url, "WORKER_RETRY_DELAYS": "1", "WORKER_RETRY_ATTEMPTS": "1"}
        settings["WORKER_SHARE_ABOVE"] = "100"  # parts are handed out
        if declare == "false":
            _topology(shop, WORKER_RETRY_DELAYS="1")
        with ExitStack() as stack:
            shop.ready(AMQP_DECLARE=declare, **settings)
            _everything_works(line_on(stack, shop, gateway), gateway)

    def test_the_lesser_rights_do_not_suffice_to_declare(
        self, grant: Grant, limited_url: str, shop: Workshop
    ) -> None:
        """It says which right is missing, and does not get ready."""
        grant(_worker_rights("AMQP_DECLARE=false"))
        reason = shop.start(AMQP_URL=limited_url).wait_not_ready()
        assert "may not declare" in reason or "not connected" in reason

    @pytest.mark.parametrize(
        ("missing", "named"),
        [
            (r"|amq\.default", "the default exchange (amq.default)"),
            (r"results\.(send|delivery|account|api|cancel)|", "results.send"),
            ("delivery|", "results.delivery"),
            ("|account", "results.account"),
            ("|cancel", "results.cancel"),
            ("|delay", "delay"),
            ("|dead", "dead"),
        ],
    )
    async def test_a_right_to_publish_that_is_missing_is_named(
        self, missing: str, named: str, grant: Grant, limited_url: str, shop: Workshop
    ) -> None:
        """Before there is anything to publish: in the log, in what readiness says, and in `check`."""
        _topology(shop)
        configure, write, read = _worker_rights("AMQP_DECLARE=false")
        assert missing in write
        grant((configure, write.replace(missing, ""), read))
        publisher = BrokerPublisher(
            limited_url,
            Topology(shop.prefix, track_delays=(1,)),
            PublisherOptions(timing=QUICK, declare=False),
        )
        async with running(publisher):
            await until(lambda: "may not publish on" in publisher.state.reason)
            assert named in publisher.state.reason
            assert not publisher.state.up
            grant((configure, write, read))
            await until(lambda: publisher.state.up)

    @pytest.mark.parametrize(
        ("place", "rights", "named"),
        [
            (1, r"^(iton\.(?!dead$).+|amq\.default)$", "write exchange {}.dead"),
            (2, r"^iton\.(?!jobs$)", "read exchange {}.jobs"),
            (1, r"^(iton\.(?!results\.unrouted$).+|amq\.default)$", "write exchange {}.results.unrouted"),
        ],
    )
    async def test_a_right_that_declaring_takes_beside_its_own_is_named(
        self, place: int, rights: str, named: str, grant: Grant, limited_url: str, own_broker_prefix: str
    ) -> None:
        """Whoever is told to grant another one has granted that already, and is told so again."""
        given = list(_worker_rights("AMQP_DECLARE=true"))
        given[place] = rights
        grant((given[0], given[1], given[2]))
        topology = Topology(own_broker_prefix, track_delays=(1,))
        publisher = BrokerPublisher(limited_url, topology, PublisherOptions(timing=QUICK))
        async with running(publisher):
            await until(lambda: "grant it the right" in publisher.state.reason)
            assert f"the right to {named.format(own_broker_prefix)}," in publisher.state.reason

    async def test_a_key_that_may_not_be_published_with_stops_no_other(
        self, grant: Grant, limited_url: str, own_broker: PrivateBroker, own_broker_prefix: str
    ) -> None:
        """Rights may go by routing key; the reason is told once, and the connection stays."""
        grant(_worker_rights("AMQP_DECLARE=true"))
        topology = Topology(own_broker_prefix, track_delays=(1,))
        publisher = BrokerPublisher(limited_url, topology, PublisherOptions(timing=QUICK))
        own_broker.rabbitmqctl(
            "set_topic_permissions", USER, topology.result_exchange("send"), "^send.accepted$", ".*"
        )
        try:
            with capture_logs() as lines:
                async with running(publisher):
                    await publisher.wait_up()
                    refused = asyncio.create_task(publisher.publish_result(_result("send.failed")))
                    for _ in range(20):
                        await publisher.publish_result(_result("send.accepted"))
                        await asyncio.sleep(0.1)
                    assert publisher.state.up
                    assert not refused.done()
                    own_broker.rabbitmqctl("clear_topic_permissions", USER)
                    await asyncio.wait_for(refused, DEADLINE)
        finally:
            own_broker.rabbitmqctl("clear_topic_permissions", USER)
        told = [line.get("reason") for line in lines if line["log_level"] == "warning"]
        assert 1 == len(told)
        assert "access to topic 'send.failed'" in str(told[0])

    async def test_a_queue_that_may_not_be_read_is_named(
        self, grant: Grant, limited_url: str, shop: Workshop
    ) -> None:
        """Every time the same one, however many there are."""
        _topology(shop)
        configure, write, _ = _worker_rights("AMQP_DECLARE=false")
        grant((configure, write, "^$"))
        topology = Topology(shop.prefix, track_delays=(1,))
        consumer = Consumer(
            limited_url,
            topology,
            prefetch=dict.fromkeys(Lane, 1),
            handle=RememberingHandler(),
            settlement=Settlement(BrokerPublisher(limited_url, topology)),
            options=ConsumerOptions(timing=QUICK, declare=False),
        )
        with capture_logs() as lines:
            async with running(consumer):
                await until(lambda: "grant it the right to read it" in consumer.state.reason)
                await asyncio.sleep(2.0)
        reasons = [line["reason"] for line in lines if line["event"] == "broker.unavailable"]
        words = f"the broker's user may not consume queue {topology.work_queue(Lane.SEND_URGENT)}"
        assert [f"{words}: grant it the right to read it"] == reasons

    def test_check_names_it(self, grant: Grant, limited_url: str, shop: Workshop) -> None:
        """With what to do."""
        _topology(shop)
        configure, write, read = _worker_rights("AMQP_DECLARE=false")
        grant((configure, write.replace(r"|amq\.default", ""), read))
        env = shop.environment(AMQP_URL=limited_url, AMQP_DECLARE="false")
        done = run_program("check", env=env, cwd=shop.folder)
        assert done.returncode != 0
        assert "may not publish on the default exchange" in done.stdout + done.stderr


def _result(key: str) -> ResultMessage:
    return ResultMessage("send", key, b"{}", f"{key}/1", None)


def _topology(shop: Workshop, **settings: object) -> None:
    done = run_program("topology", "--declare", env=shop.environment(**settings), cwd=shop.folder)
    assert done.returncode == 0, done.stderr


class TestOthers:
    """Those around the worker."""

    def test_a_producer_publishes_and_no_more(
        self, grant: Grant, limited_url: str, shop: Workshop, own_broker_prefix: str
    ) -> None:
        """Jobs; but it cannot read anybody's results."""
        _topology(shop)
        grant(_other_rights("a producer"))
        with open_channel(limited_url) as channel:
            channel.basic_publish(f"{own_broker_prefix}.jobs", "send", b"{}", mandatory=True)
        with (
            open_channel(limited_url) as channel,
            pytest.raises(ChannelClosedByBroker, match="ACCESS_REFUSED"),
        ):
            channel.basic_get(f"{own_broker_prefix}.results.unrouted")

    def test_a_consumer_binds_its_queue(
        self, grant: Grant, limited_url: str, shop: Workshop, own_broker_prefix: str
    ) -> None:
        """And gets the results it asked for."""
        _topology(shop)
        grant(_other_rights("a consumer"))
        exchange = f"{own_broker_prefix}.results.send"
        with open_channel(limited_url) as channel, open_channel(shop.amqp_url) as worker:
            channel.queue_declare("shop.sms", durable=True)
            channel.queue_bind("shop.sms", exchange, "#")
            worker.basic_publish(exchange, "send.accepted", b"{}", pika.BasicProperties(), mandatory=True)
            assert wait_message(channel, "shop.sms")[2] == b"{}"
            worker.queue_delete("shop.sms")

    @pytest.mark.parametrize("missing", [None, 0, 1, 2], ids=["none", "configure", "write", "read"])
    def test_somebody_follows_results(
        self, missing: int | None, grant: Grant, limited_url: str, shop: Workshop
    ) -> None:
        """On a queue of the broker's naming. With one right less there are none."""
        _topology(shop)
        rights = _other_rights("`iton-worker results`")
        grant(tuple("^$" if place == missing else right for place, right in enumerate(rights)))  # type: ignore[arg-type]
        env = shop.environment(AMQP_URL=limited_url)
        command = ("results", "--json", "--job-id", "a", "--timeout", str(DEADLINE))
        with ThreadPoolExecutor(1) as pool, open_channel(shop.amqp_url) as channel:
            done = pool.submit(run_program, *command, env=env, cwd=shop.folder)
            while not wait((done,), timeout=0.2).done:
                channel.basic_publish(f"{shop.prefix}.results.send", "send.accepted", b'{"job_id": "a"}')
        if missing is None:
            assert (0, {"job_id": "a"}) == (done.result().returncode, json.loads(done.result().stdout))
        else:
            assert (1, "") == (done.result().returncode, done.result().stdout)
            assert "access" in done.result().stderr.lower()

    def test_somebody_looks_at_unrouted_results(self, grant: Grant, limited_url: str, shop: Workshop) -> None:
        """And takes them."""
        _topology(shop)
        grant(_other_rights("`iton-worker results --unrouted`"))
        with open_channel(shop.amqp_url) as channel:
            channel.basic_publish(f"{shop.prefix}.results.unrouted", "send.accepted", b'{"job_id": "a"}')
        env = shop.environment(AMQP_URL=limited_url)
        for command in (["--unrouted"], ["--unrouted", "--take"]):
            done = run_program("results", "--json", *command, env=env, cwd=shop.folder)
            assert (0, {"job_id": "a"}) == (done.returncode, json.loads(done.stdout)), done.stderr

    def test_an_operator_replays_dead_letters(self, grant: Grant, limited_url: str, shop: Workshop) -> None:
        """List, and put back into the work queue."""
        _topology(shop)
        with open_channel(shop.amqp_url) as channel:
            channel.basic_publish(f"{shop.prefix}.dead", "send", b'{"job_id": "a"}', mandatory=True)
        grant(_other_rights("`iton-worker dead`"))
        env = shop.environment(AMQP_URL=limited_url, AMQP_DECLARE="false")
        for command in (["list"], ["replay", "--all", "--yes", "--force"]):
            done = run_program("dead", *command, env=env, cwd=shop.folder)
            assert done.returncode == 0, done.stdout + done.stderr
        with open_channel(shop.amqp_url) as channel:
            assert wait_message(channel, f"{shop.prefix}.send")[2] == b'{"job_id": "a"}'
