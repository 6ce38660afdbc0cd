"""The generated documents: current, valid, and of one mind with the models."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types
from pydantic import JsonValue

from schemas import (
    AccountLow,
    AnyResult,
    Encoding,
    Failure,
    JobKey,
    JobKind,
    JobRejectedError,
    Outcome,
    ResultKind,
    SendJob,
    contract,
    read_job,
)
from schemas.__main__ import main
from tests.support import made_results

JSON_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-100, 100),
        st.text(max_size=25).filter(lambda text: "\n" not in text),
    ),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3)
    ),
    max_leaves=6,
)
WORDS = st.text(min_size=1, max_size=20)
SEND_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "job_id": st.from_regex(r"[A-Za-z0-9._:-]{1,20}", fullmatch=True),
    "recipients": st.lists(st.text(max_size=15), min_size=1, max_size=4),
    "text": WORDS,
    "sender": WORDS | st.none(),
    "unicode": st.booleans() | st.none(),
    "category": st.sampled_from(["promotional", "service", "transactional", None]),
    "dnd": st.sampled_from(["filter", "skip", None]),
    "on_uncertain": st.sampled_from(["report", "resend", None]),
    "expires_at": st.none() | st.datetimes().map(lambda time: f"{time.isoformat()}+05:30"),
    "track": st.booleans() | st.none(),
    "params": st.none() | st.dictionaries(st.sampled_from(["templateid", "pe.id", "a-b_c"]), WORDS),
    "metadata": st.dictionaries(st.text(max_size=5), JSON_VALUES, max_size=3) | st.none(),
}
OPTIONAL = {name: field for name, field in SEND_FIELDS.items() if name not in {"recipients", "text"}}
REQUIRED = {name: SEND_FIELDS[name] for name in ("recipients", "text")}
SEND_JOBS = st.fixed_dictionaries(REQUIRED, optional=OPTIONAL)
MODELS = (*contract.JOBS, *contract.RESULTS)
VALIDATORS = {model.__name__: Draft202012Validator(contract.json_schema(model)) for model in MODELS}
ACCEPTED = made_results.accepted("91", "1")
INVALID = made_results.because("1", Outcome.INVALID, "x", "y")


def is_read(kind: JobKind, job: object) -> bool:
    """Whether the worker takes *job*."""
    try:
        read_job(kind, json.dumps(job).encode(), message_id="m-1")  # type: ignore[call-overload]  # any kind
    except JobRejectedError:
        return False
    return True


class TestDrift:
    """The committed documents and the models."""

    def test_the_committed_documents_are_current(self) -> None:
        """Else: python -m schemas write."""
        assert contract.check() == []

    def test_writing_makes_any_directory_current(self, tmp_path: Path) -> None:
        """What is missing is named before, what is stale goes, and what is not ours stays."""
        (tmp_path / "old.schema.json").write_text('{\n  "$id": "urn:iton-worker:v1:old"\n}\n')
        for name in ("package.json", "order.schema.json"):
            (tmp_path / name).write_text("{}")
        (tmp_path / "send-job.schema.json").write_text("{}")
        before = contract.check(tmp_path)
        contract.write(tmp_path)

        assert "old.schema.json is none of the contract any more" in before
        assert "send-job.schema.json differs from the models" in before
        assert "asyncapi.json is missing" in before
        assert "{}" == (tmp_path / "package.json").read_text() == (tmp_path / "order.schema.json").read_text()
        assert not (tmp_path / "old.schema.json").exists()
        assert contract.check(tmp_path) == []


class TestJsonSchemas:
    """The schemas say what the models do."""

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_each_is_a_valid_schema_whose_fields_are_described(self, model: type) -> None:
        """Of the 2020-12 dialect; jobs have examples that the schema itself accepts."""
        schema = contract.json_schema(model)
        Draft202012Validator.check_schema(schema)

        for example in schema.get("examples", []):
            assert VALIDATORS[model.__name__].is_valid(example)
        if model in contract.JOBS:
            assert schema["examples"]
            assert all(field["description"] for field in schema["properties"].values())

    @given(SEND_JOBS)
    def test_a_sound_job_is_taken_by_both(self, job: dict[str, Any]) -> None:
        """Schema and worker."""
        assert VALIDATORS["SendJob"].is_valid(job)
        assert is_read(JobKind.SEND, job)

    @given(SEND_JOBS, st.sampled_from([*SEND_FIELDS, "recipents"]), JSON_VALUES)
    def test_an_altered_job_is_taken_by_both_or_by_none(
        self, job: dict[str, Any], field: str, value: object
    ) -> None:
        """Whatever value stands in whatever field."""
        altered = {**job, field: value}

        assert VALIDATORS["SendJob"].is_valid(altered) == is_read(JobKind.SEND, altered)

    @given(
        st.fixed_dictionaries(
            {}, optional={"message_ids": JSON_VALUES | st.lists(WORDS), "job_id": JSON_VALUES}
        )
    )
    def test_any_status_job_is_taken_by_both_or_by_none(self, job: dict[str, Any]) -> None:
        """Trailing line breaks aside, which Python's `$` lets pass and JSON Schema's does not."""
        ids = job.get("message_ids")
        if not any(str(entry).endswith("\n") for entry in (ids if isinstance(ids, list) else [])):
            assert VALIDATORS["StatusJob"].is_valid(job) == is_read(JobKind.STATUS, job)

    @pytest.mark.parametrize(
        ("entry", "taken"),
        [
            *(("a\u200b", False), ("\ufeffa", False), ("a\u00ad", False), ("a\u202e", False)),
            *(("a\ue000", True), ("a\u0378", True), ("\U000f0000", True), ("\u0600", True)),
        ],
        ids=ascii,
    )
    def test_odd_characters_of_message_ids_are_judged_alike(self, entry: str, *, taken: bool) -> None:
        """Not what is invisible; but private and unassigned ones, which another Unicode may assign."""
        job = {"job_id": "p", "message_ids": [entry]}
        assert (taken, taken) == (VALIDATORS["StatusJob"].is_valid(job), is_read(JobKind.STATUS, job))

    @pytest.mark.parametrize(
        "name", ["to", "TO", "uniCode", "phonenumbers", "a b", "", "x" * 65, "tos", "x.to"]
    )
    def test_names_of_params_are_judged_alike(self, name: str) -> None:
        """Reserved in any case, and the alphabet."""
        job = {"recipients": ["98"], "text": "x", "params": {name: "y"}}

        assert VALIDATORS["SendJob"].is_valid(job) == is_read(JobKind.SEND, job)

    @given(SEND_JOBS)
    def test_a_job_of_a_python_producer_survives_the_wire(self, job: dict[str, Any]) -> None:
        """Model to bytes to model, with nothing changed."""
        model = SendJob(**{"job_id": "given", **job})

        assert model == read_job(JobKind.SEND, model.to_json()).job
        assert VALIDATORS["SendJob"].is_valid(json.loads(model.to_json()))

    @pytest.mark.parametrize(
        "result",
        [
            made_results.send_result(
                "a", [ACCEPTED, made_results.dnd("92")], encoding=Encoding.UCS2, segments=1
            ),
            made_results.send_result("a", [INVALID], encoding=Encoding.GSM7, segments=1, revision=2),
            AccountLow(remaining_credits=1.5, threshold=3),
        ],
        ids=lambda result: result.to_json().decode()[:40],
    )
    def test_a_published_result_fits_its_schema(self, result: AnyResult) -> None:
        """And no field may be missing from it that is always there."""
        value = json.loads(result.to_json())
        validator = VALIDATORS[type(result).__name__]

        assert validator.is_valid(value)
        for name in value.keys() - {"revision"}:
            assert not validator.is_valid({key: held for key, held in value.items() if key != name})

    def test_the_schema_of_a_recipient_knows_which_outcome_carries_what(self) -> None:
        """An accepted one without an id, or a dnd one with an error, is refused."""
        result = made_results.send_result("a", [made_results.dnd("92")], encoding=Encoding.GSM7, segments=1)
        value = json.loads(result.to_json())
        for wrong in (
            {"outcome": "accepted"},
            {"outcome": "dnd", "error": Failure(code="a", detail="b").model_dump()},
        ):
            value["recipients"] = [{"recipient": "92", **wrong}]
            assert not VALIDATORS["SendResult"].is_valid(value)


def references(node: JsonValue) -> list[str]:
    """Every `$ref` in *node*."""
    if isinstance(node, dict):
        target = node.get("$ref")
        own = [target] if isinstance(target, str) else []
        return own + [found for child in node.values() for found in references(child)]
    return [found for child in node for found in references(child)] if isinstance(node, list) else []


class TestAsyncApi:
    """The AsyncAPI document."""

    def test_every_reference_leads_somewhere(self) -> None:
        """Within the document."""
        document = contract.asyncapi_document()
        for reference in references(document):
            node = document
            for step in reference.removeprefix("#/").split("/"):
                node = node[step]
            assert node

    def test_it_names_every_model_key_and_exchange(self) -> None:
        """Of the given prefix."""
        document = contract.asyncapi_document("staging")
        channels = document["channels"]
        exchanges = {
            channel["bindings"]["amqp"]["exchange"]["name"]
            for channel in channels.values()
            if channel["bindings"]["amqp"]["is"] == "routingKey"
        }

        assert exchanges == {
            f"staging.{name}" for name in ("jobs", *(f"results.{kind}" for kind in ResultKind))
        }
        assert {model.__name__ for model in MODELS} <= document["components"]["messages"].keys()
        assert {channel["address"] for channel in channels.values()} == {
            *JobKey,
            *(f"{kind}.{{status}}" for kind in ResultKind),
            "staging.dead",
            "staging.results.unrouted",
        }

    def test_operations_and_parameters_fit_their_channels(self) -> None:
        """Only the queue that the broker itself fills has no operation; parameters are declared."""
        document = contract.asyncapi_document()
        operations = document["operations"].values()
        used = {operation["channel"]["$ref"].rpartition("/")[2] for operation in operations}

        assert document["asyncapi"] == "3.0.0"
        assert {"unroutedResults"} == document["channels"].keys() - used
        assert {"send", "receive"} == {operation["action"] for operation in operations}
        for channel in document["channels"].values():
            assert ("{status}" in channel["address"]) is ("parameters" in channel)


class TestCommand:
    """``python -m schemas``."""

    def test_print_shows_a_document(self, capsys: pytest.CaptureFixture[str]) -> None:
        """As it is committed; without a name, the names."""
        assert main(["print", "send-job.schema.json"]) == 0
        assert (contract.GENERATED / "send-job.schema.json").read_text(
            encoding="utf-8"
        ) == capsys.readouterr().out
        assert main(["print"]) == 0
        assert "asyncapi.json\n" in capsys.readouterr().out

    def test_an_unknown_document_is_an_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The known ones are named."""
        assert main(["print", "nothing.json"]) == 2
        assert "send-job.schema.json" in capsys.readouterr().err

    def test_check_fails_on_drift_until_written(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With the remedy."""
        assert main(["check", str(tmp_path)]) == 1
        assert "python -m schemas write" in capsys.readouterr().out
        assert main(["write", str(tmp_path)]) == 0
        assert main(["check", str(tmp_path)]) == 0
