"""A message ready for the wire."""

from typing import NamedTuple

from worker.amqp.headers import COPY_ID
from worker.amqp.wire.properties import Properties, readable


class Outgoing(NamedTuple):
    """A message ready for the wire.

    Attributes:
        exchange: empty for the default exchange, where *routing_key* is a queue's name.
        raw_properties: flags and values.
        key: what tells it from others under way, if anything does: the same stands in its properties.
    """

    exchange: str
    routing_key: str
    body: bytes
    raw_properties: bytes
    key: bytes

    @classmethod
    def of(cls, exchange: str, routing_key: str, body: bytes, properties: Properties) -> "Outgoing":
        """Make one of properties that were put together."""
        return cls(exchange, routing_key, body, properties.marshal(), publish_key(properties))

    @property
    def properties(self) -> Properties:
        """The properties, to be looked at."""
        return readable(self.raw_properties)


def publish_key(properties: Properties) -> bytes:
    """What tells one publish under way from another: the copy's id, else the message id; maybe nothing."""
    wanted = COPY_ID.encode()
    copy_id = next((value for name, value in properties.headers or () if name == wanted), None)
    return copy_id or properties.fields.get("message_id", b"")
