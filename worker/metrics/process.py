"""The process itself."""

import platform

from worker.metrics.series import Group
from worker.metrics.spec import FAST_SECONDS


class ProcessMetrics:
    """Its state and its event loop.

    Args:
        version: of the worker, for ``iton_worker_build_info``.
    """

    def __init__(self, group: Group, version: str) -> None:
        self.ready = group.gauge("ready", "1 while /readyz answers 200")
        self.draining = group.gauge("draining", "1 from the stop signal on")
        self.loop_lag = group.histogram(
            "loop_lag_seconds",
            "How late a timer fires, once a second: a busy or starved process",
            FAST_SECONDS,
        )
        said = {"version": version, "python": platform.python_version()}
        group.info("build_info", "Always 1; its labels say which version runs on which Python", said)
