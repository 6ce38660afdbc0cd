"""Types that several models share, and the checks behind them."""

import json
from collections.abc import Callable
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, JsonValue, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.failures import FailureCode

ID_PATTERN: Final = r"^[A-Za-z0-9._:-]{1,128}$"
# Invisible characters by name: which characters can be printed depends on the version of Unicode.
MESSAGE_ID_PATTERN: Final = (
    r"^[^\s,\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
    r"{1,200}$"
)
"""Whatever ITON may issue; at a comma or a space a list of ids could not be told apart."""
MAX_METADATA_BYTES: Final = 4096

JobId = Annotated[str, StringConstraints(pattern=ID_PATTERN)]


def refusal(code: FailureCode, msg: str) -> PydanticCustomError:
    """An error for a validator to raise; its type is one of our codes and its words stand as they are."""
    # Braces would be taken for placeholders of the template.
    return PydanticCustomError(code.value, "{words}", {"words": msg})


def is_unicode(text: str) -> bool:
    """Tell whether *text* can be encoded: it holds no half of a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def whole_characters(text: str) -> str:
    """Return *text*.

    Raises:
        PydanticCustomError: it holds half of a surrogate pair.
    """
    if not is_unicode(text):
        raise refusal(
            FailureCode.INVALID_UNICODE,
            "holds half of a surrogate pair (\\ud800 to \\udfff): send whole characters",
        )
    return text


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


def _small(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if not metadata:
        return metadata
    try:
        size = len(json.dumps(metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode())
    except UnicodeEncodeError:
        raise refusal(
            FailureCode.INVALID_UNICODE, "holds half of a surrogate pair: send whole characters"
        ) from None
    except (ValueError, RecursionError):
        raise refusal(
            FailureCode.NUMBER_OUT_OF_RANGE, "holds NaN, Infinity or endless nesting: send plain JSON values"
        ) from None
    if size > MAX_METADATA_BYTES:
        raise refusal(
            FailureCode.WRONG_LENGTH,
            f"has {size} bytes as compact JSON, {MAX_METADATA_BYTES} at most: keep a key in it, no more",
        )
    return metadata


Metadata = Annotated[
    dict[str, JsonValue],
    BeforeValidator(null_is_empty),
    AfterValidator(_small),
    WithJsonSchema({"type": ["object", "null"]}),
]

AnyJson = Annotated[JsonValue, WithJsonSchema({})]
"""Any JSON value, without a name of its own in the schemas."""

GivenMetadata = Annotated[dict[str, JsonValue], WithJsonSchema({"type": "object"})]
