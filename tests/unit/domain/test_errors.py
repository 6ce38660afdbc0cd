"""The errors that cross our boundaries."""

from copy import copy

from worker.domain.errors import PermanentError


class TestWorkerError:
    """What of it may be seen where."""

    def test_its_repr_has_no_words(self) -> None:
        """The event loop logs it for a task that nobody asked about."""
        error = PermanentError("text_refused", "HTTP 400: Zauberwort")
        assert repr(error) == "PermanentError('text_refused')"

    def test_a_log_line_has_its_own_words_where_they_are_given(self) -> None:
        """Else they are those for people; a copy has the same."""
        error = PermanentError("text_refused", "HTTP 400: Zauberwort")
        assert error.for_log == error.detail
        error.for_log = "HTTP 400"
        assert copy(error).for_log == "HTTP 400"
