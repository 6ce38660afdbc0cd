"""A dead letter as it goes back to work. Pure."""

from datetime import datetime
from typing import Final
from uuid import uuid4

from schemas.channels import DeadHeader
from worker.amqp.connection.library import FieldValue
from worker.amqp.dead.records import DeadLetterRecord
from worker.amqp.headers import COPY_ID, FIRST_SEEN, REPLAY, REPLAY_FORCE, REPLAY_KNOWN_UNTIL, ROUTING_KEY
from worker.amqp.publish.copies import DEATHS, PROPERTIES_LIMIT, copyable, spell_time
from worker.amqp.publish.outgoing import Outgoing
from worker.amqp.topology.values import Topology
from worker.domain.messages import Lane

# What an earlier life left; a replay begins with all its rounds, and must not inherit another's force.
_FORMER: Final = tuple(
    name.encode()
    for name in (*(header.value for header in DeadHeader), FIRST_SEEN, REPLAY_FORCE, REPLAY_KNOWN_UNTIL)
)


def replay_copy(
    topology: Topology,
    record: DeadLetterRecord,
    *,
    force: bool,
    known_until: datetime | None = None,
    most: int = PROPERTIES_LIMIT,
) -> Outgoing:
    """The original for the work queue it died in, marked as a replay of this very letter.

    A dead letter that names none of our work queues goes by its routing key. *known_until* is for the worker
    that takes it, at whatever time; *most* are the bytes that the properties may have.
    """
    said: dict[str, FieldValue] = {
        COPY_ID: uuid4().hex,
        ROUTING_KEY: record.routing_key,
        REPLAY: record.replay_id,
    }
    if force:
        said[REPLAY_FORCE] = True
    if known_until:
        said[REPLAY_KNOWN_UNTIL] = spell_time(known_until)
    clean = record.properties.without_headers(_FORMER, starting=DEATHS)
    properties = copyable(clean, said, most)
    if record.queue in {topology.work_queue(lane) for lane in Lane}:
        return Outgoing.of("", record.queue, record.body, properties)
    return Outgoing.of(topology.jobs, record.routing_key, record.body, properties)
