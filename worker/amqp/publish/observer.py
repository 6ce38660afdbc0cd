"""Who learns what becomes of messages on their way out."""

from typing import Protocol


class PublishObserver(Protocol):
    """Learns what becomes of messages. The kind is an exchange's last word, or ``parts``."""

    def confirmed(self, kind: str, seconds: float) -> None:
        """One was confirmed, *seconds* after it was to be published."""
        ...

    def refused(self, kind: str, how: str) -> None:
        """One was not taken: ``failed`` or ``returned``, each time that it is tried."""
        ...

    def given_up(self, kind: str, how: str) -> None:
        """One will not be tried any more here."""
        ...

    def dead_lettered(self, reason: str) -> None:
        """A dead letter was confirmed."""
        ...

    def delayed(self) -> None:
        """A copy for a delay queue was confirmed."""
        ...


class Unobserved:
    """Tells nobody."""

    def confirmed(self, kind: str, seconds: float) -> None:
        """Forget it."""

    def refused(self, kind: str, how: str) -> None:
        """Forget it."""

    def given_up(self, kind: str, how: str) -> None:
        """Forget it."""

    def dead_lettered(self, reason: str) -> None:
        """Forget it."""

    def delayed(self) -> None:
        """Forget it."""
