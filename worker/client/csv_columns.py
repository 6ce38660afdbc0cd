"""What the columns of a CSV file may be called, and what a row says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

_RECIPIENT_NAMES = frozenset({"recipient", "to", "phone", "mobile", "number", "msisdn"})
_FIELDS = ("text", "sender", "category", "dnd", "on_uncertain", "expires_at", "send_after")
_NESTED = ("params", "metadata")
_RECIPIENT = "recipient"
_URGENT, _TRACK = "urgent", "track"
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""What may stand between the cells, and what people call it."""

_YES = frozenset({"yes", "true", "1", "y"})
_NO = frozenset({"no", "false", "0", "n", ""})


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it counts.

    Attributes:
        template: the job without its recipients.
    """

    recipient: str
    urgent: bool
    template: dict[str, object]


@dataclass(frozen=True, slots=True)
class Columns:
    """The header of a file, every name a known one.

    Attributes:
        delimiter: what stands between the cells.
    """

    names: tuple[str, ...]
    delimiter: str

    @classmethod
    def of(cls, header: Sequence[str], delimiter: str) -> "Columns":
        """Take a header line; case does not count, but for what follows ``params.`` and ``metadata.``.

        Raises:
            ValueError: a column is unknown or doubled, or there is none with the recipients.
        """
        if not any(cell.strip() for cell in header):
            raise ValueError("is empty: write a header line with a column `recipient` there")
        names = tuple(_name(cell) for cell in header)
        for name, cell in zip(names, header, strict=True):
            if not _known(name):
                raise ValueError(_no_column(name, cell))
            if names.count(name) > 1:
                raise ValueError(f"has more than one column `{name}`: keep one")
        if _RECIPIENT not in names:
            raise ValueError("has no column with the recipients: call one `recipient`")
        return cls(names, delimiter)

    def read(self, cells: Sequence[str], defaults: Mapping[str, object]) -> Row:
        """Read one row; for empty cells *defaults* hold.

        Raises:
            ValueError: too many or too few cells, no recipient, or an unclear yes or no.
        """
        if len(cells) != len(self.names):
            raise ValueError(self._wrong_count(len(cells)))
        given = {name: cell for name, cell in zip(self.names, cells, strict=True) if cell.strip()}
        recipient = given.pop(_RECIPIENT, "")
        if not recipient:
            raise ValueError("has no recipient: write one, or take the line out")
        urgent, tracked = _flag(given.pop(_URGENT, ""), _URGENT), given.pop(_TRACK, None)
        template = _template(given, defaults)
        if tracked is not None:
            template[_TRACK] = _flag(tracked, _TRACK)
        return Row(recipient, urgent, template)

    def _wrong_count(self, count: int) -> str:
        word = DELIMITERS[self.delimiter]
        remedy = (
            f"put quotes around a text with {word}"
            if count > len(self.names)
            else f"write empty cells as well, with {word} between all"
        )
        return f"has {count} cell{'' if count == 1 else 's'} where the header has {len(self.names)}: {remedy}"


def _no_column(name: str, cell: str) -> str:
    """Say why a cell of the header is no column."""
    if not name:
        return "has a column without a name: name it, or take it out of every line"
    if other := _other_delimiter(cell):
        return f"has `{other}` between the cells: put a comma, a semicolon or a tab there"
    if not any(character.isalpha() for character in name):
        return "is no header: write one above it, with a column `recipient`"
    return _unknown(name)


def _other_delimiter(header: str) -> str | None:
    """Return what a header has between its names, were that allowed; a remark in brackets is none."""
    signs = dict.fromkeys(sign for sign in header if not sign.isalnum() and sign not in "_.-\"' ()[]{}<>")
    return next((sign for sign in signs if _divides(sign, header)), None)


def _divides(sign: str, header: str) -> bool:
    names = [cell for cell in header.split(sign) if cell.strip()]
    return len(names) > 1 and any(_known(_name(cell)) for cell in names)


def _template(given: Mapping[str, str], defaults: Mapping[str, object]) -> dict[str, object]:
    template = dict(defaults)
    for name, cell in given.items():
        outer, dot, inner = name.partition(".")
        if dot:
            held = template.get(outer)
            template[outer] = {**(held if isinstance(held, dict) else {}), inner: cell}
        else:
            # The text goes out as given; blanks around anything else are the spreadsheet's.
            template[name] = cell if name == "text" else cell.strip()
    return template


def _flag(cell: str, column: str) -> bool:
    word = cell.strip().lower()
    if word not in _YES | _NO:
        raise ValueError(f"has something other than yes or no in the column `{column}`")
    return word in _YES


def _name(cell: str) -> str:
    outer, dot, inner = cell.strip().partition(".")
    lowered = outer.lower()
    if dot:
        return f"{lowered}.{inner}"
    return _RECIPIENT if lowered in _RECIPIENT_NAMES else lowered


def _known(name: str) -> bool:
    outer, dot, inner = name.partition(".")
    return bool(inner) and outer in _NESTED if dot else name in {_RECIPIENT, _URGENT, _TRACK, *_FIELDS}


def _unknown(name: str) -> str:
    known = [_RECIPIENT, *_FIELDS, _URGENT, _TRACK, *(f"{outer}.NAME" for outer in _NESTED)]
    close = get_close_matches(name, known, n=1)
    remedy = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(known)}"
    return f"has an unknown column `{name[:40]}`: {remedy}"
