"""What a reply to sendSMS names: message ids by recipient, and those that it gives to nobody."""

from typing import Final

MOST_TOLD: Final = 200
"""Ids in the words to one recipient, two for each number of a call: brokers must take the result."""


class SentIds(dict[str, tuple[str, ...]]):
    """Message ids by recipient.

    Attributes:
        loose: ids of whom the reply does not say whose they are; they stand nowhere else.
    """

    def __init__(self, found: dict[str, tuple[str, ...]], loose: tuple[str, ...] = ()) -> None:
        super().__init__(found)
        self.loose = loose


def loose_of(message_ids: object) -> tuple[str, ...]:
    """Return the ids that *message_ids* gives to nobody."""
    return message_ids.loose if isinstance(message_ids, SentIds) else ()


def told(ids: tuple[str, ...]) -> str:
    """Say in brackets, behind other words, which ids a reply has."""
    if not ids:
        return ""
    more = f" and {len(ids) - MOST_TOLD:,} more" if len(ids) > MOST_TOLD else ""
    return f" (message id {', '.join(ids[:MOST_TOLD])}{more})"
