"""``python -m tests.counts``: count the functions of ours that one job runs, and list them in their order."""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.counts.traced import traced_way
from tests.counts.way import Way
from tests.support.broker import own_prefix, shared_broker
from tests.support.simulator_process import simulator_process
from tests.support.worker_process import Workshop


def main() -> int:
    """Trace a job and print what it ran."""
    print(*_traced().lines(), sep="\n")  # noqa: T201 - for a person at a terminal
    return 0


def _traced() -> Way:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="counts-")))
        url = stack.enter_context(shared_broker()).url
        prefix = stack.enter_context(own_prefix(url))
        gateway = stack.enter_context(simulator_process(folder))
        workshop = Workshop(amqp_url=url, prefix=prefix, gateway_url=gateway.url, folder=folder)
        stack.callback(workshop.close)
        return traced_way(workshop, gateway)


if __name__ == "__main__":
    sys.exit(main())
