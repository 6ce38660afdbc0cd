"""When a send job counts: its identity, its end, and what is refused until it is built."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.line import Line
from tests.support.results_side import new_job_id
from tests.support.worker_process import wait_until

ONE = "919876543210"


class TestExpiry:
    """``expires_at`` wins."""

    def test_nothing_is_sent_after_it(self, line: Line) -> None:
        """The outcome is expired, also in the routing key."""
        result = line.collector.one(line.producer.send([ONE], "late", expires_at=_in(seconds=-1)))
        assert ("send.expired", {ONE: "expired"}) == (result.key, result.outcomes)
        assert result.body["recipients"][0]["error"]["code"]
        assert 0 == line.gateway.calls("sendSMS")

    def test_before_it_all_is_as_usual(self, line: Line) -> None:
        """Any offset will do."""
        result = line.collector.one(line.producer.send([ONE], "in time", expires_at=_in(seconds=3600)))
        assert "send.accepted" == result.key

    def test_it_is_checked_right_before_the_call(self, line: Line) -> None:
        """A job whose DND check took too long is not sent."""
        line.gateway.fault(command="check_DNDnumber", latency=2.5, when="after")
        result = line.collector.one(line.producer.send([ONE], "overtaken", expires_at=_in(seconds=1.5)))
        assert "send.expired" == result.key
        assert 0 == line.gateway.calls("sendSMS")

    @pytest.mark.parametrize("time", ["2026-03-01T12:00:00", "2026-03-01", "soon", 1767225600])
    def test_a_time_without_offset_is_rejected(self, line: Line, time: object) -> None:
        """RFC 3339 with offset, or nothing."""
        result = line.collector.one(line.producer.send([ONE], "x", expires_at=time))
        assert ("send.rejected", ["expires_at"]) == (result.key, result.body["errors"][0]["loc"])


class TestStatus:
    """The status of a result of which nobody was accepted."""

    def test_uncertain_goes_before_failed(self, line: Line) -> None:
        """One uncertain recipient makes the result uncertain."""
        line.gateway.fault(command="sendSMS", kind="drop", when="after", times=1)
        result = line.collector.one(line.producer.send([ONE, "12"], "mixed"))
        assert ("send.uncertain", {"uncertain": 1, "invalid": 1}) == (result.key, result.body["counts"])

    def test_expired_goes_before_failed(self, line: Line) -> None:
        """One expired recipient makes the result expired."""
        job = line.producer.send([ONE, "12", "919876543200"], "late", expires_at=_in(seconds=-1))
        result = line.collector.one(job)
        assert ("send.expired", "expired") == (result.key, result.outcomes[ONE])
        assert "invalid" == result.outcomes["12"]


class TestTrack:
    """``track``."""

    def test_false_is_the_default(self, line: Line) -> None:
        """Saying so changes nothing."""
        assert "send.accepted" == line.collector.one(line.producer.send([ONE], "x", track=False)).key


class TestRepeats:
    """The same ``job_id`` published twice."""

    def test_it_is_sent_once_and_published_again(self, line: Line) -> None:
        """The same result with the same message_id, whatever the order of keys and the white space."""
        job_id = new_job_id()
        line.producer.publish(
            {"job_id": job_id, "recipients": [ONE], "text": "once", "metadata": {"a": 1, "b": 2}}
        )
        first = line.collector.one(job_id)
        again = (
            f'{{ "metadata": {{"b":2,"a":1}},\n "text":"once", "recipients" : ["{ONE}"],"job_id":"{job_id}"}}'
        )
        line.producer.publish(again.encode())
        wait_until(lambda: len(line.collector.of(job_id)) == 2, "the result again")
        second = line.collector.of(job_id)[1]
        assert (first.body, first.key) == (second.body, second.key)
        assert first.properties.message_id == second.properties.message_id
        assert {ONE: 1} == line.gateway.times("once")

    def test_other_content_under_the_same_id_is_a_conflict(self, line: Line) -> None:
        """The first job is untouched: its repeat still has the first result."""
        job = line.producer.send([ONE], "the first")
        first = line.collector.one(job)
        line.producer.send([ONE], "the second", job_id=job)
        rejected = line.collector.wait_for(
            lambda r: r.job_id == job and r.key == "send.rejected", "conflict"
        )[0]
        assert ["job_id_conflict"] == [error["type"] for error in rejected.body["errors"]]
        assert [] == line.gateway.sends("the second")
        line.producer.send([ONE], "the first", job_id=job)
        wait_until(lambda: len(line.collector.of(job)) == 3, "the first result again")
        assert first.body == line.collector.of(job)[2].body
        assert {ONE: 1} == line.gateway.times("the first")

    def test_the_message_id_stands_in_for_an_absent_job_id(self, line: Line) -> None:
        """Both for the result and for the repeat."""
        name = new_job_id()
        for _ in range(2):
            line.producer.publish({"recipients": [ONE], "text": "by message id"}, message_id=name)
        results = line.collector.wait_for(lambda r: r.job_id == name, "both", count=2)
        assert [f"{name}/1"] * 2 == [result.properties.message_id for result in results]
        assert {ONE: 1} == line.gateway.times("by message id")

    def test_the_job_id_wins_over_the_message_id(self, line: Line) -> None:
        """Two messages of one job are one job."""
        name = new_job_id()
        for message_id in ("m-1", "m-2"):
            line.producer.publish(
                {"job_id": name, "recipients": [ONE], "text": "by job id"}, message_id=message_id
            )
        line.collector.wait_for(lambda r: r.job_id == name, "both", count=2)
        assert {ONE: 1} == line.gateway.times("by job id")


def _in(*, seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
