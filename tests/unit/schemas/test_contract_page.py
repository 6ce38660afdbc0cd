"""``docs/contract.md`` says what the models, the topology and the commands are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from schemas import AccountJob, ApiJob, CancelJob, DeadHeader, JobKey, Outcome, ResultKind, SendJob, StatusJob
from schemas.outcomes import DeliveryStatus, SendStatus
from schemas.results import AccountResult, ApiResult, CancelResult, DeliveryResult, SendResult, TrackedResult
from worker.amqp.topology.values import Topology
from worker.cli.app import app
from worker.settings import settings_table

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "contract.md").read_text()
READ_SETTINGS = {row.variable for row in settings_table()}
_CITED = re.compile(r"docs/contract\.md, (\d)|contract, sections? (\d)(?: and (\d))?")


def section(heading: str) -> str:
    """Return what stands below a heading, up to the next one of its level."""
    level, _, _ = heading.partition(" ")
    _, _, rest = PAGE.partition(f"\n{heading}\n")
    assert rest, heading
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def words(text: str) -> set[str]:
    """Return what is set as code."""
    return set(re.findall(r"`([^`\n]+)`", text))


def rows(text: str) -> Iterator[list[str]]:
    """Return the cells of each row of the tables, heads left out."""
    for line in re.findall(r"^\| (`.*) \|$", text, re.MULTILINE):
        yield line.split(" | ")


class TestJobs:
    """Section 3."""

    @pytest.mark.parametrize(
        ("heading", "model"),
        [
            ("### `send`", SendJob),
            ("### `status`", StatusJob),
            ("### `account`", AccountJob),
            ("### `api`", ApiJob),
            ("### `cancel`", CancelJob),
        ],
    )
    def test_the_fields_of_a_job_are_those_of_its_model(self, heading: str, model: type[BaseModel]) -> None:
        """In their order."""
        named = [field.alias or name for name, field in model.model_fields.items()]
        assert named == [cells[0].strip("`") for cells in rows(section(heading))]


class TestTopology:
    """Section 2."""

    def test_each_exchange_has_its_routing_keys(self) -> None:
        """Those of jobs and those of results."""
        told = rows(section("## 2. Topology"))
        named = {cells[0].strip("`"): words(cells[2]) for cells in told}
        assert {key.value for key in JobKey} == named["iton.jobs"]
        for kind in ResultKind:
            assert {f"{kind}.{status}" for status in kind.statuses} == named[f"iton.results.{kind}"]

    def test_what_it_names_is_declared(self) -> None:
        """Each exchange, and each queue that is not the worker's own."""
        topology = Topology("iton", (5,))
        declared = {one.name for one in topology.exchanges} | {one.name for one in topology.queues}
        spoken_of = {
            word for word in words(section("## 2. Topology")) if re.fullmatch(r"iton\.[a-z.]+", word)
        }
        assert spoken_of <= declared
        own = {name for name in declared if re.search(r"\.parts$|\.delay|\.track$|held$", name)}
        assert declared - own == spoken_of

    def test_the_headers_of_a_dead_letter_are_all_there(self) -> None:
        """By their names."""
        named = {word for word in words(section("## 2. Topology")) if word.startswith("x-iton-")}
        assert {header.value for header in DeadHeader} == named


class TestResults:
    """Section 4."""

    def test_outcomes_and_statuses_are_those_of_the_models(self) -> None:
        """The table has each outcome, the text each status."""
        text = section("### Send results")
        assert [outcome.value for outcome in Outcome] == [cells[0].strip("`") for cells in rows(text)]
        assert {status.value for status in SendStatus} <= words(text)
        assert {status.value for status in DeliveryStatus} <= words(section("### Delivery results"))

    def test_the_examples_are_results(self) -> None:
        """Each fits its model, and no field is lost on the way."""
        forms: tuple[type[BaseModel], ...] = (
            SendResult,
            DeliveryResult,
            TrackedResult,
            AccountResult,
            ApiResult,
            CancelResult,
        )
        examples = re.findall(r"```json\n(.*?)```", section("## 4. Results"), re.DOTALL)
        assert len(forms) == len(examples)
        for form, example in zip(forms, examples, strict=True):
            given = json.loads(example)
            assert given == json.loads(form.model_validate_json(example).model_dump_json(exclude_none=True))


class TestSettingsAndCommands:
    """Sections 5 and 6."""

    def test_every_setting_that_it_names_is_read(self) -> None:
        """Under that name."""
        before, _, _ = PAGE.partition("\n## 7. ")
        named = {
            word
            for word in words(before)
            if re.fullmatch(r"(AMQP|ITON|LEDGER|HEALTH|LOG|WORKER)_[A-Z_]+", word)
        }
        assert named <= READ_SETTINGS
        assert {name for name in READ_SETTINGS if not name.startswith(("WORKER_", "HEALTH_HOST"))} <= named

    def test_every_command_is_named(self) -> None:
        """And no other."""
        known = {one.name for one in app.registered_commands} | {one.name for one in app.registered_groups}
        told = section("## 6. Commands").partition("\nAlso: ")[2]
        assert known - {"run"} == words(told)


class TestCitations:
    """What the code says of the contract."""

    def test_they_name_sections_that_are_there(self) -> None:
        """By their numbers."""
        there = set(re.findall(r"^## (\d)\. ", PAGE, re.MULTILINE))
        files = [*(ROOT / "worker").rglob("*.py"), *(ROOT / "schemas").rglob("*.py")]
        cited = [match for file in files for match in _CITED.findall(file.read_text())]
        assert cited
        assert {number for match in cited for number in match if number} <= there
