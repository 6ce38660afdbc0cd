"""How many bytes of messages are in memory."""

from hypothesis import given
from hypothesis import strategies as st

from worker.amqp.consume.in_hand import ALL, Room
from worker.domain.messages import Lane

MIB = 1_048_576
SIZES = st.sampled_from([200, 60_000, 1_600_000, 8_000_000, 20 * MIB, 128 * MIB])


class TestRoom:
    """Bounded by bytes, whatever comes."""

    @given(st.lists(st.tuples(st.sampled_from(Lane), SIZES, st.booleans()), max_size=300))
    def test_the_bound_and_one_message(self, steps: list[tuple[Lane, int, bool]]) -> None:
        """Of all lanes together; a little more of light ones, which never wait behind others' large ones."""
        room, taken, largest = Room(), list[tuple[Lane, int]](), 0
        for lane, size, is_over in steps:
            if room.take(lane, size):
                taken.append((lane, size))
                largest = max(largest, size)
            else:
                assert room.held[lane] >= MIB or size > 60_000
            if is_over and taken:
                room.give(*taken.pop(0))
            assert room.held.total() == sum(size for _, size in taken)
            assert room.held.total() <= ALL + largest + len(Lane) * 2 * MIB

    def test_one_lane_leaves_room_for_the_others(self) -> None:
        """However long its messages are."""
        room = Room()
        while room.take(Lane.SEND, 7 * MIB):
            pass
        assert 21 * MIB == room.held[Lane.SEND]
        assert room.take(Lane.SEND_URGENT, 20 * MIB)
        assert room.take(Lane.STATUS, 8 * MIB)
