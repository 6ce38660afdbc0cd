"""What a soak finds wrong of the features, each planted once."""

from datetime import UTC, datetime

import pytest

from tests.soak.features import Seen, features, unfinished
from tests.soak.hours import Break
from tests.soak.mix import Asked
from tests.support.chaos_scene import Arrived

NOON = 1_700_000_000.0
BREAK = Break(NOON + 600)


def send(name: str, **fields: object) -> Asked:
    """A job for one recipient, who is called like it."""
    return Asked("send", {"job_id": name, "recipients": [f"91{name}"], "category": "service", **fields})


def stop(name: str) -> Asked:
    """A request to stop that job."""
    return Asked("cancel", {"job_id": f"stop-{name}", "target": name})


def outcome(name: str, of: str) -> Arrived:
    """The result of a job."""
    one = {"recipient": f"91{name}", "outcome": of} | (
        {"message_id": f"id-{name}"} if of == "accepted" else {}
    )
    return Arrived(f"send.{of}", f"{name}/1", {"job_id": name, "recipients": [one]})


def answer(name: str, status: str = "recorded") -> Arrived:
    """What became of a request."""
    body = {"job_id": f"stop-{name}", "target": name, "status": status}
    return Arrived(f"cancel.{status}", f"stop-{name}/1", body, int(NOON))


def end(name: str, track: int = 1) -> Arrived:
    """A tracked result with the message of a job."""
    body = {"job_id": name, "track": track, "messages": [{"message_id": f"id-{name}"}]}
    return Arrived("delivery.final", f"{name}/track/{track}", body)


def api(status: str) -> Arrived:
    """What became of the call."""
    return Arrived(f"api.{status}", "key/1", {"job_id": "key", "status": status})


KEY = Asked("api", {"job_id": "key", "method": "POST", "path": "credentials/key"})
PUT = "POST credentials/key"
LATER = datetime.fromtimestamp(NOON + 5, UTC).isoformat()
HELD = send("a", category="promotional")
FOLLOWED = send("a", track=True)
ACCEPTED, CANCELLED = outcome("a", "accepted"), outcome("a", "cancelled")


def wrong(
    asked: list[Asked], results: list[Arrived], at: float | None = NOON, calls: int = 0
) -> dict[str, int]:
    """What is said to be broken; *at*: when the recipient was called, *calls* of the Web API."""
    arrivals = {} if at is None else {"91a": [at]}
    found = features(Seen(asked, results, arrivals, {PUT: calls} if calls else {}), BREAK)
    return {name: count for name, count in found.broken.items() if count}


class TestFound:
    """One thing is wrong at a time."""

    @pytest.mark.parametrize(
        ("what", "asked", "results", "at", "calls"),
        [
            ("texts before send_after", [send("a", send_after=LATER)], [ACCEPTED], NOON + 4.9, 0),
            ("texts outside of the hours", [HELD], [ACCEPTED], NOON + 630, 0),
            ("texts outside of the hours", [HELD], [ACCEPTED], NOON + 659.9, 0),
            ("cancel requests without an answer", [send("a"), stop("a")], [ACCEPTED], NOON, 0),
            ("recipients cancelled and sent to", [send("a"), stop("a")], [CANCELLED, answer("a")], NOON, 0),
            ("recipients cancelled unasked", [send("a")], [CANCELLED], None, 0),
            (
                "recipients cancelled unasked",
                [send("a"), stop("a")],
                [CANCELLED, answer("a", "too_late")],
                None,
                0,
            ),
            ("texts after the cancellation", [send("a"), stop("a")], [ACCEPTED, answer("a")], NOON + 9, 0),
            ("messages without an end", [FOLLOWED], [ACCEPTED], NOON, 0),
            ("messages with two ends", [FOLLOWED], [ACCEPTED, end("a"), end("a", 2)], NOON, 0),
            ("ends of others' messages", [send("a")], [ACCEPTED, end("a")], NOON, 0),
            ("api jobs without an outcome", [KEY], [], None, 1),
            ("api calls repeated", [KEY], [api("done")], None, 2),
            ("api jobs done without a call", [KEY], [api("done")], None, 0),
            ("api jobs failed with a call", [KEY], [api("failed")], None, 1),
        ],
    )
    def test_it_is_named(
        self, what: str, asked: list[Asked], results: list[Arrived], at: float | None, calls: int
    ) -> None:
        """And nothing else is."""
        assert {what: 1} == wrong(asked, results, at, calls)


class TestRight:
    """What looks like it, and is none."""

    @pytest.mark.parametrize(
        ("asked", "results", "at", "calls"),
        [
            ([send("a", send_after=LATER)], [ACCEPTED], NOON + 5, 0),
            ([HELD], [ACCEPTED], NOON + 601, 0),  # was under way
            ([HELD], [ACCEPTED], NOON + 660, 0),
            ([send("a")], [ACCEPTED], NOON + 630, 0),
            ([send("a"), stop("a")], [CANCELLED, answer("a"), answer("a")], None, 0),
            ([send("a"), stop("a")], [ACCEPTED, answer("a", "too_late")], NOON, 0),
            ([FOLLOWED], [ACCEPTED, end("a"), end("a")], NOON, 0),
            ([KEY], [api("done"), api("done")], None, 1),
            ([KEY], [api("uncertain")], None, 0),
            ([KEY], [api("uncertain")], None, 1),
        ],
    )
    def test_nothing_is_named(
        self, asked: list[Asked], results: list[Arrived], at: float | None, calls: int
    ) -> None:
        """It is as it was promised."""
        assert {} == wrong(asked, results, at, calls)

    def test_it_is_waited_for(self) -> None:
        """An answer, an outcome, an end."""
        asked = [FOLLOWED, stop("a"), KEY]
        assert 3 == unfinished(asked, [ACCEPTED])
        assert 0 == unfinished(asked, [ACCEPTED, answer("a"), api("done"), end("a")])


class TestBreak:
    """One minute of the day."""

    def test_hours_begin_where_it_ends(self) -> None:
        """As workers read them."""
        begins = datetime(2026, 3, 2, 23, 59, tzinfo=UTC).timestamp()
        assert "00:00-23:59" == Break(begins).settings()["WORKER_PROMOTIONAL_HOURS"]
