"""Scheduled jobs go down a ladder of queues: each wait is made, exactly, and nobody is led astray."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worlds.queues import Exchange
from worker.amqp.topology import ladder
from worker.amqp.topology.values import Topology
from worker.domain.messages import Lane

TOPOLOGY = Topology("sms", ladder=True)
LONGEST = 65_535


def exchanges() -> dict[str, Exchange]:
    """The exchanges with what is bound to them."""
    made = {one.name: Exchange(one.name, one.type, None) for one in TOPOLOGY.exchanges}
    for binding in TOPOLOGY.bindings:
        made[binding.exchange].bindings[binding.queue, binding.key] = None
    return made


EXCHANGES = exchanges()
QUEUES = {queue.name: queue.arguments for queue in TOPOLOGY.queues}


def way_of(seconds: int, lane: Lane) -> list[str]:
    """The queues that a job passes, its lane's last."""
    key, at, way = ladder.key(seconds, lane), TOPOLOGY.scheduled, []
    while True:
        (queue,) = EXCHANGES[at].queues_for(key)
        way.append(queue)
        if "x-message-ttl" not in QUEUES[queue]:
            return way
        at = str(QUEUES[queue]["x-dead-letter-exchange"])


class TestTheLadder:
    """From the exchange in front of it to the work queue."""

    @given(seconds=st.integers(1, LONGEST), lane=st.sampled_from(ladder.LANES))
    def test_a_wait_is_the_sum_of_its_steps(self, seconds: int, lane: Lane) -> None:
        """As many queues as the wait has bits, the longest first, and one work queue in the end."""
        *steps, ground = way_of(seconds, lane)
        waits = [int(QUEUES[step]["x-message-ttl"]) // 1000 for step in steps]
        assert (seconds, seconds.bit_count()) == (sum(waits), len(steps))
        assert waits == sorted(waits, reverse=True)
        assert TOPOLOGY.work_queue(lane) == ground

    @pytest.mark.parametrize("seconds", [0, -1, LONGEST + 1])
    def test_other_waits_have_no_key(self, seconds: int) -> None:
        """Whoever asks must cut them."""
        with pytest.raises(ValueError, match="no such wait"):
            ladder.key(seconds, Lane.SEND)

    def test_nothing_of_it_is_there_where_nothing_can_be_scheduled(self) -> None:
        """It is more than half of all queues."""
        plain = Topology("sms")
        names = [*(one.name for one in plain.exchanges), *(one.name for one in plain.queues)]
        assert [] == [name for name in names if "scheduled" in name]


class TestHeldLanes:
    """Where jobs wait for the hours."""

    @pytest.mark.parametrize("lane", [lane for lane in Lane if lane.is_held])
    def test_each_belongs_to_an_open_one_like_it(self, lane: Lane) -> None:
        """As urgent, and of parts where that one is."""
        twin = lane.open_lane
        assert (lane.is_urgent, lane.holds_parts, lane.kind) == (twin.is_urgent, twin.holds_parts, twin.kind)
        assert (lane, False) == (twin.held_lane, twin.is_held)
        assert lane.parts_lane == twin.parts_lane

    @pytest.mark.parametrize("lane", [lane for lane in Lane if lane.is_held])
    def test_its_queue_is_led_to_by_the_open_ones_name(self, lane: Lane) -> None:
        """And to no other."""
        queues = EXCHANGES[TOPOLOGY.held].queues_for(lane.open_lane.value)
        assert [TOPOLOGY.work_queue(lane)] == queues
