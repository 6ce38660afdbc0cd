"""The time by which entries in a file expire: what was seen to pass, not what a wall clock says.

A wall clock may jump: a machine boots in 1970 and is set right later, an NTP server is off by years, somebody
sets the date. Entries that expired by such a jump would be swept, and their jobs sent anew. So a ledger has a
time of its own, kept in its file. While a process has the file open it goes on with the clock that counts
elapsed time; while none has, it follows the wall clock for an hour at the most, once for each boot of the
machine. It may lag behind the wall clock, which only keeps entries longer, and never runs ahead of it by more
than that.
"""

from collections.abc import Callable
from pathlib import Path

from worker.ports import Clock

_MOST_UNSEEN = 3_600_000  # milliseconds for which the wall clock alone is believed, once a boot
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Name this boot of the machine; empty where the system has no name for it."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class LedgerTime:
    """Milliseconds since 1970, as far as they were seen to pass.

    Args:
        clock: its ``elapsed`` moves the time on; its ``now`` counts for what nobody saw.
        boot: names the boot of the machine, for which ``elapsed`` goes on over processes.
    """

    def __init__(self, clock: Clock, boot: Callable[[], str] = boot_id) -> None:
        self._clock = clock
        self._boot = boot()
        self._base = 0.0
        self._at = 0.0
        self._begun = False

    def begin(self, stored: tuple[int, int, str] | None, *, last_write: int | None) -> None:
        """Go on from what the file says: its time, when it was noted by ``elapsed``, and in which boot.

        Args:
            stored: None in a file that has no time yet.
            last_write: of such a file, when an entry was written last; None where there is none.
        """
        wall, elapsed = self._clock.now().timestamp() * 1000, self._clock.elapsed() * 1000
        if stored is None:
            noted = wall if last_write is None else min(wall, last_write)
        else:
            at, seen, boot = stored
            known = bool(boot) and boot == self._boot and elapsed >= seen
            unseen = elapsed - seen if known else min(max(wall - at, 0.0), _MOST_UNSEEN)
            noted = at + unseen
        if not self._begun or noted > self.now():
            self._base, self._at, self._begun = noted, elapsed, True

    def now(self) -> int:
        """The ledger's time."""
        return int(self._base + self._clock.elapsed() * 1000 - self._at)

    def note(self) -> tuple[int, int, str]:
        """What `begin` wants to know of this moment."""
        return self.now(), int(self._clock.elapsed() * 1000), self._boot
