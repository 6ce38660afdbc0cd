"""What the stand-in remembers stays bounded, and what it counts stays right."""

from worker.simulator.sends import Send, SendLog
from worker.simulator.tally import Tally


def _a_send(log: SendLog, seq: int, numbers: int = 1) -> Send:
    to = tuple(str(919876543000 + index) for index in range(numbers))
    return Send(
        seq=seq,
        at=0,
        to=to,
        message="Hello",
        delivered_text="Hello",
        unicode=False,
        segments=1,
        sender="S",
        ids=log.draw_ids(numbers, 1),
    )


class TestSendLog:
    """The log of sends."""

    def test_the_oldest_sends_are_forgotten_when_the_room_is_used_up(self) -> None:
        """Messages count, not calls; the ids of the forgotten are unknown."""
        log = SendLog(room=5)
        sends = [_a_send(log, seq, numbers=2) for seq in (1, 2, 3)]

        for send in sends:
            log.add(send)

        assert [2, 3] == [send.seq for send in log.after(0, 10)]
        assert (4, 2) == (log.messages, log.forgotten)
        assert log.find(sends[0].ids[0]) is None
        assert sends[2] is log.find(sends[2].ids[1])

    def test_the_latest_send_is_kept_even_when_it_is_larger_than_the_room(self) -> None:
        """Its ids were just given out."""
        log = SendLog(room=1)
        send = _a_send(log, 1, numbers=3)

        log.add(send)

        assert send is log.find(send.ids[2])

    def test_pages_go_on_where_the_last_one_ended(self) -> None:
        """Also after the beginning was forgotten."""
        log = SendLog(room=3)
        for seq in range(1, 6):
            log.add(_a_send(log, seq))

        assert [3, 4] == [send.seq for send in log.after(0, 2)]
        assert [5] == [send.seq for send in log.after(4, 2)]
        assert [] == list(log.after(5, 2))
        assert [] == list(SendLog(room=1).after(0, 2))


class TestTally:
    """How often each number got each text."""

    def test_repeats_are_counted(self) -> None:
        """Every message beyond the first of its pair."""
        tally = Tally(room=100)

        tally.add(["1", "2", "1"], "a")
        tally.add(["1"], "b")
        tally.add(["1"], "a")

        assert (2, 3, 1) == (tally.repeats, tally.times("1", "a"), tally.times("1", "b"))
        assert {("1", "a", 3), ("2", "a", 1), ("1", "b", 1)} == set(tally.items())
        assert [("1", "a", 3)] == list(tally.items(at_least=2))

    def test_memory_is_bounded_and_says_so(self) -> None:
        """At most two generations are held; the newest pairs are exact."""
        tally = Tally(room=10)

        for number in range(1000):
            tally.add([str(number)], "a")

        assert 20 >= len(tally)
        assert 1000 == len(tally) + tally.forgotten
        assert 0 == tally.repeats
        assert (1, 0) == (tally.times("999", "a"), tally.times("0", "a"))

    def test_a_pair_of_the_older_generation_is_still_known(self) -> None:
        """It moves to the newer one with its count."""
        tally = Tally(room=2)
        tally.add(["1", "2"], "a")

        tally.add(["1"], "a")

        assert (2, 1, 2) == (tally.times("1", "a"), tally.repeats, len(tally))
