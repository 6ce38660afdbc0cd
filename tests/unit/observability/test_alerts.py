"""The alert rules, read by Prometheus's own tool: each fires when it should, stays quiet when it should."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.dashboard import RULES, metrics_of, rules
from tests.support.promtool import Series, complaints_of, promtool
from tests.unit.observability.alert_cases import CASES
from tests.unit.observability.alert_series import Case
from worker.amqp.topology.values import Topology
from worker.domain.messages import Lane
from worker.metrics.catalogue import CATALOGUE

PAGE = Path(__file__).parents[3] / "docs" / "alerts.md"
SEVERITIES = {"critical", "warning", "info"}
_PLACE = re.compile(r"\$labels\.(\w+)")


def _test(case: Case, series: Series, *, firing: int) -> dict[str, Any]:
    """One test in promtool's form: how many of the alert fire."""
    alerts = f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}'
    samples = [{"labels": "{}", "value": firing}] if firing else []
    return {
        "name": f"{case.alert} {'fires' if firing else 'is quiet'}",
        "interval": f"{case.step}m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": f"count({alerts})", "eval_time": f"{case.steps * case.step}m", "exp_samples": samples}
        ],
    }


def _written(case: Case, rule: dict[str, Any], folder: Path) -> Path:
    """Write the tests of one alert, and its rule by itself: all of them for each would take a minute."""
    alone = folder / f"{case.alert}.rules.yaml"
    alone.write_text(yaml.safe_dump({"groups": [{"name": case.alert, "rules": [rule]}]}))
    tests = [_test(case, series, firing=1) for series in (case.fires, *case.also)]
    tests += [_test(case, series, firing=0) for series in case.quiet]
    file = folder / f"{case.alert}.tests.yaml"
    head = {"rule_files": [str(alone)], "evaluation_interval": f"{case.step}m"}
    file.write_text(yaml.safe_dump({**head, "tests": tests}))
    return file


class TestRules:
    """``helm/files/alerts.yaml``."""

    def test_promtool_takes_them(self) -> None:
        """It knows the form, the expressions and the templates."""
        done = promtool("check", "rules", str(RULES))
        assert (0, f"SUCCESS: {len(rules())} rules found") == (
            done.returncode,
            done.stdout.strip().splitlines()[-1].strip(),
        ), done.stderr

    def test_each_fires_when_it_should_and_not_otherwise(self, tmp_path: Path) -> None:
        """Over the series of `alert_cases`, by promtool's clock."""
        by_name = {rule["alert"]: rule for rule in rules()}
        assert complaints_of(_written(case, by_name[case.alert], tmp_path) for case in CASES) == ""

    def test_every_rule_has_a_case(self) -> None:
        """With at least one set of series that leaves it quiet."""
        assert [rule["alert"] for rule in rules()] == [case.alert for case in CASES]
        assert all(case.quiet for case in CASES)

    @pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
    def test_each_tells_what_happened_and_what_to_do(self, rule: dict[str, Any]) -> None:
        """A severity, a summary, a description, the section of the page; labels that the expression keeps."""
        notes = rule["annotations"]
        assert rule["labels"]["severity"] in SEVERITIES
        assert {"summary", "description", "runbook"} == set(notes)
        assert len(notes["description"]) > len(notes["summary"]) > 15
        kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", rule["expr"]))))
        named = set(_PLACE.findall(notes["summary"] + notes["description"]))
        assert named <= kept | ({"instance"} if "process_" in rule["expr"] else set())

    def test_they_ask_for_metrics_that_exist(self) -> None:
        """Those of the catalogue, or a histogram's parts."""
        known = {"process_open_fds", "process_max_fds"}
        for spec in CATALOGUE:
            parts = ("_bucket", "_count", "_sum") if spec.buckets else ("",)
            known |= {spec.full_name + part for part in parts}
        asked = set().union(*(metrics_of(rule["expr"]) for rule in rules()))
        assert set() == asked - known


class TestPage:
    """``docs/alerts.md``."""

    @pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
    def test_each_alert_has_its_section(self, rule: dict[str, Any]) -> None:
        """What it means, what to look at, what to do; under the anchor that the alert names."""
        sections = dict(
            re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        )
        assert f"docs/alerts.md#{rule['alert'].lower()}" == rule["annotations"]["runbook"]
        words = sections[rule["alert"]]
        assert rule["labels"]["severity"] in words.splitlines()[0]
        assert all(f"**{part}**" in words for part in ("Means", "Look at", "Do"))

    def test_there_is_no_section_without_an_alert(self) -> None:
        """A renamed alert takes its section along."""
        sections = re.findall(r"^## (\w+)$", PAGE.read_text(), re.MULTILINE)
        assert [rule["alert"] for rule in rules()] == sections

    def test_its_examples_name_alerts_that_exist(self) -> None:
        """In the files for Alertmanager and Prometheus, all of which are YAML."""
        examples = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        assert all(yaml.safe_load(example) for example in examples)
        named = set()
        for ends, whole in re.findall(r"ItonWorker(?:\(([\w|]+)\)|(\w+))", "".join(examples)):
            named |= {f"ItonWorker{end}" for end in (ends or whole).split("|")}
        assert "ItonWorkerStuck" in named
        assert set() == named - {rule["alert"] for rule in rules()}

    def test_its_rule_for_the_broker_asks_for_what_a_worker_takes_at_any_hour(self) -> None:
        """A held queue has no consumer outside of the hours, and nobody is to be told so all night."""
        (pattern,) = re.findall(r'rabbitmq_queue_messages_ready\{queue=~"([^"]+)"\} *\)', PAGE.read_text())
        queues = {lane: Topology("iton", (5,), (30,), ladder=True).work_queue(lane) for lane in Lane}
        asked = {lane for lane, queue in queues.items() if re.fullmatch(pattern, queue)}
        assert asked == {lane for lane in Lane if not lane.is_held}
