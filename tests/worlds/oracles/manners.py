"""What a good neighbour does not do: hammer, hold, go round in circles, leave things behind."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.worlds import hours, jobs
from tests.worlds.gateway import concerns
from tests.worlds.history import History

_TAKEN_OVER = 15.0  # seconds on top of ITON_TIMEOUT (contract, 1.7)
_IN_HAND = 2 * 50 + 6 * 1_000  # messages: the prefetch of each urgent and each other lane
_BODIES = 100_000_000  # bytes: 64 MiB of all lanes, light ones of each, and one of the largest kind
_FEW = 12  # messages that a worker may hold in an outage: two of each lane
_KEPT = 5  # looks, a second apart: what is only looked at is gone by then
_ROUNDS = 60  # calls in all of a delivery's rounds: five of eight, some of which do not count
_TRIAL = 2.0  # seconds between two trials at the least, where nobody is served
_TRIES = 6  # of one call, that may fall into one second by chance


def within_rate(history: History) -> Iterator[str]:
    """No more calls a second than the setting allows, bursts of one second's worth apart."""
    rate = float(history.world.environment.get("ITON_RATE_LIMIT", "0"))
    calls = [call.at for call in history.calls]
    for first, last in zip(calls, calls[int(rate * 12) :], strict=False):
        if rate and last - first < 10:
            yield f"{int(rate * 12) + 1} calls in {last - first:.1f} s, where {rate:.0f} a second are allowed"
            return


def pauses_between_tries(history: History) -> Iterator[str]:
    """What was refused is not tried again at once, again and again; each worker has to find an outage out."""
    most = _TRIES * history.world.workers
    tried: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for call in history.sends():
        tried[call.text, *call.numbers].append(call.at)
    for what, times in tried.items():
        for first, last in zip(times, times[most:], strict=False):
            if last - first < 1:
                yield f"{what[0][:20]!r} was called {most + 1} times in {last - first:.2f} s"
                return


def few_copies(history: History) -> Iterator[str]:
    """Nothing goes round and round."""
    world = history.world
    breaks = sum(each.kind in {"kill", "stop", "freeze", "broker"} for each in world.troubles) * world.workers
    trouble = sum(each.seconds for each in world.troubles)
    # What is held is looked at as in an outage, for a while.
    trouble += hours.closed_seconds(world, history.began, history.ended)
    # A look each 3.3 s hands out what waits, and once more as it ends, before the consumer is gone.
    most = 10 + 2 * breaks + world.workers * trouble * 0.7 + len(history.cancelled)
    worst = max(history.deliveries.values(), default=0)
    if worst > most:
        yield f"one message was delivered {worst} times, where {most:.0f} are enough"
    copies = Counter(
        (each.properties.message_id, each.exchange)
        for each in history.published
        if ".results." in each.exchange and each.properties.message_id
    )
    repeats = Counter(job.name for _, job in history.submitted)
    for (name, exchange), times in copies.items():
        job = name.rpartition("/")[0]
        if times > most + 2 * repeats[job]:
            yield f"{name} was published {times} times on {exchange}"


def gentle_in_an_outage(history: History) -> Iterator[str]:
    """A gateway that is away is asked now and then, and workers hold little that needs it."""
    world = history.world
    for outage in world.troubles:
        if outage.kind not in {"gateway", "account"} or outage.chance < 1:
            continue
        begin, end = history.began + outage.at, history.began + outage.end
        asked = sum(begin + 5 < call.at < end for call in history.calls)
        if outage.seconds > 10 and asked > 4 * world.workers * (outage.seconds - 5):
            yield f"{asked} calls in {outage.seconds - 5:.0f} s of {outage.how}"
        if any(each.kind == "broker" for each in world.troubles):
            continue  # what is given back may not arrive there
        for life in history.lives:
            # What one worker gives back comes to the next one: each is looked at by itself. One that is
            # started in the outage, or goes on in it, has to find out, as those who were there had.
            host = life.host
            awake = [each.ended for each in history.frozen if each.host == host and each.began < end]
            settled = max(begin, life.began, *awake) + world.timeout + _TAKEN_OVER
            held = [
                0 if history.is_frozen(host, at) else hands.get(host, 0)
                for at, hands in history.in_hand
                if settled < at < end
            ]
            kept = [min(held[index : index + _KEPT]) for index in range(len(held) - _KEPT)]
            if kept and max(kept) > _FEW:
                yield f"{host} held {max(kept)} messages all the time, long after {outage.how} began"


def bounded_memory(history: History) -> Iterator[str]:
    """Messages in hand are bounded in number, and their bodies in bytes, whatever comes."""
    for at, hands in history.in_hand:
        for host, held in hands.items():
            if held > _IN_HAND:
                yield f"{host} held {held} messages at {at - history.began:.0f}"
                return
    for at, host, kept in history.bodies:
        if kept > _BODIES:
            yield f"{host} kept {kept} bytes of bodies at {at - history.began:.0f}"
            return


def little_to_do(history: History) -> Iterator[str]:
    """No loop without a pause: what nobody caused costs little."""
    events = sum(history.deliveries.values()) + len(history.calls) + len(history.published)
    seconds = history.ended - history.began + 20
    most = seconds * 300 * max(history.world.workers, 1) + 500 * events + 100_000
    if history.steps > most:
        yield f"{history.steps} steps in {seconds:.0f} s with {events} events"


def nothing_left(history: History) -> Iterator[str]:
    """At the end nothing waits, runs or is held, and the process ends well."""
    if not history.finished:
        return
    for life in history.lives:
        for what in life.left:
            yield f"{life.host} left {what}"
        if life.how == "stopped" and life.code != 0:
            yield f"{life.host} ended with {life.code}"


def victims_end(history: History) -> Iterator[str]:
    """A job that the gateway refuses for itself has an outcome in the end, without hammering.

    Once nobody else is served any more, nobody can tell its trouble from an outage of sendSMS: then it tries
    now and then whether that is over.
    """
    for trouble in history.world.troubles:
        if trouble.kind != "own":
            continue
        refused = [call for call in history.sends() if concerns(trouble, call)]
        over = history.began + trouble.end
        served = [call.at for call in history.sends() if call.sent is not None and call.at < over]
        alone = max(served, default=history.began)
        asked = Counter((call.text, call.numbers) for call in refused if call.at <= alone)
        published = Counter(jobs.text(job) for _, job in history.submitted if job.kind == "send")
        for (text, numbers), times in asked.items():
            if times > _ROUNDS * published[text]:
                yield f"{text[:20]!r} was called {times} times for {numbers[0]}"
        tried = [call.at for call in refused if call.at > alone]
        if tried and len(tried) > _ROUNDS * len(asked or "1") + (tried[-1] - alone) / _TRIAL:
            yield f"{len(tried)} calls in {tried[-1] - alone:.0f} s in which nobody was served"


MANNERS = (
    within_rate,
    pauses_between_tries,
    few_copies,
    gentle_in_an_outage,
    bounded_memory,
    little_to_do,
    nothing_left,
    victims_end,
)
