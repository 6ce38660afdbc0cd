"""Replies in the very form of the document, everything named once: read at a glance.

Whatever differs in the slightest is None here, and is read with care (`worker.iton.readings`), which would
find the same in these. A key that repeats shows in the number of colons: there is one to each pair.
"""

import json
from collections.abc import Collection, Sequence

from worker.iton.ids import LONGEST_ID, OBVIOUS

_FLAGS = {True: True, False: False, "true": True, "false": False}
_MAP = b'{"message_id"'


def plain_ids(content: bytes, recipients: Sequence[str]) -> dict[str, tuple[str, ...]] | None:
    """Return the ids of a sendSMS: ``{"message_id": {ID: NUMBER, ...}}``, an id to each recipient."""
    if not content.startswith(_MAP) or content.count(b":") != len(recipients) + 1:
        return None
    try:
        ids: dict[str, str] = json.loads(content)["message_id"]
        number_to_id = dict(zip(ids.values(), ids, strict=True))
        found: dict[str, tuple[str, ...]] = {number: (number_to_id[number],) for number in recipients}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None
    return found if len(found) == len(recipients) == len(ids) and _are_ids(ids) else None


def plain_dnd(content: bytes, recipients: Sequence[str]) -> dict[str, bool] | None:
    """Return the answers of a check_DNDnumber: ``{NUMBER: true, ...}``, one about each recipient."""
    if not content.startswith(b'{"') or content.count(b":") != len(recipients):
        return None
    try:
        said = json.loads(content)
        found = {number: _FLAGS[said[number]] for number in recipients}
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    typed = {bool, str}.issuperset(map(type, said.values()))  # 1 equals true, and is none
    return found if typed and len(found) == len(recipients) == len(said) else None


def _are_ids(ids: Collection[str]) -> bool:
    """Tell whether all are ids beyond doubt, as `message_id` has it."""
    joined = "".join(ids)
    lengths = set(map(len, ids))
    plain = joined.isascii() and joined.isalnum() and not any(map(str.isalpha, ids))
    return plain and min(lengths) >= OBVIOUS and max(lengths) <= LONGEST_ID
