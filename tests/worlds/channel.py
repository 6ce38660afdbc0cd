"""What one channel of a connection to the broker holds, and the methods that it understands."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pamqp import body, header
from pamqp.commands import Basic, Channel, Confirm, Exchange, Queue

from tests.worlds import queues
from tests.worlds.queues import Message

if TYPE_CHECKING:
    from tests.worlds.session import Session

FRAME_MAX = 131_072


@dataclass(slots=True, eq=False)
class _Consumer:
    channel: "AmqpChannel"
    tag: str
    prefetch: int
    queue: queues.Queue
    held: int = 0

    @property
    def has_room(self) -> bool:
        return not self.prefetch or self.held < self.prefetch

    def deliver(self, queue: queues.Queue, message: Message) -> None:
        self.held += 1
        self.channel.deliver(self, queue, message)


@dataclass(slots=True)
class _Publish:
    """A message on its way in."""

    method: Basic.Publish
    head: header.ContentHeader | None = None
    pieces: list[bytes] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return self.head is not None and sum(map(len, self.pieces)) >= self.head.body_size


class AmqpChannel:
    """Consumers, what they hold, and the publish that is on its way in."""

    def __init__(self, session: "Session", number: int) -> None:
        self.session = session
        self.number = number
        self.prefetch = 0
        self.confirms = False
        self.consumers: dict[str, _Consumer] = {}
        self.unsettled: dict[int, tuple[_Consumer, Message]] = {}
        self._deliveries = 0
        self._publishes = 0
        self._publish: _Publish | None = None

    def send(self, *frames: Any) -> None:  # noqa: ANN401 - pamqp's frames have no type in common
        """Write frames."""
        self.session.send(self.number, *frames)

    def deliver(self, consumer: _Consumer, queue: queues.Queue, message: Message) -> None:
        """Hand *message* out."""
        self._deliveries += 1
        tag = self._deliveries
        self.unsettled[tag] = (consumer, message)
        properties = message.properties
        if message.returns:
            properties = message.with_headers(**{"x-delivery-count": message.returns})
        self.session.delivered(queue, message)
        self.send(
            Basic.Deliver(consumer.tag, tag, message.deliveries > 1, message.exchange, message.key),
            *_content(properties, message.body),
        )

    def settle(self, tag: int, *, multiple: bool, requeue: bool) -> None:
        """Take an acknowledgement, or put back what was refused."""
        tags = [each for each in self.unsettled if each <= tag] if multiple else [tag]
        touched: dict[queues.Queue, list[Message]] = {}
        for each in tags:
            found = self.unsettled.pop(each, None)
            if found is None:
                self.close(406, f"PRECONDITION_FAILED - unknown delivery tag {each}")
                return
            consumer, message = found
            consumer.held -= 1
            back = touched.setdefault(consumer.queue, [])
            if requeue:
                back.append(message)
            else:
                consumer.queue.settled()
        for queue, back in touched.items():
            queue.give_back(back)
            queue.pump()

    def begin(self, method: Basic.Publish) -> None:
        """Await the content of a publish."""
        self._publish = _Publish(method)

    def add(self, part: header.ContentHeader | body.ContentBody) -> None:
        """Take a piece of it."""
        publish = self._publish
        assert publish is not None
        if isinstance(part, header.ContentHeader):
            publish.head = part
        else:
            publish.pieces.append(part.value or b"")
        if publish.complete:
            self._publish = None
            self._published(publish)

    def _published(self, publish: _Publish) -> None:
        method, head, whole = publish.method, publish.head, b"".join(publish.pieces)
        assert head is not None
        self._publishes += 1
        broker = self.session.broker
        if method.exchange and method.exchange not in broker.exchanges:
            self.close(404, f"NOT_FOUND - no exchange '{method.exchange}'")
            return
        done = broker.publish(
            method.exchange, method.routing_key, head.properties, whole, self.session.host_name
        )
        if method.mandatory and not done.queues:
            self.send(
                Basic.Return(312, "NO_ROUTE", method.exchange, method.routing_key),
                *_content(head.properties, whole),
            )
        if self.confirms:
            answer = Basic.Ack(self._publishes, False) if done.taken else Basic.Nack(self._publishes, False)  # noqa: FBT003 - pamqp's
            self.session.confirm(self.number, answer)

    def consume(self, method: Basic.Consume) -> None:
        """Begin to hand out."""
        queue = self.session.broker.queues.get(method.queue)
        if queue is None:
            self.close(404, f"NOT_FOUND - no queue '{method.queue}'")
            return
        tag = method.consumer_tag or f"ctag-{self.session.draw()}"
        consumer = self.consumers[tag] = _Consumer(self, tag, self.prefetch, queue)
        queue.consumers.append(consumer)
        self.send(Basic.ConsumeOk(tag))
        queue.pump()

    def cancel(self, tag: str) -> None:
        """Hand out no more; what it holds may still be settled."""
        if consumer := self.consumers.pop(tag, None):
            consumer.queue.consumers.remove(consumer)
        self.send(Basic.CancelOk(tag))

    def end(self) -> None:
        """Give everything back."""
        for consumer in self.consumers.values():
            consumer.queue.consumers.remove(consumer)
        self.consumers.clear()
        back: dict[queues.Queue, list[Message]] = {}
        for consumer, message in self.unsettled.values():
            back.setdefault(consumer.queue, []).append(message)
        self.unsettled.clear()
        for queue, messages in back.items():
            queue.give_back(messages)
            queue.pump()

    def close(self, code: int, words: str) -> None:
        """Close the channel over a fault of the client."""
        self.end()
        self.session.channels.pop(self.number, None)
        self.send(Channel.Close(code, words, 0, 0))


def _content(properties: Basic.Properties, whole: bytes) -> list[Any]:
    size = FRAME_MAX - 8
    pieces = [body.ContentBody(whole[start : start + size]) for start in range(0, len(whole), size)]
    return [header.ContentHeader(body_size=len(whole), properties=properties), *pieces]


def _close_channel(channel: AmqpChannel, _: Any) -> None:  # noqa: ANN401 - as above
    channel.end()
    channel.session.channels.pop(channel.number, None)
    channel.send(Channel.CloseOk())


def _declare_queue(channel: AmqpChannel, got: Queue.Declare) -> None:
    broker = channel.session.broker
    if got.passive and got.queue not in broker.queues:
        channel.close(404, f"NOT_FOUND - no queue '{got.queue}'")
        return
    queue = broker.declare_queue(got.queue, got.arguments or {})
    channel.send(Queue.DeclareOk(queue.name, len(queue), len(queue.consumers)))


def _declare_exchange(channel: AmqpChannel, got: Exchange.Declare) -> None:
    broker = channel.session.broker
    if got.passive and got.exchange not in broker.exchanges:
        channel.close(404, f"NOT_FOUND - no exchange '{got.exchange}'")
        return
    broker.declare_exchange(got.exchange, got.exchange_type, got.arguments or {})
    channel.send(Exchange.DeclareOk())


def _bind(channel: AmqpChannel, got: Queue.Bind) -> None:
    channel.session.broker.bind(got.queue, got.exchange, got.routing_key)
    channel.send(Queue.BindOk())


def _qos(channel: AmqpChannel, got: Basic.Qos) -> None:
    channel.prefetch = got.prefetch_count
    channel.send(Basic.QosOk())


def _confirms(channel: AmqpChannel, _: Any) -> None:  # noqa: ANN401 - as above
    channel.confirms = True
    channel.session.publishes = True
    channel.send(Confirm.SelectOk())


ON_CHANNEL: dict[type, Callable[[AmqpChannel, Any], None]] = {
    Channel.Close: _close_channel,
    Queue.Declare: _declare_queue,
    Queue.Bind: _bind,
    Exchange.Declare: _declare_exchange,
    Exchange.Unbind: lambda channel, _: channel.send(Exchange.UnbindOk()),
    Basic.Qos: _qos,
    Confirm.Select: _confirms,
    Basic.Publish: AmqpChannel.begin,
    header.ContentHeader: AmqpChannel.add,
    body.ContentBody: AmqpChannel.add,
    Basic.Consume: AmqpChannel.consume,
    Basic.Cancel: lambda channel, got: channel.cancel(got.consumer_tag),
    Basic.Ack: lambda channel, got: channel.settle(got.delivery_tag, multiple=got.multiple, requeue=False),
    Basic.Nack: lambda channel, got: channel.settle(
        got.delivery_tag, multiple=got.multiple, requeue=got.requeue
    ),
    Basic.Reject: lambda channel, got: channel.settle(got.delivery_tag, multiple=False, requeue=got.requeue),
}
