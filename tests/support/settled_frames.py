"""What frames of ours say that settle a delivery, as the client library reads them."""

from pamqp import frame
from pamqp.commands import Basic


def tag_of(raw: bytes) -> int:
    """Return which delivery an ack or a nack is about."""
    _, _, said = frame.unmarshal(raw)
    assert isinstance(said, Basic.Ack | Basic.Nack)
    return said.delivery_tag or 0


def puts_back(raw: bytes) -> bool:
    """Tell whether a nack puts it into its queue again."""
    _, _, said = frame.unmarshal(raw)
    return isinstance(said, Basic.Nack) and said.requeue
