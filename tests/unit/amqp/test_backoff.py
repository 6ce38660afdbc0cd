"""When a refused message is published again."""

import pytest

from worker.amqp.backoff import PAUSES, SPREAD, Backoff, digest


def publishes(seconds: float) -> int:
    """How often a message is published in so many seconds while it is always refused."""
    pacing, now, count = Backoff(), 0.0, 0
    while now < seconds:
        count += 1
        pacing.refused(b"key", "exchange", now)
        now += pacing.wait(b"key", now)
    return count


class TestPauses:
    """They grow."""

    @pytest.mark.parametrize(("seconds", "most"), [(30, 5), (60, 7), (600, 16)])
    def test_few_publishes_of_a_message_that_is_always_refused(self, seconds: float, most: int) -> None:
        """At most five in the first half minute, and one a minute later on."""
        assert publishes(seconds) <= most

    def test_those_refused_together_do_not_come_back_together(self) -> None:
        """One of them may be what all were refused for; none comes back before its pause is over."""
        rolled = iter((0.0, 0.5, 1.0))
        pacing = Backoff(lambda: next(rolled))
        waits = []
        for key in (b"1", b"2", b"3"):
            pacing.refused(key, "exchange", 0.0)
            waits.append(pacing.wait(key, 0.0))
        assert [PAUSES[0] * (1 + SPREAD * share) for share in (0.0, 0.5, 1.0)] == waits

    def test_each_message_waits_for_itself(self) -> None:
        """One that was not refused does not wait."""
        pacing = Backoff()
        pacing.refused(b"one", "exchange", 0.0)
        assert PAUSES[0] == pacing.wait(b"one", 0.0)
        assert 0.0 == pacing.wait(b"other", 0.0)

    def test_a_message_that_was_taken_is_a_new_one(self) -> None:
        """So is one that nobody came back with."""
        pacing = Backoff()
        pacing.refused(b"one", "exchange", 0.0)
        pacing.refused(b"one", "exchange", 0.5)
        pacing.taken(b"one")
        pacing.refused(b"one", "exchange", 1.0)
        assert PAUSES[0] == pacing.wait(b"one", 1.0)
        pacing.refused(b"one", "exchange", 10_000.0)
        assert 1 == pacing.times(b"one")

    def test_it_remembers_a_bounded_number(self) -> None:
        """The oldest go first, and nothing else is kept of them."""
        pacing = Backoff()
        for number in range(20_001):
            pacing.refused(str(number).encode(), "exchange", 0.0)
        assert 0 == pacing.times(b"0")
        assert 1 == pacing.times(b"20000")


class TestTelling:
    """Once for each target."""

    def test_the_first_of_a_target_is_told(self) -> None:
        """Whatever is refused after it, and however often."""
        pacing = Backoff()
        told = [pacing.refused(str(number).encode(), "full", 0.0) for number in range(200)]
        told += [pacing.refused(b"7", "full", 1.0), pacing.refused(b"7", "other", 1.0)]
        assert [True] + [False] * 201 == told[:202]

    def test_the_last_one_taken_ends_it(self) -> None:
        """Then the next refusal is told again."""
        pacing = Backoff()
        pacing.refused(b"1", "full", 0.0)
        pacing.refused(b"2", "full", 0.0)
        assert pacing.taken(b"1") is None
        assert "full" == pacing.taken(b"2")
        assert not pacing.remembered
        assert pacing.refused(b"3", "full", 1.0)

    def test_what_nobody_came_back_with_keeps_no_target(self) -> None:
        """Another worker has published it: the next refusal is told, and until then nothing is slower."""
        pacing = Backoff()
        pacing.refused(b"gone", "full", 0.0)
        pacing.refused(b"gone too", "full", 0.0)
        assert 0.0 == pacing.wait(b"other", 1_000.0)
        assert not pacing.remembered
        assert pacing.refused(b"other", "full", 1_000.0)


class TestDigest:
    """What a message is remembered by."""

    def test_pieces_are_told_apart(self) -> None:
        """The same bytes, cut elsewhere, are another message."""
        assert digest(b"ab", b"c") != digest(b"a", b"bc")
        assert digest(b"ab", b"c") == digest(b"ab", b"c")
