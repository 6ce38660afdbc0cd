"""The table of failure codes."""

import re

from schemas import FailureCode


class TestFailureCode:
    """What programs compare and people read."""

    def test_is_a_plain_string_to_programs(self) -> None:
        """It can be compared with, and written as, its code."""
        assert FailureCode("reply_lost") is FailureCode.REPLY_LOST
        assert f"{FailureCode.REPLY_LOST}" == "reply_lost"

    def test_every_code_says_what_it_means_and_what_to_do(self) -> None:
        """A sentence each, and no code twice."""
        for code in FailureCode:
            assert re.fullmatch(r"[a-z][a-z0-9_]*", code.value)
            assert code.name.lower() == code.value
            assert code.meaning.endswith(".")
            assert code.remedy.endswith(".")
        assert len(FailureCode) == len({code.meaning for code in FailureCode})

    def test_what_may_have_been_sent_says_so(self) -> None:
        """The remedy of an uncertain outcome is never simply to send again."""
        for code in (FailureCode.REPLY_LOST, FailureCode.NOT_IN_REPLY, FailureCode.WORKER_LOST):
            assert "may have been sent" in code.meaning
