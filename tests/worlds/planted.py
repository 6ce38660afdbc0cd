"""Plants faults in the worker's source as it is imported, and counts the worlds that find them."""

import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from tests.worlds.mutations import MUTATIONS, Mutation

MOST = 1_000  # worlds that a fault may take


class _Loader(SourceFileLoader):
    """Loads a module with its source changed; no compiled file is read or written."""

    mutation: Mutation

    def get_code(self, fullname: str) -> CodeType:
        """Compile the changed source."""
        path = self.get_filename(fullname)
        source = planted(self.mutation, Path(path).read_text(encoding="utf-8"))
        return compile(source, path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def __init__(self, mutation: Mutation) -> None:
        self._mutation = mutation

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the changed module's place; None for all others."""
        if fullname != self._mutation.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None:
            return None
        loader = _Loader(fullname, spec.origin)
        loader.mutation = self._mutation
        return importlib.util.spec_from_file_location(fullname, spec.origin, loader=loader)


def plant(name: str) -> Mutation:
    """Have the fault of that name in the worker, which must not be imported yet."""
    mutation = next(each for each in MUTATIONS if each.name == name)
    if mutation.module in sys.modules:
        raise RuntimeError(f"{mutation.module} is imported already")
    sys.meta_path.insert(0, _Finder(mutation))
    return mutation


def planted(mutation: Mutation, source: str) -> str:
    """Return *source* with the fault.

    Raises:
        ValueError: what is to be changed is not there exactly once.
    """
    if source.count(mutation.old) != 1:
        raise ValueError(f"{mutation.name}: found {source.count(mutation.old)} times in {mutation.module}")
    return source.replace(mutation.old, mutation.new)


def table(only: str, say: Callable[[str], None]) -> int:
    """Look for every fault whose name has *only* in it; return 0 if each was found."""
    missed = 0
    for mutation in MUTATIONS:
        if only in mutation.name:
            began = time.monotonic()
            worlds = _worlds_until_found(mutation)
            missed += worlds is None
            found = f"{worlds[0]:4} worlds, by {worlds[1]}" if worlds else "NOT FOUND"
            say(f"{mutation.name:62} {found} ({time.monotonic() - began:.0f} s)")
    return 1 if missed else 0


def _worlds_until_found(mutation: Mutation) -> tuple[int, str] | None:
    command = [sys.executable, "-m", "tests.worlds", "--planted", mutation.name, "--theme", mutation.theme]
    done = subprocess.run(
        [*command, "--worlds", str(MOST), "--whole"], capture_output=True, text=True, check=False
    )
    counted = re.search(r"found after (\d+) worlds by (\w+)", done.stdout)
    if counted is None and "nothing found" not in done.stdout:
        raise RuntimeError(f"{mutation.name}: {done.stdout[-500:]} {done.stderr[-1_000:]}")
    return (int(counted[1]), counted[2]) if counted else None
