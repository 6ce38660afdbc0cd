"""Where ``iton-worker dead export`` writes to."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from worker.cli.dead_acting import progress_bar
from worker.cli.terminal import say_json

Write = Callable[[object], None]
_OWNERS_ALONE = 0o600


@contextmanager
def export_to(path: Path | None) -> Iterator[Write]:
    """Give what writes a JSON line: to stdout, else to a new file, which goes where the export fails.

    Raises:
        typer.BadParameter: the file is there already, or cannot be made.
    """
    if path is None:
        yield say_json
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNERS_ALONE)
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}", param_hint="--output") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file, progress_bar() as bar:
            task = bar.add_task("exported", total=None)

            def write(value: object) -> None:
                file.write(json.dumps(value, ensure_ascii=False) + "\n")
                bar.advance(task)

            yield write
    except BaseException:
        path.unlink(missing_ok=True)
        raise
