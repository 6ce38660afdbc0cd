"""The AsyncAPI document: what it refers to is there, and its examples are what the worker publishes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import (  # type: ignore[import-untyped]  # it ships no types
    Draft202012Validator,
    FormatChecker,
)

from schemas.asyncapi import JOB_MODELS, RESULT_MODELS
from schemas.channels import JobKind, ResultKind
from schemas.contract import asyncapi_document
from schemas.reading import read_job
from schemas.results import read_result

DOCUMENT = asyncapi_document()
MESSAGES = DOCUMENT["components"]["messages"]


def _resolved(reference: str) -> Any:  # noqa: ANN401 - any JSON
    place: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        place = place[step.replace("~1", "/").replace("~0", "~")]
    return place


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for child in value.values():
            yield from _references(child)
    elif isinstance(value, list):
        for child in value:
            yield from _references(child)


class TestReferences:
    """One file, complete in itself."""

    def test_lead_to_something(self) -> None:
        """Every one of them."""
        found = set(_references(DOCUMENT))
        assert len(found) > 20
        for reference in found:
            assert _resolved(reference)

    def test_correlation_ids_are_where_they_are_said_to_be(self) -> None:
        """Of each message but a dead letter, whose body may be anything."""
        for name, message in MESSAGES.items():
            if name == "DeadLetter":
                continue
            location = _resolved(message["correlationId"]["$ref"])["location"]
            assert location == "$message.payload#/job_id"
            assert "job_id" in _resolved(message["payload"]["$ref"])["properties"]

    @pytest.mark.parametrize("protocol", ["amqp", "amqps"])
    def test_servers_have_their_variables(self, protocol: str) -> None:
        """With the defaults of AMQP_URL."""
        (server,) = [one for one in DOCUMENT["servers"].values() if one["protocol"] == protocol]
        assert server["host"] == f"{{host}}:{5672 if protocol == 'amqp' else 5671}"
        assert server["variables"].keys() == {"host", "vhost"}
        assert server["variables"]["host"]["default"] == "localhost"


class TestMessages:
    """What travels."""

    def test_no_message_says_that_it_is_compressed(self) -> None:
        """A contentEncoding is a coding such as gzip, in AMQP and in JSON Schema; a character set is none."""
        for message in MESSAGES.values():
            assert "contentEncoding" not in message.get("bindings", {}).get("amqp", {})

    @pytest.mark.parametrize("name", sorted(MESSAGES))
    def test_examples_fit_their_schema(self, name: str) -> None:
        """At least one each."""
        message = MESSAGES[name]
        assert message["examples"]
        schema = {**message["payload"], "components": DOCUMENT["components"]}
        validator = Draft202012Validator(schema, format_checker=FormatChecker())
        for example in message["examples"]:
            validator.validate(example["payload"])

    @pytest.mark.parametrize("kind", JobKind)
    def test_examples_of_jobs_are_accepted(self, kind: JobKind) -> None:
        """By the reader of the worker."""
        for example in MESSAGES[JOB_MODELS[kind]]["examples"]:
            body = json.dumps(example["payload"]).encode()
            assert read_job(kind, body).job_id  # type: ignore[call-overload]  # one of the three

    @pytest.mark.parametrize(
        ("kind", "name"), [(kind, name) for kind in ResultKind for name in RESULT_MODELS[kind]]
    )
    def test_examples_of_results_are_read_and_written_as_they_stand(
        self, kind: ResultKind, name: str
    ) -> None:
        """By the models that the worker publishes with."""
        for example in MESSAGES[name]["examples"]:
            result = read_result(kind, json.dumps(example["payload"]).encode())
            assert type(result).__name__ == name
            assert json.loads(result.to_json()) == example["payload"]
