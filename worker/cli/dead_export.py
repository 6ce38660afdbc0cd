"""Where ``iton-worker dead export`` writes to."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from worker.cli.dead_acting import progress_bar
from worker.cli.terminal import OutputError, say_json

Write = Callable[[object], None]
_OWNERS_ALONE = 0o600


@contextmanager
def export_to(path: Path | None) -> Iterator[Write]:
    """Give what writes a JSON line: to stdout, else to a new file, which goes where the export fails.

    Raises:
        typer.BadParameter: the file is there already, or cannot be made.
        OutputError: it takes no more.
    """
    if path is None:
        yield say_json
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNERS_ALONE)
    except FileExistsError:
        raise typer.BadParameter(f"{path} is there already: name a new file", param_hint="--output") from None
    except OSError as error:
        why = (error.strerror or "it is no file").lower()
        raise typer.BadParameter(f"{path} cannot be made: {why}", param_hint="--output") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file, progress_bar() as bar:
            task = bar.add_task("exported", total=None)

            def write(value: object) -> None:
                file.write(json.dumps(value, ensure_ascii=False) + "\n")
                bar.advance(task)

            yield write
    except OSError as error:
        path.unlink(missing_ok=True)
        why = (error.strerror or "it is closed").lower()
        raise OutputError("output", f"{path} cannot be written, and is gone: {why}") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise
