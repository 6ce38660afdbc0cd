"""Names of the libraries below aio-pika that other rooms need: errors, and what answers are made of."""

from aiormq.abc import AbstractChannel as UnderlayChannel
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import (
    AMQPError,
    ChannelAccessRefused,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    ConnectionClosed,
)
from pamqp.commands import Basic
from pamqp.common import FieldValue

__all__ = [
    "AMQPError",
    "Basic",
    "ChannelAccessRefused",
    "ChannelNotFoundEntity",
    "ChannelPreconditionFailed",
    "ConnectionClosed",
    "DeliveredMessage",
    "FieldValue",
    "UnderlayChannel",
]
