"""The names and values of a ``.env`` file, for what the sections do not look at."""

import logging
from pathlib import Path

from pydantic_settings import DotEnvSettingsSource

from worker.settings.errors import SettingsError
from worker.settings.section import Section


class _Refuse(logging.Handler):
    """Turns the parser's warning of an unreadable line into an error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Raise, with the line's number and not its content."""
        where = next((arg for arg in record.args or () if isinstance(arg, int)), "some")
        raise SettingsError(f".env: line {where} cannot be read; write NAME=value, quotes closed")


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables of *path*; none when there is no such file.

    Raises:
        SettingsError: a line cannot be read, or the file cannot.
    """
    parser = logging.getLogger("dotenv.main")
    handler = _Refuse()
    parser.addHandler(handler)
    try:
        found = DotEnvSettingsSource(Section, env_file=path, case_sensitive=True).env_vars
    except (OSError, UnicodeDecodeError):
        raise SettingsError(
            f"{path}: cannot be read; make it a UTF-8 text file that this user may read"
        ) from None
    finally:
        parser.removeHandler(handler)
    return {name: value or "" for name, value in found.items()}
