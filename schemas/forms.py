"""What every published result has in common, and the JSON Schema of what is published."""

import math
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from schemas.fields import is_none

_OPTIONAL = "x-optional"


def as_published(schema: dict[str, Any]) -> None:
    """Rewrite the schema of a result: a field is there, or left out; never null for want of a value."""
    left_out = set()
    for name, member in schema["properties"].items():
        member.pop("default", None)
        if member.pop(_OPTIONAL, False):
            left_out.add(name)
            member.update(member.pop("anyOf", [{}])[0])
    schema["required"] = [name for name in schema["properties"] if name not in left_out]


def optional(description: str) -> Any:  # noqa: ANN401 - what pydantic's own Field returns
    """A field that is left out where it does not apply."""
    return Field(
        default=None, exclude_if=is_none, description=description, json_schema_extra={_OPTIONAL: True}
    )


class Form(BaseModel):
    """A result, or a piece of one: immutable, open for fields of later versions."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, json_schema_extra=as_published
    )

    def to_json(self) -> bytes:
        """The body as it is published: UTF-8 JSON, what does not apply left out."""
        return self.model_dump_json().encode()


class Failure(Form):
    """Why something did not happen."""

    code: str = Field(description="A failure code, for programs.", examples=["invalid_number"])
    detail: str = Field(description="For people; may change.", examples=["too short"])


def _whole_if_possible(value: object) -> object:
    """A whole number as an int, whatever type it came in; a Decimal fraction as a float."""
    if not isinstance(value, float | Decimal) or not math.isfinite(value):
        return value
    return int(value) if value == int(value) else float(value)


Credits = Annotated[
    int | Annotated[float, Field(allow_inf_nan=False)],
    BeforeValidator(_whole_if_possible),
    WithJsonSchema({"type": "number"}),
]
