"""Plays rows of the crash table: a worker dies at the row's moment, clean ones finish its work."""

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.broker import own_prefix
from tests.support.chaos_gateway import GatewayLoop, LocalGateway, gateway_loop
from tests.support.chaos_process import ForkedWorker
from tests.support.chaos_rows import WALKS, Row, Walk
from tests.support.results_side import Producer, Queues
from tests.support.used_prefix import used_prefix
from tests.support.worker_process import wait_until, worker_environment

_AT_ONCE = 5  # rows; most of their time they wait for a lease to run out
_LOOK_EVERY = 0.1  # seconds; a look is half a dozen questions to the broker, for each row under way
_QUEUES = ("send", "send.parts", "status", "account", "cancel", "delay.1s")
_TRACKING = ("status.track", "delay.track.1s", "delay.track.4s")
_SETTINGS = {
    "ITON_TIMEOUT": 3,
    "WORKER_RETRY_ATTEMPTS": 1,
    "WORKER_RETRY_DELAYS": 1,
    # One at a time, so that the steps of two parts do not mix.
    "WORKER_PREFETCH": 1,
    "LOG_LEVEL": "debug",
}


@dataclass(frozen=True)
class Aftermath:
    """What is there when all is over.

    Attributes:
        exit_code: of the first worker; 0 where nothing killed it.
        steps: of the first worker.
        results: routing key and body, in the order of arrival.
        ids: message ids that the gateway drew, by recipient.
        dead: bodies of the dead letters.
        log: the end of the last worker's log.
    """

    exit_code: int
    steps: list[str]
    results: list[tuple[str, str, dict[str, Any]]]
    ids: Mapping[str, list[str]]
    calls: int
    dead: list[bytes]
    log: str


Played = dict[str, Aftermath | AssertionError]


def play(rows: Sequence[Row], amqp_url: str, folder: Path, **settings: object) -> Played:
    """Play all *rows*, some at the same time, each on a prefix and a gateway of its own.

    A row that went wrong holds its error, so that the others can still be looked at.
    """
    with gateway_loop() as gateways, ThreadPoolExecutor(_AT_ONCE) as pool:
        runs = {
            row.id: pool.submit(_Run(row, amqp_url, folder / str(number), settings).play, gateways)
            for number, row in enumerate(rows)
        }
        return {row_id: _result(run) for row_id, run in runs.items()}


def _result(run: Future[Aftermath]) -> Aftermath | AssertionError:
    try:
        return run.result()
    except AssertionError as error:
        return error


class _Run:
    """One row under way."""

    def __init__(self, row: Row, amqp_url: str, folder: Path, settings: Mapping[str, object]) -> None:
        self._row = row
        self._walk = WALKS[row.walk]
        self._amqp_url = amqp_url
        self._folder = folder
        self._settings = {**_SETTINGS, **self._walk.settings, **settings}

    def play(self, gateways: GatewayLoop) -> Aftermath:
        """Kill, finish, look."""
        with ExitStack() as stack:
            # The jobs of all rows have the same ids, by prefix; a file of the row's own knows no other's.
            new = own_prefix if "LEDGER_URL" in self._settings else used_prefix
            prefix = stack.enter_context(new(self._amqp_url))
            gateway = stack.enter_context(gateways.gateway(**self._walk.gateway))
            first = self._worker(stack, prefix, gateway, "first", doomed=True)
            first.wait_up(lambda: gateway.calls("account") > 0 and self._connected(first))
            for fault in self._walk.faults:
                gateway.fault(**fault)
            producer = stack.enter_context(closing(Producer(self._amqp_url, prefix)))
            self._publish(producer)
            board = _Board(Queues(producer), self._walk)
            last = first
            if self._row.moment is None:
                board.wait_quiet(first)
            else:
                first.wait_dead()
            for number in range(3):
                if board.is_finished():
                    break
                last = self._worker(stack, prefix, gateway, f"clean-{number}", doomed=False)
                board.wait_quiet(last)
            return board.aftermath(first, last, gateway)

    def _worker(
        self, stack: ExitStack, prefix: str, gateway: LocalGateway, name: str, *, doomed: bool
    ) -> ForkedWorker:
        env = worker_environment(
            amqp_url=self._amqp_url,
            prefix=prefix,
            gateway_url=gateway.url,
            folder=self._folder,
            **self._settings,
        )
        moment = self._row.moment if doomed else None
        gathers = len(self._walk.jobs) if doomed and self._walk.others else 0
        worker = ForkedWorker(env, self._folder, name=name, moment=moment, gathers=gathers)
        stack.callback(worker.kill)
        return worker

    @staticmethod
    def _connected(worker: ForkedWorker) -> bool:
        return worker.events("broker.connected") >= 2

    def _publish(self, producer: Producer) -> None:
        for job_id, job in self._walk.jobs.items():
            body = job if isinstance(job, bytes) else {"job_id": job_id, **job, **_in_time(job)}
            producer.publish(body, self._walk.key)


def _in_time(job: Mapping[str, Any]) -> dict[str, str]:
    """The time at which a job is to go out, by the clock."""
    if "send_after" not in job:
        return {}
    return {"send_after": (datetime.now(UTC) + timedelta(seconds=job["send_after"])).isoformat()}


class _Board:
    """What the broker holds for one prefix."""

    def __init__(self, queues: Queues, walk: Walk) -> None:
        self._queues = queues
        self._walk = walk
        self._results: list[tuple[str, str, dict[str, Any]]] = []
        self._dead: list[bytes] = []

    def wait_quiet(self, worker: ForkedWorker) -> None:
        """Let *worker* finish whatever there is, then stop it cleanly."""
        wait_until(
            lambda: self._is_whole() and self._is_empty(), f"an end; {worker.log}", 40, every=_LOOK_EVERY
        )
        worker.terminate()
        code = worker.wait_dead()
        assert code == 0, worker.tail()

    def is_finished(self) -> bool:
        """Whether all results are there and nothing is in a queue; with nobody at work that is for good."""
        return self._is_whole() and self._is_empty()

    def aftermath(self, first: ForkedWorker, last: ForkedWorker, gateway: LocalGateway) -> Aftermath:
        """Look at everything."""
        self._look()
        return Aftermath(
            exit_code=first.exit_code or 0,
            steps=first.steps,
            results=self._results,
            ids=gateway.ids(),
            calls=gateway.state()["sent"]["calls"],
            dead=self._dead,
            log=last.tail(),
        )

    def _look(self) -> None:
        arrived = self._queues.drain("results.unrouted")
        self._results += [(key, props.message_id or "", json.loads(body)) for key, props, body in arrived]
        self._dead += [body for _, _, body in self._queues.drain("dead")]

    def _is_whole(self) -> bool:
        self._look()
        if self._walk.dead and not self._dead:
            return False
        by_job: dict[str, list[dict[str, Any]]] = {}
        for _, _, body in self._results:
            by_job.setdefault(body.get("job_id") or "", []).append(body)
        return len(by_job) == len(self._walk.jobs) and all(map(self._has_all, by_job.values()))

    def _has_all(self, results: Sequence[Mapping[str, Any]]) -> bool:
        parts = {body.get("part", 1) for body in results if "track" not in body}
        whole = len(parts) == int(results[0].get("parts", 1))
        return whole and (not self._walk.tracked or set(followed(results)) <= set(ends(results)))

    def _is_empty(self) -> bool:
        names = (*_QUEUES, *_TRACKING) if self._walk.tracked else _QUEUES
        return not any(self._queues.count(name) for name in names)


def followed(results: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids of the messages that send results name."""
    rows = (row for body in results if "track" not in body for row in body["recipients"])
    return [row["message_id"] for row in rows if "message_id" in row]


def ends(results: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids in tracked results, as often as they are in one."""
    return [one["message_id"] for body in results if "track" in body for one in body["messages"]]
