"""Whether another process has a ledger's file open."""

import fcntl
import struct
from pathlib import Path

from worker.ledger.sqlite_failures import failure_of

# SQLite, os_unix.c: who has a database in WAL mode open holds a shared lock on this byte of its -shm file.
_BYTE = 128
_FLOCK = "hhqqi4x"


def is_open_elsewhere(path: Path) -> bool:
    """Tell whether another process has the database at *path* open.

    Not to be asked while this process has it open: to close a file drops a process's locks on it.

    Raises:
        LedgerUnavailableError: it may not be asked, as the file is somebody else's, say.
    """
    try:
        with Path(f"{path}-shm").open("rb+") as file:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, 0, _BYTE, 1, 0)
            found = fcntl.fcntl(file, fcntl.F_GETLK, asked)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise failure_of(error, path) from None
    return bool(struct.unpack(_FLOCK, found)[0] != fcntl.F_UNLCK)
