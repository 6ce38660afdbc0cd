"""A result's bytes, held against properties that are put together one by one."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from worker.amqp.publish.publisher import encode_reply, encode_result
from worker.amqp.topology.values import Topology
from worker.amqp.wire.properties import Properties
from worker.domain.messages import ResultMessage

TOPOLOGY = Topology("iton")
NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
TEXT = st.text(max_size=300) | st.just("half a pair \ud83d")
RESULTS = st.builds(
    ResultMessage,
    exchange=st.sampled_from(["send", "delivery", "account", "cancel"]),
    routing_key=st.just("send.accepted"),
    body=st.binary(max_size=20),
    message_id=TEXT,
    correlation_id=st.none() | TEXT,
    traceparent=st.none() | TEXT,
)


class TestResults:
    """What is published."""

    @given(RESULTS)
    def test_its_properties_are_those_of_the_contract(self, result: ResultMessage) -> None:
        """Byte for byte, whatever ids and trace there are."""
        expected = Properties.of(
            content_type="application/json",
            correlation_id=result.correlation_id,
            message_id=result.message_id,
            timestamp=NOW,
            type=f"{result.exchange}.result.v1",
            app_id="iton-worker",
            headers={"traceparent": result.traceparent} if result.traceparent else None,
        )
        message = encode_result(TOPOLOGY, result, now=NOW)
        assert expected.marshal() == message.raw_properties
        assert expected.fields["message_id"] == message.key
        assert (f"iton.results.{result.exchange}", "send.accepted", result.body) == message[:3]

    def test_a_reply_is_the_same_elsewhere(self) -> None:
        """On the default exchange, to the queue that was named."""
        result = ResultMessage("send", "send.accepted", b"{}", "1/1", "c", reply_to="mine")
        message = encode_result(TOPOLOGY, result, now=NOW)
        assert ("", "mine", *message[2:]) == encode_reply(message, "mine")
