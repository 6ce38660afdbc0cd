"""The contract as files: a JSON Schema (2020-12) of every job and result, and an AsyncAPI 3.0 document.

Generated from the models, committed in ``schemas/generated/``, and proven current by a test.
"""

import json
import re
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from schemas import asyncapi, jobs, results
from schemas.channels import DEFAULT_PREFIX

VERSION: Final = "1.0.0"
"""Of the contract: its first number is that of the results' ``type``."""

GENERATED: Final = Path(__file__).parent / "generated"
ASYNCAPI: Final = "asyncapi.json"
_ID: Final = "urn:iton-worker:"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

JOBS: Final[tuple[type[BaseModel], ...]] = (
    jobs.SendJob,
    jobs.StatusJob,
    jobs.AccountJob,
    jobs.ApiJob,
    jobs.CancelJob,
)
RESULTS: Final[tuple[type[BaseModel], ...]] = (
    results.SendResult,
    results.SendRejected,
    results.DeliveryResult,
    results.TrackedResult,
    results.DeliveryRejected,
    results.DeliveryFailed,
    results.AccountResult,
    results.AccountLow,
    results.AccountRejected,
    results.AccountFailed,
    results.ApiResult,
    results.ApiFailed,
    results.ApiUncertain,
    results.ApiRejected,
    results.CancelResult,
    results.CancelRejected,
    results.CancelFailed,
)


class _Untitled(GenerateJsonSchema):
    """Without a title for every field, which would only repeat its name."""

    def field_title_should_be_set(self, schema: core_schema.CoreSchema | Any) -> bool:  # noqa: ANN401, ARG002 - as the parent has it
        """Never."""
        return False


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of *model*: of a job what is accepted, of a result what is published."""
    mode: Literal["validation", "serialization"] = "validation" if model in JOBS else "serialization"
    body = model.model_json_schema(mode=mode, schema_generator=_Untitled)
    return {"$schema": DIALECT, "$id": f"{_ID}v1:{_kebab(model.__name__)}", **body}


def asyncapi_document(prefix: str = DEFAULT_PREFIX) -> dict[str, Any]:
    """The AsyncAPI document for names that start with *prefix*."""
    _, definitions = models_json_schema(
        [*((model, "validation") for model in JOBS), *((model, "serialization") for model in RESULTS)],
        ref_template=asyncapi.SCHEMAS,
        schema_generator=_Untitled,
    )
    return asyncapi.document(VERSION, prefix, definitions["$defs"])


def documents(prefix: str = DEFAULT_PREFIX) -> dict[str, str]:
    """Every document as text, by file name."""
    schemas = {f"{_kebab(model.__name__)}.schema.json": json_schema(model) for model in (*JOBS, *RESULTS)}
    return {name: _text(body) for name, body in {**schemas, ASYNCAPI: asyncapi_document(prefix)}.items()}


def write(directory: Path = GENERATED, prefix: str = DEFAULT_PREFIX) -> list[Path]:
    """Write every document into *directory*, which is made if need be; schemas of ours that are stale go.

    What else is there stays, however it is called: the directory may be a producer's own.

    Raises:
        OSError: the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    wanted = documents(prefix)
    for name in _ours(directory) - wanted.keys():
        (directory / name).unlink()
    for name, text in wanted.items():
        (directory / name).write_text(text, encoding="utf-8")
    return [directory / name for name in wanted]


def check(directory: Path = GENERATED, prefix: str = DEFAULT_PREFIX) -> list[str]:
    """What differs in *directory* from the models, a sentence each; empty when all is current."""
    wanted = documents(prefix)
    present = {name for name in wanted if (directory / name).exists()}
    return [
        *(f"{name} is missing" for name in sorted(wanted.keys() - present)),
        *(f"{name} is none of the contract any more" for name in sorted(_ours(directory) - wanted.keys())),
        *(
            f"{name} differs from the models"
            for name in sorted(present)
            if (directory / name).read_text(encoding="utf-8") != wanted[name]
        ),
    ]


def _ours(directory: Path) -> set[str]:
    """Return the names of the schemas that a release wrote, this one or an earlier one."""
    return {path.name for path in directory.glob("*.schema.json") if _is_ours(path)}


def _is_ours(path: Path) -> bool:
    return path.is_file() and f'"$id": "{_ID}'.encode() in path.read_bytes()


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def _text(body: dict[str, Any]) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"
