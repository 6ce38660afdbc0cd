"""``python -m tests.soak.rush``: jobs that were held go out when the hours begin, and urgent ones beside.

First the same load that nobody holds, as a measure; then as many as asked for are held and let go. With
``--ends`` the hours end a minute after they have begun, and what that costs is told.
"""

import argparse
import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta

import psutil

from bench.line import Line
from bench.processes import Tree
from tests.soak.rush_sides import (
    RESULTS,
    Seen,
    Urgent,
    bulk_jobs,
    open_stage,
    publish,
    put_held,
    warnings_of,
)
from tests.soak.rush_stage import Peaks, Rush, speed, tenths
from tests.support.worker_process import wait_until

_QUIET = 20.0  # seconds of urgent jobs alone
_AFTER = 110.0  # seconds from the end of the hours in which workers still look into the held queues


def _hours(begin: datetime, end: datetime) -> dict[str, str]:
    window = f"{begin:%H:%M}-{end:%H:%M}"
    return {"WORKER_PROMOTIONAL_HOURS": window, "WORKER_HOURS_TIMEZONE": "UTC"}


def _closed() -> dict[str, str]:
    now = datetime.now(UTC)
    return _hours(now + timedelta(hours=6), now + timedelta(hours=7))


def _minute(after: float) -> datetime:
    """The first full minute after so many seconds."""
    return (datetime.now(UTC) + timedelta(seconds=after + 60)).replace(second=0, microsecond=0)


def main() -> int:
    """Rush, print the figures, return 0 if each job was sent once."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.rush", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument(
        "--taken", type=int, default=100_000, help="of them by the worker; the others are put where it would"
    )
    parser.add_argument("--plain", type=int, default=60_000, help="jobs of the load that nobody holds")
    parser.add_argument("--urgent", type=float, default=20.0, help="urgent jobs a second")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds of a call")
    parser.add_argument("--ends", action="store_true", help="the hours end after a minute, and begin again")
    options = parser.parse_args()
    with open_stage("rush", options.latency, LOG_LEVEL="warning", **_closed()) as stage:
        broker, prefix, stub, workshop = stage
        node = Tree(_listener(broker.port))
        seen = Seen.of(options.plain + options.jobs)
        rush = Rush(broker.url, prefix, node, stub, workshop, seen, options.urgent)
        return asyncio.run(_rush(rush, options))


def _listener(port: int) -> int:
    """The process that listens there."""
    found = (one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN)
    return next(int(one.pid) for one in found if one.laddr.port == port and one.pid)


async def _rush(rush: Rush, options: argparse.Namespace) -> int:
    line = await Line.open(rush.url, RESULTS, rush.seen.take)
    urgent = asyncio.create_task(_nothing())
    try:
        await _plain(rush, line, options.plain)
        await _held(rush, options)
        urgent = asyncio.create_task(Urgent(line, rush.prefix, rush.seen, rush.rate).run())
        began = time.monotonic()
        await asyncio.sleep(_QUIET)
        rush.tell("alone", began + 2, time.monotonic() - 1)
        if options.ends:
            await _ended(rush)
        await _opened(rush, options)
    finally:
        urgent.cancel()
        line.close()
    return _judged(rush, options)


async def _nothing() -> None:
    """Be a task."""


async def _plain(rush: Rush, line: Line, jobs: int) -> None:
    """The same load, which nobody holds: it waits in its queue when a worker starts."""
    rush.workshop.workers[-1].terminate()
    await asyncio.to_thread(publish, rush.url, rush.prefix, bulk_jobs(0, jobs))
    await asyncio.to_thread(wait_until, lambda: rush.depth("send") == jobs, "all are there", 120, every=0.5)
    await asyncio.to_thread(rush.start, {})
    urgent = asyncio.create_task(Urgent(line, rush.prefix, rush.seen, rush.rate).run())
    began = time.monotonic()
    await rush.until(lambda: rush.seen.total >= jobs, 600)
    rush.say("not held", f"{jobs:,} jobs, {speed(rush)}")
    rush.tell("beside jobs that nobody held", began + 2, time.monotonic() - 1)
    urgent.cancel()
    rush.seen.by_second.clear()


async def _held(rush: Rush, options: argparse.Namespace) -> None:
    await asyncio.to_thread(rush.start, _closed())
    began, before = time.monotonic(), rush.stub.ask("state")["messages"]
    taken = min(options.taken, options.jobs)
    took = await asyncio.to_thread(publish, rush.url, rush.prefix, bulk_jobs(options.plain, taken))
    await rush.until(lambda: rush.depth("send.held") == taken, 3600)
    seconds = time.monotonic() - began
    rush.say("published", f"{taken:,} jobs in {took:.0f} s, {taken / took:,.0f} a second")
    rush.say("held by the worker", f"all after {seconds:.0f} s, {taken / seconds:,.0f} a second")
    if rest := options.jobs - taken:
        began = time.monotonic()
        jobs = bulk_jobs(options.plain + taken, rest)
        ledger = rush.worker.env["LEDGER_URL"]
        filling = asyncio.create_task(asyncio.to_thread(put_held, rush.url, rush.prefix, ledger, jobs))
        await rush.until(filling.done, 3600)
        await filling
        await rush.until(lambda: rush.depth("send.held") == options.jobs, 600)
        rush.say("put into the held queue", f"{rest:,} more in {time.monotonic() - began:.0f} s")
    rush.say("texts meanwhile", f"{rush.stub.ask('state')['messages'] - before:,}")
    rush.say("redeliveries meanwhile", f"{rush.metric('redeliveries_total'):,.0f}")
    rush.say("memory by then", f"broker {rush.peaks.broker:,.0f} MB, worker {rush.peaks.worker:,.0f} MB")


async def _ended(rush: Rush) -> None:
    """Have the hours begin and end a minute later."""
    begin = _minute(15)
    end = begin + timedelta(minutes=1)
    await asyncio.to_thread(rush.start, _hours(begin, end))
    await asyncio.sleep((end - datetime.now(UTC)).total_seconds())
    sent, again, cpu = rush.seen.total, rush.metric("redeliveries_total"), Tree(rush.worker.pid).cpu()
    await asyncio.sleep(_AFTER)
    after = rush.metric("redeliveries_total") - again
    rush.say("sent in the minute", f"{rush.seen.by_second.total():,}")
    rush.say("sent after its end", f"{rush.seen.total - sent:,}, which were under way")
    rush.say(
        f"redeliveries in {_AFTER:.0f} s from the end",
        f"{after:,.0f}; processor {Tree(rush.worker.pid).cpu() - cpu:.1f} s",
    )
    rush.say("redeliveries by then", f"{rush.metric('redeliveries_total'):,.0f}")
    rush.seen.by_second.clear()


async def _opened(rush: Rush, options: argparse.Namespace) -> None:
    begin = _minute(15)
    await asyncio.to_thread(rush.start, _hours(begin, begin + timedelta(hours=5)))
    rush.peaks = Peaks()
    held = rush.depth("send.held")
    await asyncio.sleep((begin - datetime.now(UTC)).total_seconds())
    began = time.monotonic()
    await rush.until(lambda: rush.seen.total >= options.plain + options.jobs, 3600)
    first = min(rush.seen.by_second) - begin.timestamp()
    rush.say("the hours begin", f"{held:,} jobs, the first results within {first + 1:.0f} s, {speed(rush)}")
    rush.say("speed by tenths of the rush, jobs a second", tenths(rush.seen.by_second))
    rush.tell("in the rush", began, time.monotonic() - 1)
    rush.tell("in its first 20 s", began, min(began + 20, time.monotonic() - 1))
    rush.say("redeliveries in the rush", f"{rush.metric('redeliveries_total'):,.0f}")
    rush.say("memory in the rush", f"broker {rush.peaks.broker:,.0f} MB, worker {rush.peaks.worker:,.0f} MB")


def _judged(rush: Rush, options: argparse.Namespace) -> int:
    state = rush.stub.ask("state")
    missing = rush.seen.bulk.count(0)
    urgent = len(rush.seen.due.keys() - rush.seen.done.keys())
    doubles = state["messages"] - state["distinct"]
    rush.say("texts", f"{state['messages']:,}, twice: {doubles}; jobs without a result: {missing}")
    rush.say("results again", f"{rush.seen.repeated:,}")
    rush.say("warnings of the workers", warnings_of(rush.workshop))
    kept = not missing and not doubles and urgent <= rush.rate
    kept = kept and state["distinct"] >= options.plain + options.jobs
    print("the promise was kept" if kept else "THE PROMISE WAS BROKEN")  # noqa: T201 - as above
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
