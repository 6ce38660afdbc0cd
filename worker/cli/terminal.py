"""What all commands share: exit codes, settings, and the two streams."""

# ruff: noqa: PLC0415 - what one command needs must not slow down the help of the others

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import typer

from worker.domain.errors import WorkerError

if TYPE_CHECKING:
    from worker.settings import Settings

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_WIDE = 240


class OutputError(WorkerError):
    """Stdout takes no more: its disk is full, or its reader is gone."""


def read_settings(*, credentials: bool = False) -> "Settings":
    """Read the settings for a short command, whose log lines are those that warn.

    Raises:
        SettingsError: one line that says what to do.
    """
    from worker.settings import load_settings

    settings = load_settings(credentials=credentials)
    level = settings.process.log_level
    start_logs(settings, level="warning" if level == "info" else level)
    return settings


def start_logs(settings: "Settings", *, level: str | None = None) -> None:
    """Configure the logs by the settings; *level* overrules theirs."""
    from worker.logs import configure_logs

    process = settings.process
    configure_logs(
        level=level or process.log_level,
        form=process.log_format,
        secrets=settings.secrets(),
        names=settings.names(),
    )


def epilog(text: str) -> str:
    """Return *text* for the end of a help: indented lines stay lines, those of a paragraph flow."""
    return "\n\n".join(_flowed(block) for block in text.strip().split("\n\n"))


def _flowed(block: str) -> str:
    return block if "\n    " in block else " ".join(block.split())


def say(line: str) -> None:
    """Write one line to stdout, for whoever reads the command's output.

    What stdout's encoding has no bytes for is written as its escape.

    Raises:
        OutputError: it is not written.
    """
    with output_errors():
        encoding = sys.stdout.encoding or "utf-8"
        typer.echo(
            line if can_be_written(line) else line.encode(encoding, "backslashreplace").decode(encoding)
        )


def can_be_written(text: str) -> bool:
    """Tell whether stdout's encoding has bytes for *text*: half a character, say, is in none."""
    stream = sys.stdout
    if stream is None:
        return True
    try:
        text.encode(stream.encoding or "utf-8", stream.errors or "strict")
    except UnicodeEncodeError:
        return False
    return True


def say_bytes(data: bytes) -> None:
    """Write to stdout byte for byte.

    Raises:
        OutputError: it is not written.
    """
    with output_errors():
        sys.stdout.buffer.write(data)
        sys.stdout.flush()


@contextmanager
def output_errors() -> Iterator[None]:
    """Translate the system's errors of what is written to stdout inside the block."""
    # Python has none where the shell closed it (`>&-`), and what is written to it is lost without a word.
    if sys.stdout is None:
        raise OutputError("output", "stdout is closed")
    try:
        yield
    except OSError as error:
        why = (error.strerror or "it is closed").lower()
        raise OutputError("output", f"stdout cannot be written: {why}") from None


def let_go_of_stdout() -> None:
    """Have what is still buffered go nowhere: Python would try again at its end, and complain."""
    if sys.stdout is None:
        return
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(line: str) -> None:
    """Write one line to stderr; where that takes nothing, the exit code says what it can."""
    with suppress(OSError):
        typer.echo(f"iton-worker: {line}", err=True)


def say_json(value: object) -> None:
    """Write one JSON value on one line to stdout."""
    import json

    text = json.dumps(value, ensure_ascii=False, default=str)
    say(text if can_be_written(text) else json.dumps(value, default=str))


def printable(text: object) -> str:
    """Return *text* on one line, without what could steer a terminal: others wrote it."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(text)
    )


def say_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table to stdout; full width where no terminal cuts it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*headers, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(printable(cell), overflow="fold") for cell in row))
    with output_errors():  # for the library writes as well
        console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDE, highlight=False)
        with console.capture() as drawn:
            console.print(table)
    for line in drawn.get().splitlines():
        say(line.rstrip())
