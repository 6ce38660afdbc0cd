"""The whole main job on every version of RabbitMQ."""

from collections import Counter

import pytest

from tests.support.line import Line, metric, wait_settled
from tests.support.results_side import new_job_id, numbers, wait_message
from tests.support.worker_process import wait_until

ONE = "919876543210"
LISTED = "919876543200"
UNKNOWN = "f" * 24


class TestPrefetch:
    """How many jobs are in hand."""

    def test_each_is_handed_out_once(self, line: Line) -> None:
        """More than are in hand at once: no more than that at any time, and one consumer."""
        line.gateway.change(latency=0.3)
        before = metric(line, "iton_worker_redeliveries_total")
        names = numbers(900)
        for name in names:
            line.producer.send([name], f"in hand {name}", category="service")
        lane = '{lane="send"}'
        wait_until(lambda: metric(line, "iton_worker_jobs_in_flight", lane) >= 100, "many are in hand")
        assert metric(line, "iton_worker_jobs_in_flight", lane) <= metric(line, "iton_worker_prefetch", lane)
        wait_until(lambda: metric(line, "iton_worker_jobs_in_flight", lane) == 0, "all are done")
        assert dict.fromkeys(((f"in hand {name}", name) for name in names), 1) == line.gateway.times_of_all()
        assert before == metric(line, "iton_worker_redeliveries_total")
        wait_until(lambda: line.queues.consumers("send") == 1, "there is one consumer")


class TestSend:
    """Send jobs."""

    def test_a_listed_number_is_not_sent_to(self, line: Line) -> None:
        """The others are, with the gateway's ids."""
        result = line.collector.one(line.producer.send([ONE, LISTED, "12"], "partly"))
        assert ("send.partial", {"accepted": 1, "dnd": 1, "invalid": 1}) == (
            result.key,
            result.body["counts"],
        )
        assert "send.partial" == result.key
        (sent,) = line.gateway.sends("partly")
        assert ([ONE], {ONE: sent["ids"][0]}) == (sent["to"], result.ids)

    def test_a_large_job_is_split(self, line: Line) -> None:
        """Its parts go over a queue of their own; each recipient once, in packed calls."""
        job = line.producer.send(numbers(450), "many")
        parts = line.collector.whole(job)
        assert {"accepted": 450} == sum((Counter(part.body["counts"]) for part in parts), Counter())
        assert dict.fromkeys(numbers(450), 1) == line.gateway.times("many")
        assert 5 == line.gateway.calls("sendSMS")

    def test_an_urgent_job_has_queues_of_its_own(self, line: Line) -> None:
        """Small and large."""
        small = line.producer.send([ONE], "urgent", urgent=True, category="service")
        large = line.producer.send(numbers(150), "all urgent", urgent=True, category="service")
        assert "send.accepted" == line.collector.one(small).key
        assert 2 == len(line.collector.whole(large))

    def test_the_same_job_twice_is_sent_once(self, line: Line) -> None:
        """And its result is published again, the same one."""
        job = line.producer.send([ONE], "twice")
        line.collector.one(job)
        line.producer.send([ONE], "twice", job_id=job)
        wait_until(lambda: len(line.collector.of(job)) == 2, "the result again")
        assert 1 == len({result.raw for result in line.collector.of(job)})
        assert {ONE: 1} == line.gateway.times("twice")

    def test_reply_to_gets_a_copy(self, line: Line) -> None:
        """Through the default exchange."""
        channel = line.producer.channel
        queue = channel.queue_declare("", exclusive=True).method.queue
        job_id = new_job_id()
        job = {"job_id": job_id, "recipients": [ONE], "text": "answer me"}
        line.producer.publish(job, reply_to=queue, correlation_id="c")
        _key, properties, body = wait_message(channel, queue)
        assert (line.collector.one(job_id).raw, "c") == (body, properties.correlation_id)


class TestLookups:
    """Jobs that only ask."""

    def test_status(self, line: Line) -> None:
        """Of a message that was just sent and of one that nobody knows."""
        sent = line.collector.one(line.producer.send([ONE], "ask later")).ids[ONE]
        job_id = new_job_id()
        line.producer.publish({"job_id": job_id, "message_ids": [sent, UNKNOWN]}, "status")
        messages = line.collector.one(job_id).body["messages"]
        assert {sent: True, UNKNOWN: False} == {one["message_id"]: one["found"] for one in messages}

    def test_account(self, line: Line) -> None:
        """A whole number."""
        job_id = new_job_id()
        line.gateway.change(balance=417)
        line.producer.publish({"job_id": job_id}, "account")
        result = line.collector.one(job_id)
        assert ("account.balance", 417) == (result.key, result.body["remaining_credits"])


class TestRefused:
    """A job that cannot be carried out."""

    def test_it_is_rejected_and_kept_untouched(self, line: Line) -> None:
        """The dead letter has body and properties as they came, and headers of ours beside."""
        mark = new_job_id()
        given = {"content_type": "text/odd", "message_id": "keep", "correlation_id": mark, "priority": 3}
        line.producer.publish(b"not a job", "send.urgent", headers={"mine": 7}, **given)
        (result,) = line.collector.wait_for(lambda one: one.properties.correlation_id == mark, "rejected")
        key, properties, body = line.queues.wait_dead(lambda found, _body: found.correlation_id == mark)
        assert ("send.rejected", "send.urgent", b"not a job") == (result.key, key, body)
        assert given == {name: getattr(properties, name) for name in given}
        assert 7 == properties.headers["mine"]
        assert f"{line.producer.prefix}.send.urgent" == properties.headers["x-iton-queue"]


class TestDelayed:
    """A job whose call failed goes through a delay queue and comes back."""

    @pytest.mark.parametrize("urgent", [False, True], ids=["bulk", "urgent"])
    def test_sending(self, line: Line, *, urgent: bool) -> None:
        """It is sent then, once; the small job and each part of the large one."""
        line.gateway.fault(command="sendSMS", status=503, when="before", times=3)
        small = line.producer.send([ONE], "later", urgent=urgent, category="service")
        large = line.producer.send(numbers(150), "all later", urgent=urgent, category="service")
        assert "send.accepted" == line.collector.one(small).key
        assert {"send.accepted"} == {part.key for part in line.collector.whole(large)}
        assert {ONE: 1} == line.gateway.times("later")
        assert dict.fromkeys(numbers(150), 1) == line.gateway.times("all later")
        assert 6 == line.gateway.calls("sendSMS")
        wait_settled(line)
        assert [] == line.queues.drain("dead")

    def test_asking(self, line: Line) -> None:
        """The same for a status job."""
        line.gateway.fault(command="message_status", status=500, times=1)
        job_id = new_job_id()
        line.producer.publish({"job_id": job_id, "message_ids": [UNKNOWN]}, "status")
        assert "delivery.pending" == line.collector.one(job_id).key
        assert 2 == line.gateway.calls("message_status")
