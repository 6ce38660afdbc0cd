"""The settings as rows, for the README, the command line and the search for misspelt names."""

from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from worker.settings.sections import SECTIONS


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as people read of it.

    Attributes:
        variable: its environment variable.
        default: as it would be written in the environment; ``required`` or ``unset`` where there is none.
        meaning: the unit, where there is one, and what it is for.
    """

    variable: str
    default: str
    meaning: str


@cache
def settings_table() -> tuple[SettingRow, ...]:
    """Return every setting, grouped by subject."""
    return tuple(_row(field) for section in SECTIONS for field in section.model_fields.values())


def _row(field: FieldInfo) -> SettingRow:
    meaning = field.description or ""
    default = "required" if meaning.endswith("; required") else _written(field.default)
    return SettingRow(str(field.validation_alias), default, meaning)


def _written(default: object) -> str:
    """Write a default as the environment would hold it."""
    match default:
        case SecretStr():
            return default.get_secret_value()
        case None | ():
            return "unset"
        case bool():
            return str(default).lower()
        case tuple():
            return ",".join(str(item) for item in default)
        case Path() | Enum() | _:
            return str(default)
