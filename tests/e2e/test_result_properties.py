"""The AMQP side of results (contract, section 4): properties, ``reply_to``, unrouted ones."""

import json
import time

import pika
import pytest

from tests.support.line import Line, wait_settled
from tests.support.results_side import new_job_id, wait_message
from tests.support.worker_process import wait_until

ONE = "919876543210"
TRACE = f"00-{'4' * 32}-{'7' * 16}-01"
JOBS: dict[str, dict[str, object]] = {
    "send": {"recipients": [ONE], "text": "properties"},
    "status": {"message_ids": ["532073f7e4b05199d2c3d812"]},
    "account": {},
}
TYPES = {"send": "send.result.v1", "status": "delivery.result.v1", "account": "account.result.v1"}


class TestProperties:
    """Every property that the contract lists."""

    @pytest.mark.parametrize("key", JOBS)
    def test_all_are_there(self, line: Line, key: str) -> None:
        """Of each kind of result."""
        job_id, correlation = new_job_id(), new_job_id()
        line.producer.publish(
            {"job_id": job_id, **JOBS[key]}, key, correlation_id=correlation, headers={"traceparent": TRACE}
        )
        found = line.collector.one(job_id).properties
        assert (2, "application/json", f"{job_id}/1", correlation, TYPES[key], "iton-worker", TRACE) == (
            found.delivery_mode,
            found.content_type,
            found.message_id,
            found.correlation_id,
            found.type,
            found.app_id,
            found.headers["traceparent"],
        )
        assert abs(time.time() - found.timestamp) < 30

    @pytest.mark.parametrize("key", JOBS)
    def test_the_correlation_id_is_the_job_id_where_none_was_given(self, line: Line, key: str) -> None:
        """So that a producer can always match."""
        job_id = new_job_id()
        line.producer.publish({"job_id": job_id, **JOBS[key]}, key)
        assert job_id == line.collector.one(job_id).properties.correlation_id

    @pytest.mark.parametrize("key", JOBS)
    def test_a_rejection_has_them_too(self, line: Line, key: str) -> None:
        """The type is that of the kind."""
        job_id = new_job_id()
        line.producer.publish({"job_id": job_id, "nonsense": 1}, key, headers={"traceparent": TRACE})
        found = line.collector.one(job_id).properties
        assert (2, "application/json", job_id, TYPES[key], "iton-worker", TRACE) == (
            found.delivery_mode,
            found.content_type,
            found.correlation_id,
            found.type,
            found.app_id,
            found.headers["traceparent"],
        )
        assert found.message_id.startswith(f"{job_id}/rejected/")


class TestReplyTo:
    """A copy through the default exchange."""

    @pytest.mark.parametrize("key", JOBS)
    def test_a_queue_gets_a_copy(self, line: Line, key: str) -> None:
        """The same body and properties as on the exchange."""
        channel = line.producer.channel
        queue = channel.queue_declare("", exclusive=True).method.queue
        job_id = new_job_id()
        line.producer.publish({"job_id": job_id, **JOBS[key]}, key, reply_to=queue, correlation_id="c")
        result = line.collector.one(job_id)
        _key, properties, body = wait_message(channel, queue)
        assert (result.raw, result.properties.message_id, "c", TYPES[key]) == (
            body,
            properties.message_id,
            properties.correlation_id,
            properties.type,
        )
        channel.queue_delete(queue)

    def test_a_rejection_gets_there_too(self, line: Line) -> None:
        """The producer that waits for an answer has one."""
        channel = line.producer.channel
        queue = channel.queue_declare("", exclusive=True).method.queue
        line.producer.publish(b"not a job", reply_to=queue)
        assert "rejected" == json.loads(wait_message(channel, queue)[2])["status"]
        channel.queue_delete(queue)

    def test_a_queue_that_is_not_there_costs_nothing(self, line: Line) -> None:
        """The result is on the exchange; no dead letter, no retry."""
        job_id = new_job_id()
        line.producer.publish({"job_id": job_id, **JOBS["send"]}, reply_to=f"gone-{job_id}")
        assert "send.accepted" == line.collector.one(job_id).key
        wait_settled(line)
        assert [] == [letter for letter in line.queues.drain("dead") if job_id.encode() in letter[2]]

    def test_direct_reply_to_works(self, line: Line) -> None:
        """RabbitMQ's pseudo queue for answers on the producer's own channel."""
        connection_channel = line.producer.channel.connection.channel()
        answers: list[bytes] = []
        connection_channel.basic_consume(
            "amq.rabbitmq.reply-to", lambda _c, _m, _p, body: answers.append(body), auto_ack=True
        )
        job_id = new_job_id()
        connection_channel.basic_publish(
            f"{line.producer.prefix}.jobs",
            "send",
            json.dumps({"job_id": job_id, **JOBS["send"]}).encode(),
            pika.BasicProperties(reply_to="amq.rabbitmq.reply-to"),
        )

        def answered() -> bool:
            connection_channel.connection.process_data_events(0.01)
            return bool(answers)

        wait_until(answered, "the direct reply")
        assert line.collector.one(job_id).raw == answers[0]
        connection_channel.close()
