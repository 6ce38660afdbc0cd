"""``python -m tests.counts.recorder FILE``: ``iton-worker run``, with calls of functions of ours on record.

The file is JSON: ``functions`` as ``[file, qualified name, first line]``, and ``calls`` as
``[time.monotonic(), index of the function]`` in their order. A coroutine that goes on counts as a call of
each of its functions, as the interpreter has it; a lambda or comprehension is part of the function that it
stands in.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).parents[2]
OURS = tuple(f"{ROOT / package}/" for package in ("worker", "schemas"))


class Recorder:
    """Remembers the calls of functions of ours, in all threads that start after it."""

    def __init__(self) -> None:
        self._index: dict[CodeType, int | None] = {}
        self._functions: list[tuple[str, str, int]] = []
        self._calls: list[tuple[float, int]] = []

    def start(self) -> None:
        """Begin."""
        threading.setprofile(self)
        sys.setprofile(self)

    def stop(self) -> None:
        """End it for the thread that calls."""
        threading.setprofile(None)
        sys.setprofile(None)

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Take an event of the interpreter."""
        if event != "call":
            return
        code = frame.f_code
        number = self._index[code] if code in self._index else self._new(code)
        if number is not None:
            self._calls.append((time.monotonic(), number))

    def _new(self, code: CodeType) -> int | None:
        """Return the number of a function of ours, None for anything else, and remember it."""
        ours = code.co_filename.startswith(OURS) and not code.co_name.startswith("<")
        if ours:
            file = str(Path(code.co_filename).relative_to(ROOT))
            self._functions.append((file, code.co_qualname, code.co_firstlineno))
        self._index[code] = len(self._functions) - 1 if ours else None
        return self._index[code]

    def write(self, file: Path) -> None:
        """Write down what was called so far."""
        file.write_text(json.dumps({"functions": self._functions, "calls": self._calls}))


def recorded(file: Path, run: Callable[[], int]) -> int:
    """Return what *run* returns, and write its calls to *file*."""
    recorder = Recorder()
    recorder.start()
    try:
        return run()
    finally:
        recorder.stop()
        recorder.write(file)


if __name__ == "__main__":
    from worker import probes
    from worker.__main__ import main

    # A look at the ledger runs what a job runs there: seen while idle, now and then, it would be taken away.
    probes._EVERY = 3_600.0
    target = Path(sys.argv[1])
    sys.argv[:] = ["iton-worker", "run"]
    sys.exit(recorded(target, main))
