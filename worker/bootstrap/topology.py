"""The topology by the settings: all of the composition root that most commands need, and no library."""

from worker.amqp.topology.values import Topology
from worker.settings import Settings


def topology_of(settings: Settings) -> Topology:
    """Return the names that the settings give to everything on the broker."""
    return Topology(
        settings.broker.prefix,
        settings.retry.delays,
        settings.track.delays,
        ladder=settings.sending.send_after_limit > 0,
    )
