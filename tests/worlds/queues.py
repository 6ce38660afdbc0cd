"""The broker's queues: quorum-like, with everything that the worker leans on."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from pamqp.commands import Basic


@dataclass(slots=True, eq=False)
class Message:
    """One message, in whatever queue it is.

    Attributes:
        origin: counts up; the copies that routing makes of one publish share it.
        returns: how often it was given back, as RabbitMQ counts in ``x-delivery-count``.
    """

    origin: int
    exchange: str
    key: str
    properties: Basic.Properties
    body: bytes
    returns: int = 0
    deliveries: int = 0

    @property
    def headers(self) -> dict[str, Any]:
        """Its headers."""
        return dict(self.properties.headers or {})

    def with_headers(self, **more: Any) -> Basic.Properties:  # noqa: ANN401 - whatever AMQP may say
        """Return its properties with more headers."""
        known: dict[str, Any] = dict(self.properties)
        return Basic.Properties(**{**known, "headers": {**self.headers, **more}})


class Consumes(Protocol):
    """A consumer of a queue."""

    @property
    def has_room(self) -> bool:
        """Whether it may be given another message."""
        ...

    def deliver(self, queue: "Queue", message: Message) -> None:
        """Take one."""
        ...


@dataclass(slots=True, eq=False)
class Queue:
    """Messages in line, and who takes them.

    Attributes:
        full: takes no more, as one with ``x-max-length`` and ``reject-publish``.
        unsettled: handed out and not settled.
        returns_anywhere: where what is given back goes: None in front, else anywhere.
    """

    name: str
    arguments: Mapping[str, Any]
    ready: deque[Message] = field(default_factory=deque)
    consumers: deque[Consumes] = field(default_factory=deque)
    full: bool = False
    unsettled: int = 0
    returns_anywhere: Random | None = None

    def __len__(self) -> int:
        return len(self.ready)

    def pump(self) -> None:
        """Hand out what can be, in turn."""
        idle = 0
        while self.ready and idle < len(self.consumers):
            consumer = self.consumers[0]
            self.consumers.rotate(-1)
            if not consumer.has_room:
                idle += 1
                continue
            idle = 0
            message = self.ready.popleft()
            self.unsettled += 1
            message.deliveries += 1
            consumer.deliver(self, message)

    def settled(self) -> None:
        """A message is done with."""
        self.unsettled -= 1

    def give_back(self, messages: list[Message]) -> None:
        """Put *messages* back, in their order."""
        self.unsettled -= len(messages)
        for message in reversed(messages):
            message.returns += 1
            if self.returns_anywhere is None:
                self.ready.appendleft(message)
            else:
                self.ready.insert(self.returns_anywhere.randint(0, len(self.ready)), message)


@dataclass(slots=True)
class Exchange:
    """Where messages are published."""

    name: str
    type: str
    alternate: str | None
    bindings: dict[tuple[str, str], None] = field(default_factory=dict)

    def queues_for(self, key: str) -> list[str]:
        """Name the queues that a message with *key* goes to, each once."""
        matches: Callable[[str, str], bool] = _MATCHES[self.type]
        return list(dict.fromkeys(queue for queue, pattern in self.bindings if matches(pattern, key)))


def _topic(pattern: str, key: str) -> bool:
    return _words_match(pattern.split("."), key.split("."))


def _words_match(pattern: list[str], words: list[str]) -> bool:
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(_words_match(pattern[1:], words[skip:]) for skip in range(len(words) + 1))
    return bool(words) and pattern[0] in {"*", words[0]} and _words_match(pattern[1:], words[1:])


_MATCHES: dict[str, Callable[[str, str], bool]] = {
    "topic": _topic,
    "direct": str.__eq__,
    "fanout": lambda _pattern, _key: True,
}


@dataclass(slots=True)
class Published:
    """One publish, for the record."""

    at: float
    host: str
    exchange: str
    key: str
    properties: Basic.Properties
    body: bytes
    queues: tuple[str, ...]
    taken: bool


class Broker:
    """Exchanges and queues, and a record of all that was published.

    Attributes:
        blocked: an alarm: who publishes is not read any more.
        record: of every publish, in its order.
        on_publish: told of each of them.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._numbers = 0
        self.exchanges: dict[str, Exchange] = {}
        self.queues: dict[str, Queue] = {}
        self.record: list[Published] = []
        self.blocked = False
        self.on_publish: Callable[[Published], None] = lambda _: None

    def declare_exchange(self, name: str, kind: str, arguments: Mapping[str, Any]) -> None:
        """Make it exist."""
        if name not in self.exchanges:
            self.exchanges[name] = Exchange(name, kind, arguments.get("alternate-exchange"))

    def declare_queue(self, name: str, arguments: Mapping[str, Any]) -> Queue:
        """Make it exist."""
        return self.queues.setdefault(name, Queue(name, dict(arguments)))

    def bind(self, queue: str, exchange: str, key: str) -> None:
        """Lead *key* of *exchange* to *queue*."""
        self.exchanges[exchange].bindings[queue, key] = None

    def route(self, exchange: str, key: str) -> list[Queue]:
        """Return the queues that a publish goes to."""
        if not exchange:
            return [self.queues[key]] if key in self.queues else []
        found = self.exchanges[exchange].queues_for(key)
        alternate = self.exchanges[exchange].alternate
        if not found and alternate in self.exchanges:
            return self.route(alternate, key)
        return [self.queues[name] for name in found]

    def publish(
        self, exchange: str, key: str, properties: Basic.Properties, body: bytes, host: str = "producer"
    ) -> Published:
        """Put a message where it goes; nowhere if one of its queues is full."""
        queues = self.route(exchange, key)
        taken = not any(queue.full for queue in queues)
        names = tuple(queue.name for queue in queues)
        published = Published(self._loop.time(), host, exchange, key, properties, body, names, taken)
        self.record.append(published)
        if taken:
            self._numbers += 1
            for queue in queues:
                self._enqueue(queue, Message(self._numbers, exchange, key, properties, body))
        self.on_publish(published)
        return published

    def _enqueue(self, queue: Queue, message: Message) -> None:
        queue.ready.append(message)
        if (ttl := queue.arguments.get("x-message-ttl")) is not None:
            self._loop.call_later(ttl / 1000, self._expire, queue, message)
        queue.pump()

    def _expire(self, queue: Queue, message: Message) -> None:
        if message not in queue.ready:
            return
        queue.ready.remove(message)
        exchange = queue.arguments.get("x-dead-letter-exchange")
        if exchange is None:
            return
        death = {"queue": queue.name, "reason": "expired", "count": 1, "exchange": message.exchange}
        properties = message.with_headers(**{"x-death": [death], "x-first-death-queue": queue.name})
        for target in self.route(exchange, message.key):
            self._enqueue(target, Message(message.origin, exchange, message.key, properties, message.body))
