"""What a reply to sendSMS names: message ids by recipient, and those that it gives to nobody."""


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
    return f" (message id {', '.join(ids)})" if ids else ""
