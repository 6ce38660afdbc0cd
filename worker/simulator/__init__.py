"""A stand-in for the ITON gateway, for development, the demo and the tests. It sends no SMS.

Written from the gateway's public page alone and independent of the worker's own client, so that two
readings of that page meet in the tests. ``docs/simulator.md`` holds its rules and its control endpoint.
"""

from worker.simulator.control import Control
from worker.simulator.faults import Fault, FaultKind
from worker.simulator.options import ReplyForm, SimulatorOptions, Spelling
from worker.simulator.server import RunningSimulator, running_simulator, serve
from worker.simulator.wire import Command

__all__ = [
    "Command",
    "Control",
    "Fault",
    "FaultKind",
    "ReplyForm",
    "RunningSimulator",
    "SimulatorOptions",
    "Spelling",
    "running_simulator",
    "serve",
]
