"""Faults of a validation in people's words."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from worker.domain.plain_words import closest, in_words


class _Sample(BaseModel):
    """A field for each kind of fault."""

    model_config = ConfigDict(extra="forbid")

    whole: Annotated[int, Field(ge=1, lt=10)] = 1
    number: Annotated[float, Field(gt=0, le=2.5)] = 1
    flag: bool = False
    word: Literal["first", "second"] = "first"
    text: Annotated[str, Field(min_length=2, max_length=3, pattern="^a")] = "aa"
    entries: Annotated[list[int], Field(max_length=1)] = []
    own: str = ""
    url: Annotated[float, Field(allow_inf_nan=False)] = 0
    moment: Annotated[bytes, Field()] = b""

    @field_validator("own")
    @classmethod
    def _never(cls, _value: str) -> str:
        raise ValueError("must be another one")


def _fault(**values: object) -> ErrorDetails:
    with pytest.raises(ValidationError) as caught:
        _Sample.model_validate(values)
    return caught.value.errors()[0]


class TestInWords:
    """A clause that follows the name."""

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"whole": 0}, "must be at least 1"),
            ({"whole": 10}, "must be less than 10"),
            ({"whole": "x"}, "must be a whole number"),
            ({"whole": 1.5}, "must be a whole number"),
            ({"number": 0}, "must be more than 0"),
            ({"number": 3}, "must be at most 2.5"),
            ({"number": "x"}, "must be a number"),
            ({"flag": "perhaps"}, "must be true or false"),
            ({"word": "secnod"}, "must be 'first' or 'second': did you mean second?"),
            ({"word": 7}, "must be 'first' or 'second'"),
            ({"text": "a"}, "must have at least 2 characters"),
            ({"text": "aaaa"}, "must have at most 3 characters"),
            ({"text": "bb"}, "has another form than is allowed"),
            ({"entries": 1}, "must be an array"),
            ({"entries": [1, 2]}, "must have at most 1 entries"),
            ({"own": "x"}, "must be another one"),
            ({"url": float("inf")}, "must be a finite number"),
            ({"nope": 1}, "is no known name"),
            ({"moment": 1}, "must be a valid bytes"),
        ],
    )
    def test_says_what_would_be_right(self, values: dict[str, object], words: str) -> None:
        """Also for kinds that nobody thought of: then the library's words, as a clause."""
        assert in_words(_fault(**values)) == words


class TestClosest:
    """What was probably meant."""

    @pytest.mark.parametrize(
        ("given", "meant"),
        [("sned", "send"), ("ACCOUNT", "account"), ("st", "status"), ("zzz", None), ("", None), (7, None)],
    )
    def test_is_the_name_that_is_like_it(self, given: object, meant: str | None) -> None:
        """Case aside; the beginning of a name is enough."""
        assert closest(given, ["send", "status", "account"]) == meant

    def test_is_not_looked_for_where_it_would_take_long(self) -> None:
        """A text of a megabyte is no typing mistake."""
        assert closest("send" * 100_000, ["send"]) is None
