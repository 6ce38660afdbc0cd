"""What must go on, and how fast."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from tests.worlds import hours, jobs
from tests.worlds.gateway import concerns
from tests.worlds.history import History
from tests.worlds.latency import longest, mean
from tests.worlds.plan import Job, Trouble

_WORKS_AGAIN = 10.0  # seconds after an outage (contract, 1.7)
_TAKEN_OVER = 15.0  # seconds on top of ITON_TIMEOUT (contract, 1.7)
_USED = 0.7  # of what the gateway allows
_SLOWED = 1.5  # times what a job takes without another's trouble
_LEEWAY = 3.0  # seconds


def done_at(history: History) -> Mapping[str, float]:
    """When each job had a result of each of its parts."""
    done: dict[str, float] = {}
    parts: dict[str, set[int]] = defaultdict(set)
    for published, result in history.results:
        name = result.get("job_id") or ""
        if name in done:
            continue
        parts[name].add(result.get("part", 1))
        if len(parts[name]) >= result.get("parts", 1):
            done[name] = published.at
    return done


def it_ends(history: History) -> Iterator[str]:
    """All work is done some time after the last trouble."""
    if history.stuck:
        yield history.stuck
    elif not history.finished:
        done = done_at(history)
        open_jobs = [job.name for _, job in history.submitted if job.name not in done]
        yield f"the work never ended; without result: {open_jobs[:5]}, waiting: {history.waiting[-1:]}"


def goes_on_after_an_outage(history: History) -> Iterator[str]:
    """Within 10 s of an outage's end the gateway is called again, and what waited is done soon."""
    world = history.world
    outages = [each for each in world.troubles if _is_outage(each)]
    if len(outages) != len(world.troubles):
        return  # what else goes wrong may take its time
    done = done_at(history)
    for outage in outages:
        end = history.began + outage.end
        if any(other is not outage and other.end > outage.end for other in outages):
            continue
        waited = [
            job
            for at, job in history.submitted
            if at < end - 1
            and done.get(job.name, end + 1) > end
            and hours.due(world, history.began, at, job) < end - 1
            and not _meets_the_end_of_hours(history, job, end)
        ]
        stopped = {job.target for _, job in history.submitted if job.kind == "cancel"}
        needing = [
            job
            for job in waited
            if job.name not in stopped and _needs(outage, job.kind, promotional=job.promotional)
        ]
        if not needing:
            continue
        command = outage.target if outage.kind == "command" else ""
        again = [
            call.at
            for call in history.calls
            if call.at >= end and not call.refused and _is(call.command, command)
        ]
        own = _swallowed(history, end)
        waits = any(jobs.text(job) not in own for job in needing)
        if waits and (not again or again[0] > end + _WORKS_AGAIN):
            when = f"{again[0] - end:.1f} s later" if again else "never"
            yield f"{outage.how} ended at {outage.end:.1f}; the first call came {when}"
        limit = end + _WORKS_AGAIN + 5 + 2 * seconds_for(history)
        limits = {job.name: max(limit, own.get(jobs.text(job), 0.0) + world.timeout + 5) for job in needing}
        late = [name for name, until in limits.items() if done.get(name, until + 1) > until]
        if late:
            many = f"{len(late)} of {len(needing)} jobs were late, {late[0]} first"
            yield f"{outage.how} ended at {outage.end:.1f}; {many}"


def _meets_the_end_of_hours(history: History, job: Job, end: float) -> bool:
    """Whether *job* may have to wait for the hours once more, at the *end* of an outage or soon after it."""
    if not hours.apply_to(job):
        return False
    limit = end + _WORKS_AGAIN + 5 + 2 * seconds_for(history)
    return any(not hours.are_open(history.world, at) for at in (end, limit))


def _swallowed(history: History, end: float) -> Mapping[str, float]:
    """When each text's last call was made that has no reply: nobody may ask for it again."""
    return {call.text: call.at for call in history.sends() if call.at < end and call.reached is None}


def _is(command: str, wanted: str) -> bool:
    return command == wanted if wanted else command == "sendSMS"


def _is_outage(trouble: Trouble) -> bool:
    return trouble.kind in {"gateway", "account", "command"} and trouble.chance == 1


def _needs(outage: Trouble, kind: str, *, promotional: bool) -> bool:
    if outage.kind != "command":
        return kind == "send"
    return {
        "sendSMS": kind == "send",
        "check_DNDnumber": kind == "send" and promotional,
        "message_status": kind == "status",
        "account": False,
    }[outage.target]


def seconds_for(history: History) -> float:
    """Return how long all calls of this world take at the rate that it allows."""
    return len(list(history.sends())) / max(allowed_rate(history), 0.1)


def allowed_rate(history: History) -> float:
    """Return the sendSMS calls a second that gateway and settings allow, beside the lookups for them."""
    world = history.world
    variables = world.environment
    most = int(variables.get("WORKER_MAX_CALLS", "800")) - int(variables.get("WORKER_URGENT_CALLS", "20"))
    at_once = max(most, 1) * world.workers
    if world.gateway.connections:
        at_once = min(at_once, world.gateway.connections)
    rates = [at_once / (mean(world.gateway.send, at_once) + 2 * world.ledger_delay + _lookup(history))]
    rates += [rate for rate in (world.gateway.rate, float(variables.get("ITON_RATE_LIMIT", "0"))) if rate]
    return min(rates)


def _lookup(history: History) -> float:
    """Return the seconds of lookups for each sendSMS call, which take of the same calls at once.

    One for each job that needs it is the most that is allowed for.
    """
    asked = sum(call.command == "check_DNDnumber" for call in history.calls)
    needed = sum(job.promotional for job in history.world.jobs)
    sends = max(len(list(history.sends())), 1)
    return min(asked, needed) * mean(history.world.gateway.read) / sends


def keeps_pace(history: History) -> Iterator[str]:
    """Calls are made at 70 % at least of the rate that the gateway allows."""
    if history.world.theme != "pace":
        return
    sent = sorted(call.sent for call in history.sends() if call.sent is not None)
    if not sent:
        yield "nothing was sent"
        return
    first, last = sent[len(sent) // 5], sent[len(sent) * 4 // 5]
    # Once in a burst all that is left of it may wait for a lookup.
    idle = mean(history.world.gateway.read) if any(job.promotional for job in history.world.jobs) else 0.0
    rate = 0.6 * len(sent) / max(last - first - idle, 0.001)
    allowed = allowed_rate(history)
    if rate < _USED * allowed:
        yield f"{rate:.1f} calls a second where {allowed:.1f} are allowed ({rate / allowed:.0%})"


def is_taken_over(history: History) -> Iterator[str]:
    """What a killed worker had called has its results in time."""
    world = history.world
    if any(each.kind in {"broker", "ledger", "freeze"} for each in world.troubles):
        return
    back = max((each.seconds for each in world.troubles if each.kind in {"kill", "stop"}), default=0.0)
    # What asked for a repeat may have to wait with it, for the hours or for the end of an outage.
    in_hours = {jobs.text(job): hours.apply_to(job) for job in world.jobs if job.resend}
    for life in history.lives:
        if life.how != "killed" or life.ended is None:
            continue
        wait = (0.0 if world.workers > 1 else back + 2) + world.timeout + _TAKEN_OVER
        others = [each.ended for each in history.lives if each.how == "killed" and each.ended]
        limit = max([life.ended, *[at for at in others if at <= life.ended + wait]]) + wait
        away = any(
            each.kind in {"gateway", "account"} and each.chance == 1
            for each in world.troubles
            if history.began + each.at < limit < history.began + each.end + _WORKS_AGAIN
        )
        texts = {
            (call.text, number)
            for call in history.sends()
            if call.host == life.host and (call.ended is None or call.ended > life.ended)
            if call.text not in in_hours
            or not (away or (in_hours[call.text] and not hours.are_open(world, limit)))
            for number in call.numbers
        }
        for text, number in texts:
            named = _first_named(history, text, number)
            if named is None or named > limit:
                late = f"{named - life.ended:.1f} s later" if named else "never"
                killed = f"{life.host} was killed at {life.ended - history.began:.1f}"
                yield f"{killed}; {number} had its result {late}"
                return


def _first_named(history: History, text: str, number: str) -> float | None:
    names = {job.name for _, job in history.submitted if job.kind == "send" and jobs.text(job) == text}
    return next(
        (
            published.at
            for published, result in history.results
            if result.get("job_id") in names
            and any(one["recipient"] == number for one in result.get("recipients", ()))
        ),
        None,
    )


def nobody_is_blamed(history: History) -> Iterator[str]:
    """Trouble of one job alone leaves every worker ready; consumers that come and go take a round trip."""
    if not history.world.is_about_own_trouble:
        return
    looks = {(host, round(at - history.began)): reasons for at, host, reasons in history.unready}
    for (host, at), reasons in looks.items():
        if (host, at + 1) in looks:
            yield f"{host} was not ready at {at}: {reasons}"
            return


def slows_nobody(history: History, calm: History) -> Iterator[str]:
    """Jobs take as long as in the same world without another job's trouble."""
    own = [each for each in history.world.troubles if each.kind in {"own", "command"}]
    done, before = done_at(history), done_at(calm)
    texts = {call.text for call in history.sends() if any(concerns(each, call) for each in own)}
    concerned = {job.name for job in history.world.jobs if jobs.text(job) in texts}
    kinds = {each.target for each in own if each.kind == "command"}
    gateway = history.world.gateway
    leeway = _LEEWAY + longest(gateway.send) + longest(gateway.read)
    for at, job in history.submitted:
        if job.kind in {"hostile", "api"} or (job.kind == "send" and job.name in concerned):
            continue
        if _asks(job.kind, promotional=job.promotional) & kinds:
            continue
        took, alone = done.get(job.name, at + 9_999) - at, before.get(job.name, at) - at
        if took > alone * _SLOWED + leeway:
            yield f"{job.name} took {took:.1f} s in place of {alone:.1f} s"
            return


def _asks(kind: str, *, promotional: bool) -> set[str]:
    if kind == "send":
        return {"sendSMS", *(["check_DNDnumber"] if promotional else [])}
    return {"status": {"message_status"}, "account": {"account"}}.get(kind, set())


PROGRESS = (
    it_ends,
    goes_on_after_an_outage,
    keeps_pace,
    is_taken_over,
    nobody_is_blamed,
)
