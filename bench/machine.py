"""What the figures were measured on."""

import platform
from importlib.metadata import version
from pathlib import Path

import psutil

from bench.figures import Record

LIBRARIES = ("aio-pika", "aiohttp", "celery", "dramatiq", "faststream", "httpx", "taskiq", "uvloop")


def describe(stub_limit: float) -> Record:
    """Return the machine, the versions, and the calls a second that the gateway's stand-in can answer."""
    return {
        "type": "Machine",
        "cores": psutil.cpu_count(),
        "processor": _processor(),
        "memory": round(psutil.virtual_memory().total / 1e9),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "stub_limit": stub_limit,
        "faults": [],
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
