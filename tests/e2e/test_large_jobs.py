"""Jobs of many recipients: parts, packed calls, long URLs, and the urgent lane beside them."""

import json
import math
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from tests.support.line import Line, metric
from tests.support.results_side import numbers
from tests.support.worker_process import AS_TYPED, Workshop, wait_until

pytestmark = pytest.mark.slow

LONG_TEXT = "नमस्तेदुनियातक" * 47 + "नमस्ते" * 2  # 670 characters: 10 segments of UCS-2, 9 bytes each in a URL

POD = 512  # MiB, the chart's limit
BODIES_IN_HAND = (
    64 * 2**20
)  # bytes, an eighth of it: each job takes a few times its body while it is worked on


class TestParts:
    """Each distinct recipient exactly once, whatever becomes of it."""

    def test_25_000_recipients_a_third_of_them_listed(self, line: Line) -> None:
        """The calls of sendSMS number ceil(allowed / 100), give or take two."""
        allowed = numbers(16_667)
        listed = [f"9197{index:06d}00" for index in range(8_333)]
        line.gateway.change(latency=0.05)
        job = line.producer.send([x for pair in _woven(allowed, listed) for x in pair], "to many")
        parts = line.collector.whole(job, within=90)
        outcomes = Counter(
            (entry["recipient"], entry["outcome"]) for part in parts for entry in part.body["recipients"]
        )
        expected = [(n, "accepted") for n in allowed] + [(n, "dnd") for n in listed]
        assert Counter(expected) == outcomes
        assert abs(line.gateway.calls("sendSMS") - math.ceil(len(allowed) / 100)) <= 2
        assert 0 == line.gateway.state()["sent"]["repeats"]

    @pytest.mark.parametrize("count", [250, 1_050], ids=["sent where taken", "handed out"])
    def test_parts_are_numbered_and_small(self, line: Line, count: int) -> None:
        """1 to parts, at most 100 recipients each, the ids those of the gateway, one message_id a part."""
        job = line.producer.send([*numbers(count), numbers(1)[0], "12", "919876543200"], "in parts")
        parts = line.collector.whole(job)
        assert [*range(1, len(parts) + 1)] == [part.body["part"] for part in parts]
        assert {len(parts)} == {part.body["parts"] for part in parts}
        assert all(1 <= len(part.body["recipients"]) <= 100 for part in parts)
        assert [f"{job}/{part.body['part']}" for part in parts] == [p.properties.message_id for p in parts]
        sent = {n: i for s in line.gateway.sends("in parts") for n, i in zip(s["to"], s["ids"], strict=True)}
        assert sent == {number: key for part in parts for number, key in part.ids.items()}
        assert Counter({"accepted": count, "invalid": 1, "dnd": 1}) == sum(
            (Counter(part.body["counts"]) for part in parts), Counter()
        )
        assert math.ceil(count / 100) == line.gateway.calls("sendSMS")
        for part in parts:
            assert part.key == f"send.{part.body['status']}"

    def test_100_distinct_recipients_are_one_result(self, line: Line) -> None:
        """Repeats do not count, whatever their spelling."""
        hundred = numbers(100)
        job = line.producer.send([*hundred, *(f"+{number}" for number in hundred)], "a hundred")
        result = line.collector.one(job)
        assert (1, 1, 100) == (result.body["part"], result.body["parts"], len(result.ids))
        assert 1 == line.gateway.calls("sendSMS")

    @pytest.mark.parametrize("count", [220, 1_020], ids=["sent where taken", "handed out"])
    def test_a_large_job_published_twice_is_sent_once(self, line: Line, count: int) -> None:
        """Every part is published again, the same ones."""
        job = line.producer.send(numbers(count), "large twice")
        first = line.collector.whole(job)
        line.producer.send(numbers(count), "large twice", job_id=job)
        line.collector.wait_for(lambda one: one.job_id == job, "all again", count=2 * len(first))
        seen = Counter((one.properties.message_id, one.raw) for one in line.collector.of(job))
        assert {2} == set(seen.values())
        assert dict.fromkeys(numbers(count), 1) == line.gateway.times("large twice")


class TestLongUrls:
    """10 segments of Devanagari to 100 recipients pass the URL limit in one call."""

    def test_one_result_though_several_calls_are_needed(self, line: Line) -> None:
        """No request line over the server's limit, and every recipient once."""
        params = {"entity_id": "1" * 19, "template_id": "2" * 19}
        job = line.producer.send(numbers(100), LONG_TEXT, sender="x" * 20, params=params)
        result = line.collector.one(job)
        assert (1, 1, 10, "ucs2") == tuple(
            result.body[name] for name in ("part", "parts", "segments", "encoding")
        )
        assert {"accepted": 100} == result.body["counts"]
        assert line.gateway.calls("sendSMS") > 1
        assert "http_414" not in line.gateway.state()["answers"]
        assert dict.fromkeys(numbers(100), 1) == line.gateway.times(LONG_TEXT)


_GIANTS = 20
_AT_ONCE = 10  # calls


class TestUrgent:
    """An urgent job never waits behind bulk work."""

    def test_its_result_comes_while_bulk_is_under_way(self, own_line: Callable[..., Line]) -> None:
        """5,000 recipients, few calls at once, slowly; then one urgent."""
        line = own_line(WORKER_MAX_CALLS=_AT_ONCE, WORKER_URGENT_CALLS=2)
        line.gateway.change(latency=3.0)
        bulk = line.producer.send(numbers(5_000), "bulk", category="service")
        line.collector.wait_for(lambda one: one.job_id == bulk, "the first part of the bulk")
        begun = line.gateway.calls("sendSMS")
        urgent = line.producer.send([numbers(1)[0]], "urgent", urgent=True, category="service")
        line.collector.one(urgent)
        texts = [call["message"] for call in line.gateway.recent("sendSMS")]
        # While it came to the worker and was looked up, calls that ended made room for others: one round.
        assert texts.index("urgent") <= begun + _AT_ONCE
        assert len(line.collector.of(bulk)) < 50
        line.gateway.change(latency=0)
        assert 50 == len(line.collector.whole(bulk))


def _woven(many: list[str], few: list[str]) -> list[tuple[str, ...]]:
    """Two of *many*, one of *few*, and so on."""
    return [
        (*many[2 * index : 2 * index + 2], *few[index : index + 1])
        for index in range(max(math.ceil(len(many) / 2), len(few)))
    ]


class TestMemory:
    """What jobs of the greatest size take, many of them at once."""

    @pytest.fixture
    def workshop(self, workshop: Workshop) -> Workshop:
        """Provide a workshop whose workers share no memory with anybody."""
        workshop.command = AS_TYPED
        return workshop

    def test_a_hundred_of_the_largest_jobs_while_the_gateway_is_away(
        self, own_line: Callable[..., Line]
    ) -> None:
        """Few are in hand, and few of those are worked on, so that a pod's limit of 512 MiB is never met."""
        line = own_line(LOG_LEVEL="info")
        line.gateway.fault(command="sendSMS", status=503)
        names = numbers(100_000)
        for number in range(100):
            line.producer.send(names, f"hello {number}", category="service")
        length = len(json.dumps({"recipients": names}))
        split = '{kind="send",result="split"}'
        wait_until(lambda: metric(line, "iton_worker_jobs_total", split) >= 20, "some are cut in parts", 90)
        in_hand = partial(metric, line, "iton_worker_jobs_in_flight", '{lane="send"}')
        wait_until(lambda: in_hand() * length <= BODIES_IN_HAND, "no more in hand than there is room for")
        assert line.worker.peak_memory < POD * 0.8

    def test_messages_of_twenty_mebibytes(self, own_line: Callable[..., Line]) -> None:
        """All are refused for their length, one after the other, and other lanes do not wait for them."""
        line = own_line(LOG_LEVEL="info")
        for _ in range(_GIANTS):
            line.producer.publish(b"x" * 20 * 1_048_576)
        urgent = line.producer.send([numbers(1)[0]], "urgent", urgent=True, category="service")
        line.collector.one(urgent)
        rejected = '{kind="send",result="rejected"}'
        wait_until(
            lambda: metric(line, "iton_worker_jobs_total", rejected) >= _GIANTS, "all are rejected", 120
        )
        wait_until(lambda: line.queues.count("send") == 0, "nothing is left")
        assert line.worker.peak_memory < 300
