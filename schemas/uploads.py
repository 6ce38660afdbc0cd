"""The multipart body of an api job: fields and files, checked so that no value shows in an error."""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.checks import is_unicode, json_type, refusal
from schemas.failures import FailureCode
from schemas.rejection import MAX_ERRORS

MAX_PATH: Final = 2_000
MAX_UPLOAD_BYTES: Final = 5_000_000
MAX_PARTS: Final = 100
MAX_NAME: Final = 200

CONTENT_TYPE_PATTERN: Final = (
    r"^[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}"
    r"(; ?[A-Za-z0-9!#$&^_.+-]{1,50}=[A-Za-z0-9!#$&^_.+:/-]{1,100}){0,4}$"
)
BASE64_PATTERN: Final = r"^[A-Za-z0-9+/]*={0,2}$"
NAME_PATTERN: Final = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{1,200}$"
"""Of fields and files. Quotes are encoded when the body is written; a line break has no business here."""

NOT_BOTH: Final[dict[str, Any]] = {
    "if": {"required": ["json"], "properties": {"json": {"not": {"type": "null"}}}},
    "then": {
        "properties": {
            "fields": {"type": ["object", "null"], "maxProperties": 0},
            "files": {"type": ["array", "null"], "maxItems": 0},
        }
    },
}
"""What the model's own check says, in JSON Schema."""

_NAME = re.compile(NAME_PATTERN)
_CONTENT_TYPE = re.compile(CONTENT_TYPE_PATTERN)
_KEYS: Final = ("name", "filename", "content_type", "data")

Place = tuple[str | int, ...]
Complaints = Iterator[tuple[Place, PydanticCustomError]]


class ApiFile(BaseModel):
    """A file of a multipart body."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(description="Of the form's field.", examples=["certificate"], pattern=NAME_PATTERN)
    filename: str = Field(description="As the Web API is told.", examples=["shop.p12"], pattern=NAME_PATTERN)
    content_type: str = Field(examples=["application/x-pkcs12"], pattern=CONTENT_TYPE_PATTERN)
    data: str = Field(
        description="Base64 (RFC 4648, 4), padded, without line breaks.", pattern=BASE64_PATTERN, repr=False
    )

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return b64decode(self.data, validate=True)


def _decoded(data: str) -> bytes | None:
    """The bytes; None where *data* is not what an encoder would write."""
    try:
        content = b64decode(data, validate=True)
    except ValueError:
        return None
    return content if b64encode(content).decode() == data else None


def _refuse(complaints: Complaints) -> None:
    details: list[InitErrorDetails] = [
        {"type": complaint, "loc": place, "input": None}
        for place, complaint in islice(complaints, MAX_ERRORS)
    ]
    if details:
        raise ValidationError.from_exception_data("files", details, hide_input=True)


def _wrong_type(expected: str, value: object) -> PydanticCustomError:
    return refusal(FailureCode.WRONG_TYPE, f"must be {expected}, but {json_type(value)} came")


def _name_complaint(name: str) -> PydanticCustomError | None:
    if not is_unicode(name):
        words = "holds half of a surrogate pair: send whole characters"
        return refusal(FailureCode.INVALID_UNICODE, words)
    if not _NAME.fullmatch(name):
        words = (
            f"must have 1 to {MAX_NAME} characters, none of them a line break or another control character"
        )
        return refusal(FailureCode.WRONG_VALUE, words)
    return None


def _wrong_fields(fields: Mapping[object, object]) -> Complaints:
    for name, value in fields.items():
        if not isinstance(name, str) or _name_complaint(name):
            words = f"has a name other than 1 to {MAX_NAME} characters without line breaks"
            yield ("[key]",), refusal(FailureCode.WRONG_VALUE, words)
        elif not isinstance(value, str):
            yield (name,), _wrong_type("a string", value)
        elif not is_unicode(value):
            words = "holds half of a surrogate pair: send whole characters"
            yield (name,), refusal(FailureCode.INVALID_UNICODE, words)


def _fields(value: object) -> object:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong_type("an object of strings", value)
    if len(value) > MAX_PARTS:
        words = f"must have at most {MAX_PARTS} names, but has {len(value):,}"
        raise refusal(FailureCode.WRONG_LENGTH, words)
    _refuse(_wrong_fields(value))
    return value


def _wrong_files(files: list[object]) -> Complaints:
    for place, file in enumerate(files):
        if isinstance(file, dict):
            yield from _wrong_file(place, file)
        elif not isinstance(file, ApiFile):
            yield (place,), _wrong_type("an object", file)


def _wrong_file(place: int, file: Mapping[str, object]) -> Complaints:
    for key in file.keys() - set(_KEYS):
        words = f"is no field of a file: known are {', '.join(_KEYS)}"
        yield (place, str(key)), refusal(FailureCode.UNKNOWN_FIELD, words)
    for key in _KEYS:
        value = file.get(key)
        if value is None:
            yield (place, key), refusal(FailureCode.MISSING, "is missing: a file has " + ", ".join(_KEYS))
        elif not isinstance(value, str):
            yield (place, key), _wrong_type("a string", value)
        elif complaint := _member_complaint(key, value):
            yield (place, key), complaint


def _member_complaint(key: str, value: str) -> PydanticCustomError | None:
    if key == "content_type":
        if _CONTENT_TYPE.fullmatch(value):
            return None
        return refusal(FailureCode.WRONG_VALUE, 'must be a media type such as "image/png"')
    if key == "data":
        if _decoded(value) is not None:
            return None
        return refusal(FailureCode.WRONG_VALUE, "must be base64, padded and without line breaks")
    return _name_complaint(value)


def _files(value: object) -> object:
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise _wrong_type("an array of files", value)
    if len(value) > MAX_PARTS:
        words = f"must have at most {MAX_PARTS} entries, but has {len(value):,}"
        raise refusal(FailureCode.WRONG_LENGTH, words)
    _refuse(_wrong_files(list(value)))
    files = tuple(file if isinstance(file, ApiFile) else ApiFile(**file) for file in value)
    size = sum(len(file.data) // 4 * 3 - file.data[-2:].count("=") for file in files)
    if size > MAX_UPLOAD_BYTES:
        words = f"hold {size:,} bytes together, decoded: at most {MAX_UPLOAD_BYTES:,}"
        raise refusal(FailureCode.WRONG_LENGTH, words)
    return files


FormFields = Annotated[
    dict[str, str],
    BeforeValidator(_fields),
    WithJsonSchema(
        {
            "type": ["object", "null"],
            "maxProperties": MAX_PARTS,
            "propertyNames": {"pattern": NAME_PATTERN},
            "additionalProperties": {"type": "string"},
        }
    ),
]
FormFiles = Annotated[tuple[ApiFile, ...], BeforeValidator(_files)]
