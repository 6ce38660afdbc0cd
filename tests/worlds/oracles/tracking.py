"""What is told of messages that are followed."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from tests.worlds import fates
from tests.worlds.history import History

_ACCEPTED = 2.0  # seconds from the time of acceptance, a whole one, to the call
_FINAL = {"delivered", "failed", "expired", "rejected", "dnd"}

Row = dict[str, Any]


def told_once(history: History) -> Iterator[str]:
    """Each accepted message of a job that asked for it is in exactly one tracked result, and no other is."""
    wanted = {job.name for _, job in history.submitted if job.kind == "send" and job.track}
    accepted: dict[str, set[str]] = defaultdict(set)
    for _, result in history.results:
        for one in result.get("recipients", ()):
            if one["outcome"] == "accepted":
                names = (one["message_id"], *one.get("earlier_message_ids", ()))
                accepted[result["job_id"]].update(names)
    told: dict[str, Counter[str]] = defaultdict(Counter)
    for result in _each_once(history):
        told[result["job_id"]].update(message["message_id"] for message in result["messages"])
    for name in {*wanted, *told}:
        expected = Counter(dict.fromkeys(accepted[name] if name in wanted else (), 1))
        for message_id in (told[name] - expected) or (expected - told[name] if history.finished else ()):
            yield f"{message_id} of {name} is in {told[name][message_id]} tracked results"


def _each_once(history: History) -> Iterator[Row]:
    """Yield the first copy of each tracked result."""
    seen: set[tuple[str, int]] = set()
    for _, result in history.tracked:
        if (key := (result["job_id"], result["track"])) not in seen:
            seen.add(key)
            yield result


def same_again(history: History) -> Iterator[str]:
    """The same ``track`` always has the same content, byte for byte, under its own message id."""
    known: dict[str, bytes] = {}
    for published, result in history.tracked:
        name = f"{result['job_id']}/track/{result['track']}"
        if published.properties.message_id != name:
            yield f"{name} has the message id {published.properties.message_id}"
        if known.setdefault(name, published.body) != published.body:
            yield f"{name} was published with other content"
        if len(result["messages"]) > 100:
            yield f"{name} holds {len(result['messages'])} messages"


def ends_are_true(history: History) -> Iterator[str]:
    """A status is the gateway's word, and final; or the time of tracking is over, and not before."""
    calls = {name: call for call in history.sends() for name in call.ids.values()}
    frozen = max((each.ended - each.began for each in history.frozen), default=0.0)
    least = float(history.world.environment.get("WORKER_TRACK_LIMIT", "172800")) - frozen - _ACCEPTED
    for published, result in history.tracked:
        if result["status"] != "final":
            yield f"a tracked result of {result['job_id']} is {result['status']}"
        for message in result["messages"]:
            name = message["message_id"]
            call = calls.get(name)
            if call is None:
                yield f"the gateway never gave the id {name}"
                continue
            for one in message["recipients"]:
                if call.ids.get(one["recipient"]) != name:
                    yield f"{one['recipient']} never had the message {name}"
                since_sent, since_called = published.at - (call.sent or 0.0), published.at - call.at
                yield from _about(name, one, since_sent, is_over=since_called >= least)


def _about(name: str, one: Row, age: float, *, is_over: bool) -> Iterator[str]:
    fate = fates.fate(name)
    if one["status"] in _FINAL:
        if not fate.known or fate.after is None or age < fate.after or one["status"] != fate.status:
            yield f"{name} is {one['status']} after {age:.1f} s, where its fate is {fate}"
    elif one["status"] != "unknown" or one.get("error", {}).get("code") != "tracking_ended":
        yield f"{name} ended as {one['status']}"
    elif not is_over:
        yield f"{name} was followed for {age:.1f} s"


def told_soon(history: History) -> Iterator[str]:
    """Where nothing goes wrong, an end that comes early enough is found."""
    if history.world.troubles:
        return
    delays = history.world.environment.get("WORKER_TRACK_DELAYS", "3600")
    limit = float(history.world.environment.get("WORKER_TRACK_LIMIT", "172800"))
    soon = limit - 2 * max(float(each) for each in delays.split(",")) - 10
    for result in _each_once(history):
        for message in result["messages"]:
            fate = fates.fate(message["message_id"])
            ends = fate.known and fate.after is not None and fate.after < soon
            if ends and message["recipients"][0]["status"] == "unknown":
                yield f"{message['message_id']} ended after {fate.after:.1f} s, and nobody looked"


TRACKING = (told_once, same_again, ends_are_true, told_soon)
