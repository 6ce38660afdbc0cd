"""A campaign of many jobs, and the reckoning: what became of each recipient."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

import aio_pika
from aio_pika.exceptions import DeliveryError

from tests.support.deadline import DEADLINE
from tests.support.results_side import WORK_QUEUES, Collector, Producer, Queues, Result, numbers
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import NotInTimeError, wait_until

_TOGETHER = 200
_AGAIN = 0.2  # seconds


@dataclass(frozen=True)
class Reckoning:
    """What became of a campaign, counted at the gateway, in the results and in the queues.

    Attributes:
        outcomes: recipients by outcome, each counted once.
        lost: recipients that no result names.
        doubled: texts that somebody got too often.
        foreign_ids: accepted recipients whose id is not the one that the gateway gave.
        results: that arrived.
        repeated: of those, results that had arrived before, the same.
        changed: of those, results that came again with other content.
        dead: dead letters.
        waiting: jobs and parts that are still in a work queue.
    """

    jobs: int
    recipients: int
    outcomes: Mapping[str, int]
    lost: int
    doubled: int
    foreign_ids: int
    results: int
    repeated: int
    changed: int
    dead: int
    waiting: int

    @property
    def faults(self) -> dict[str, int]:
        """What must not be, by name; empty where all is well. A result that came twice is no fault."""
        counts = {
            "not accepted": self.recipients - self.outcomes.get("accepted", 0),
            "lost": self.lost,
            "doubled": self.doubled,
            "foreign ids": self.foreign_ids,
            "changed results": self.changed,
            "dead letters": self.dead,
            "left in queues": self.waiting,
        }
        return {name: count for name, count in counts.items() if count}

    def __str__(self) -> str:
        accepted = self.outcomes.get("accepted", 0)
        return (
            f"jobs {self.jobs}, recipients {self.recipients}, accepted {accepted}, lost {self.lost}, "
            f"doubled {self.doubled}, dead letters {self.dead}, results {self.results} "
            f"(the same one again: {self.repeated})"
        )


@dataclass
class Campaign:
    """Jobs with one text, each number once, for which DND does not matter.

    Attributes:
        text: of every job; no other campaign at the same gateway has it.
        wanted: recipients by job id.
    """

    producer: Producer
    collector: Collector
    gateway: SimulatorProcess
    url: str
    text: str
    wanted: dict[str, Sequence[str]] = field(default_factory=dict)

    def publish(self, jobs: int) -> None:
        """Publish *jobs* of one recipient each, many at once; return when all are confirmed."""
        first = len(self.wanted)
        names = numbers(first + jobs)[first:]
        bodies = [json.dumps(self._job(f"{self.text}-{name}", [name])).encode() for name in names]
        asyncio.run(_publish_all(self.url, f"{self.producer.prefix}.jobs", bodies))

    def publish_large(self, recipients: int) -> None:
        """Publish one job for *recipients* numbers."""
        self.producer.publish(self._job(f"{self.text}-large", numbers(recipients)))

    @contextmanager
    def flowing(self, per_second: float) -> Iterator[None]:
        """Publish a job of one recipient every so often, each confirmed, while the block lasts."""
        stop = threading.Event()
        names = iter(numbers(1_000_000))
        failed: list[BaseException] = []

        def flow() -> None:
            try:
                producer = Producer(self.url, self.producer.prefix)
                while not stop.wait(1 / per_second):
                    name = next(names)
                    producer.publish(self._job(f"{self.text}-{name}", [name]))
                producer.close()
            except BaseException as error:  # noqa: BLE001 - it is raised in the test's own thread
                failed.append(error)

        thread = threading.Thread(target=flow, daemon=True, name="flow")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(DEADLINE)
        if failed:
            raise failed[0]

    def _job(self, job_id: str, recipients: list[str]) -> dict[str, object]:
        self.wanted[job_id] = recipients
        return {"job_id": job_id, "recipients": recipients, "text": self.text, "category": "service"}

    def sent(self) -> int:
        """Return how many calls the gateway has carried out."""
        return int(self.gateway.state()["sent"]["calls"])

    def wait_sent(self, calls: int, within: float = DEADLINE) -> None:
        """Wait until the gateway has carried out so many calls."""
        wait_until(lambda: self.sent() >= calls, f"{calls} calls carried out", within)

    def wait_done(self, within: float = DEADLINE) -> None:
        """Wait until every job has all its results."""
        try:
            wait_until(self._done, f"every outcome of {len(self.wanted)} jobs", within)
        except NotInTimeError as error:
            raise NotInTimeError(f"{error}; {self._progress()}") from None

    def _progress(self) -> str:
        results = self._results()
        queues = Queues(self.producer)
        waiting = {name: queues.count(name) for name in (*WORK_QUEUES, "dead")}
        missing = sorted(self.wanted.keys() - {one.job_id for one in results})
        return f"{self.sent()} calls, {len(results)} results, in queues {waiting}, missing {missing[:5]}"

    def _done(self) -> bool:
        results = self._results()
        if len(results) < len(self.wanted):
            return False
        seen = {one.properties.message_id: one for one in results}
        parts = Counter(one.job_id for one in seen.values())
        due = {one.job_id: int(one.body["parts"]) for one in seen.values()}
        return all(parts[job] == due.get(job, 1) for job in self.wanted)

    def _results(self) -> list[Result]:
        return [one for one in self.collector.all if one.job_id in self.wanted]

    def arrivals(self) -> list[float]:
        """Return when the gateway carried out each call, seconds since the epoch, in order."""
        return sorted(datetime.fromisoformat(one["at"]).timestamp() for one in self.gateway.sends(self.text))

    def reckoning(self, queues: Queues) -> Reckoning:
        """Add up, when the queues are empty: what is delivered again is settled a moment after its result."""
        self._wait_empty(queues)
        results = self._results()
        contents: dict[str, set[bytes]] = {}
        for one in results:
            contents.setdefault(str(one.properties.message_id), set()).add(one.raw)
        last = {one.properties.message_id: one for one in results}.values()
        found = [pair for one in last for pair in one.outcomes.items()]
        named = {(one.job_id, name) for one in last for name in one.outcomes}
        expected = {(job, name) for job, names in self.wanted.items() for name in names}
        times = self.gateway.times(self.text)
        drawn = self._drawn()
        return Reckoning(
            jobs=len(self.wanted),
            recipients=len(expected),
            outcomes=Counter(outcome for _, outcome in found),
            lost=len(expected - named),
            doubled=sum(count - 1 for count in times.values()),
            foreign_ids=sum(drawn.get(name) != key for one in last for name, key in one.ids.items()),
            results=len(results),
            repeated=len(results) - len(contents),
            changed=sum(len(bodies) > 1 for bodies in contents.values()),
            dead=queues.count("dead"),
            waiting=sum(queues.count(name) for name in WORK_QUEUES),
        )

    @staticmethod
    def _wait_empty(queues: Queues) -> None:
        with suppress(NotInTimeError):  # then the sum says how many are left
            wait_until(lambda: not any(map(queues.count, WORK_QUEUES)), "empty queues")

    def _drawn(self) -> dict[str, str]:
        """Return the id that the gateway gave out last, by number."""
        sends = self.gateway.sends(self.text)
        return {name: key for send in sends for name, key in zip(send["to"], send["ids"], strict=True)}


async def _publish_all(url: str, exchange_name: str, bodies: Sequence[bytes]) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await channel.get_exchange(exchange_name, ensure=False)
        for start in range(0, len(bodies), _TOGETHER):
            few = bodies[start : start + _TOGETHER]
            await asyncio.gather(*(_publish(exchange, body) for body in few))


async def _publish(exchange: aio_pika.abc.AbstractExchange, body: bytes) -> None:
    message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    while True:
        try:
            await exchange.publish(message, "send")
        except DeliveryError:
            # RabbitMQ: a quorum queue whose leader does not answer in time refuses what it does not take.
            await asyncio.sleep(_AGAIN)
        else:
            return
