"""Two commands at the same time: one waits most of its time, the other one computes and gives way to it.

``python -m scripts.two_runs WAITING... -- COMPUTING...``. What the first says is shown as it is said, what
the second says when both have ended.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run both to their ends; return 0, or the exit code of one that failed."""
    between = arguments.index("--")
    waiting, computing = arguments[:between], arguments[between + 1 :]
    with tempfile.TemporaryFile() as said:
        # Processes of the first one keep their deadlines: the second one takes what they leave.
        beside = subprocess.Popen(["nice", *computing], stdout=said, stderr=subprocess.STDOUT)
        codes = [_ended(subprocess.Popen(waiting)), _ended(beside)]
        said.seek(0)
        sys.stdout.flush()
        sys.stdout.buffer.write(said.read())
    return codes[0] or codes[1]


def _ended(run: "subprocess.Popen[bytes]") -> int:
    """Wait for the end. Ctrl-C reaches the run as well, which stops what it started and ends by itself."""
    while True:
        try:
            return run.wait()
        except KeyboardInterrupt:
            continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
