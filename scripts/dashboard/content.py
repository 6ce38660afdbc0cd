"""What the dashboard shows, from top to bottom."""

from scripts.dashboard.jobs_rows import GLANCE, LATENCY, OUTCOMES, THROUGHPUT
from scripts.dashboard.parts_rows import BROKER, GATEWAY, LEDGER, PROCESS

ROWS = (GLANCE, THROUGHPUT, OUTCOMES, LATENCY, GATEWAY, LEDGER, BROKER, PROCESS)
