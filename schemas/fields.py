"""Types of fields that several models share, and the JSON Schema of each."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    JsonValue,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

from schemas import checks

JobId = Annotated[str, StringConstraints(pattern=checks.ID_PATTERN)]


def null_is_empty(value: object) -> object:
    """Take an explicit null for an empty object."""
    return {} if value is None else value


def null_is(default: object) -> Callable[[object], object]:
    """Return a check that takes an explicit null for an absent field, which is *default*."""
    return lambda value: default if value is None else value


def is_none(value: object) -> bool:
    """Tell whether a field is left out of the JSON."""
    return value is None


def is_empty(value: object) -> bool:
    """Tell whether an object is left out of the JSON."""
    return not value


def _array_schema(most: int, entry: dict[str, str]) -> WithJsonSchema:
    return WithJsonSchema({"items": entry, "maxItems": most, "minItems": 1, "type": "array"})


def _in_any_case(words: Iterable[str]) -> str:
    spelt = ("".join(f"[{letter}{letter.upper()}]" for letter in word) for word in sorted(words))
    return f"^({'|'.join(spelt)})$"


# A sequence, so that type checkers let producers give a list; the validated value is a tuple.
RecipientEntries = Annotated[
    Sequence[str],
    PlainValidator(checks.recipients),
    _array_schema(checks.MAX_RECIPIENTS, {"type": "string"}),
]

StatusEntries = Annotated[
    Sequence[str],
    PlainValidator(checks.message_ids),
    _array_schema(checks.MAX_MESSAGE_IDS, {"type": "string", "pattern": checks.MESSAGE_ID_PATTERN}),
]

StringParams = Annotated[
    dict[str, str],
    BeforeValidator(checks.string_params),
    WithJsonSchema(
        {
            "type": ["object", "null"],
            "maxProperties": checks.MAX_PARAMS,
            "propertyNames": {
                "pattern": checks.PARAM_NAME_PATTERN,
                "not": {"pattern": _in_any_case(checks.RESERVED_PARAMS)},
            },
            "additionalProperties": {"type": "string"},
        }
    ),
]

Metadata = Annotated[
    dict[str, JsonValue],
    BeforeValidator(null_is_empty),
    AfterValidator(checks.small),
    WithJsonSchema({"type": ["object", "null"]}),
]

AnyJson = Annotated[JsonValue, WithJsonSchema({})]
"""Any JSON value, without a name of its own in the schemas."""

GivenMetadata = Annotated[dict[str, JsonValue], WithJsonSchema({"type": "object"})]
