"""The AsyncAPI document against the specification's own JSON Schema."""

import copy
import json
from typing import Any

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]  # it ships no types

from schemas.contract import asyncapi_document
from scripts.node_tool import node_packages


@pytest.fixture(scope="module")
def validator() -> Draft7Validator:
    """Provide the schema of AsyncAPI 3.0, bindings of protocols included."""
    path = node_packages() / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
    return Draft7Validator(json.loads(path.read_text()))


class TestDocument:
    """What tools read."""

    @pytest.mark.parametrize("prefix", ["iton", "sms.test"])
    def test_is_valid(self, validator: Draft7Validator, prefix: str) -> None:
        """For every prefix."""
        assert [error.message for error in validator.iter_errors(asyncapi_document(prefix))] == []

    @pytest.mark.parametrize(
        ("place", "wrong"),
        [
            (("servers", "broker", "protocol"), None),
            (("components", "correlationIds", "jobId", "location"), "$message.body#/job_id"),
            (("components", "messages", "SendJob", "bindings", "amqp", "encoding"), "utf-8"),
            (("components", "messages", "SendJob", "examples"), [{"body": {}}]),
        ],
    )
    def test_the_schema_would_find_a_fault(
        self, validator: Draft7Validator, place: tuple[str, ...], wrong: object
    ) -> None:
        """So that its silence means something."""
        document: Any = copy.deepcopy(asyncapi_document())
        holder = document
        for step in place[:-1]:
            holder = holder[step]
        if wrong is None:
            del holder[place[-1]]
        else:
            holder[place[-1]] = wrong
        assert not validator.is_valid(document)
