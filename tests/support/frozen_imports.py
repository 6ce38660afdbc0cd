"""Imported last by a server that forks: does what its children would each do for themselves.

What it has imported is left out of their collections: a round over it would have each child copy the memory
that they all share. And the expressions that find the tests' credentials in log lines are compiled, which
Python remembers: that takes a worker as long as it takes to connect.
"""

import gc

from tests.support.worker_process import PASSWORD, USERNAME
from worker.logs import Redaction

Redaction([PASSWORD, "guest"], [USERNAME])  # of the log lines: "guest" is the broker's password
Redaction([PASSWORD], [USERNAME])  # of what the gateway says
gc.collect()
gc.freeze()
