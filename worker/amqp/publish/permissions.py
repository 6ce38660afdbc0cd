"""Whether our user may publish wherever the worker does, found out before there is anything to publish."""

from contextlib import suppress
from uuid import uuid4

from schemas.channels import ResultKind
from worker.amqp.connection.calls import bounded, open_channel, underlay_of
from worker.amqp.connection.library import AMQPError, ChannelAccessRefused
from worker.amqp.connection.opening import RawConnection
from worker.amqp.publish.confirms import ConfirmChannel
from worker.amqp.publish.outgoing import Outgoing
from worker.amqp.publish.window import UnroutableError
from worker.amqp.topology.declare import TopologyError, close_channel, together
from worker.amqp.topology.values import Topology
from worker.amqp.wire.properties import Properties

_CALL_LIMIT = 10.0
_NOTHING = "no.such.binding"


async def insist_on_publishing(connection: RawConnection, topology: Topology) -> None:
    """Ask for the right to publish on each exchange; nothing is published that anybody gets.

    Raises:
        TopologyError: code ``publish_refused``; the detail names the exchange and the remedy.
        BrokerUnavailableError: the connection was lost, or the broker did not answer in time.
    """
    ours = [
        *(topology.result_exchange(kind) for kind in ResultKind),
        topology.dead,
        topology.delay,
        topology.held,
        *((topology.scheduled,) if topology.ladder else ()),
    ]
    questions = [_may_write(connection, topology.jobs, exchange) for exchange in ours]
    await together([*questions, _may_use_default(connection, topology)])


async def _may_write(connection: RawConnection, source: str, exchange: str) -> None:
    """Take away a binding that is not there.

    RabbitMQ asks for the right to write the destination before anything else, and finds nothing to do then.
    """
    channel = await open_channel(connection.library, _CALL_LIMIT)
    try:
        underlay = await underlay_of(channel)
        await bounded(underlay.exchange_unbind(exchange, source, _NOTHING), _CALL_LIMIT)
    except ChannelAccessRefused as error:
        # The right to read the source is another matter: a worker that declares nothing needs none.
        if f"'{exchange}'" in str(error):
            raise _refused(f"exchange {exchange}") from None
    except AMQPError:
        return  # What else is wrong with it is not a matter of rights.
    finally:
        await close_channel(channel)


async def _may_use_default(connection: RawConnection, topology: Topology) -> None:
    """Publish to a queue that is not there: the broker returns it, or refuses."""
    channel = ConfirmChannel(_CALL_LIMIT)
    nobody = f"{topology.prefix}.no.such.queue"
    try:
        await channel.attach(connection)
        with suppress(UnroutableError):
            await channel.publish(Outgoing.of("", nobody, b"", Properties.of(message_id=uuid4().hex)))
    except ChannelAccessRefused:
        raise _refused(
            "the default exchange (amq.default), through which parts of large jobs and replies go"
        ) from None
    finally:
        await channel.close()


def _refused(what: str) -> TopologyError:
    return TopologyError(
        "publish_refused",
        f"the broker's user may not publish on {what}: grant it the right to write it",
    )
