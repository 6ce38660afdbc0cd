"""The chart's own files: versions that belong together, and those that are made of others."""

import base64
import json
import re
import tarfile
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from scripts.chart import pack, settings_schema, values_table, worker_facts
from scripts.chart.__main__ import fresh_files, stale
from tests.support.chart import CHART, objects, pod_spec, run_helm, worker_container
from tests.support.dashboard import rules
from worker.settings import settings_table


def _objects_in(schema: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:  # noqa: ANN401 - any JSON
    if isinstance(schema, list):
        return [found for each in schema for found in _objects_in(each, path)]
    if not isinstance(schema, dict):
        return []
    inner = [found for name, each in schema.items() for found in _objects_in(each, f"{path}/{name}")]
    return [(path, schema), *inner] if schema.get("type") == "object" else inner


class TestFiles:
    """What is shipped."""

    def test_the_chart_is_of_the_workers_version(self) -> None:
        """The default tag of the image follows from it."""
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        project = tomllib.loads((CHART.parent / "pyproject.toml").read_text())["project"]
        assert (chart["version"], chart["appVersion"]) == (project["version"], project["version"])

    def test_the_pods_run_as_the_images_user(self) -> None:
        """By number, so that Kubernetes sees that it is not root; its directory is the ledger's volume."""
        text = (CHART.parent / "Dockerfile").read_text()
        image = dict(re.findall(r"^(USER|WORKDIR) (.+)$", text, re.MULTILINE))
        rendered = objects({})
        pod = pod_spec(rendered)["securityContext"]
        (ledger,) = [each for each in worker_container(rendered)["volumeMounts"] if each["name"] == "ledger"]
        assert image["USER"] == f"{pod['runAsUser']}:{pod['runAsGroup']}"
        assert image["WORKDIR"] == ledger["mountPath"]

    def test_generated_files_are_current(self) -> None:
        """``python -m scripts.chart write`` makes them so."""
        assert stale(fresh_files()) == []

    def test_no_object_takes_any_name(self) -> None:
        """But for maps that are the user's: labels, annotations, and what Kubernetes itself checks."""
        schema = json.loads((CHART / "values.schema.json").read_text())
        closed = {path for path, each in _objects_in(schema) if each.get("additionalProperties") is False}
        open_ones = {
            path.rpartition("/properties/")[2] for path, _ in _objects_in(schema) if path not in closed
        }
        assert open_ones <= {
            "global",
            "/definitions/strings",
            "/definitions/labels",
            "/definitions/alertLabels",
            "/definitions/quantities",
            "podAnnotations",
            "affinity",
            "dnsConfig",
            "valueFrom",
        } | {name for name in open_ones if name.endswith(("/items", "/items/anyOf"))}
        assert len(closed) > 30

    def test_the_schema_knows_every_value(self) -> None:
        """Each of values.yaml, at its place."""
        schema = json.loads((CHART / "values.schema.json").read_text())
        for row in values_table.rows((CHART / "values.yaml").read_text()):
            node = schema
            for name in row.path.split("."):
                assert name in node["properties"], row.path
                node = node["properties"][name]

    def test_every_alert_can_be_changed_by_its_name(self) -> None:
        """The schema knows each, and no other."""
        schema = json.loads((CHART / "values.schema.json").read_text())
        alerts = schema["properties"]["metrics"]["properties"]["alerts"]["properties"]["rules"]
        assert [rule["alert"] for rule in rules()] == list(alerts["properties"])
        assert alerts["additionalProperties"] is False

    def test_it_says_where_it_comes_from_without_a_made_up_host_or_person(self) -> None:
        """The icon needs no host, the addresses belong to nobody (RFC 2606), the maintainer is a role."""
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        kind, _, drawn = chart["icon"].partition(";base64,")
        assert kind == "data:image/svg+xml"
        assert base64.b64decode(drawn).startswith(b"<svg ")
        assert {urlsplit(url).hostname for url in (chart["home"], *chart["sources"])} == {"git.example.com"}
        assert chart["maintainers"] == [{"name": "iton-worker maintainers"}]

    @pytest.mark.parametrize("home", ["", "https://git.acme.in/sms/iton-worker"])
    def test_whoever_packs_it_writes_their_own_home(self, tmp_path: Path, home: str) -> None:
        """Into home and sources of the file; what is committed stays as it is."""
        before = (CHART / "Chart.yaml").read_text()
        assert 0 == pack.pack(tmp_path, home)
        (packed,) = tmp_path.glob("*.tgz")
        with tarfile.open(packed) as chart:
            file = chart.extractfile("iton-worker/Chart.yaml")
            assert file is not None
            about = yaml.safe_load(file.read())
        assert [home or pack.NOBODYS] * 2 == [about["home"], *about["sources"]]
        assert before == (CHART / "Chart.yaml").read_text()

    @pytest.mark.parametrize(
        "home", ["git.acme.in", "ftp://acme.in/", "https://", "https://a.in/ b", 'https://a.in/"']
    )
    def test_a_home_that_is_no_address_is_refused(self, tmp_path: Path, home: str) -> None:
        """And nothing is packed."""
        assert 2 == pack.pack(tmp_path, home)
        assert [] == list(tmp_path.iterdir())

    def test_every_setting_has_a_place(self) -> None:
        """The schema knows each by its name."""
        schema = json.loads((CHART / "values.schema.json").read_text())
        assert set(schema["properties"]["settings"]["properties"]) == {
            row.variable for row in settings_table()
        }

    def test_a_package_can_be_made(self, tmp_path: Any) -> None:  # noqa: ANN401 - a path
        """With everything that the templates read, and without the tests' value sets."""
        done = run_helm("package", CHART, "--destination", tmp_path)
        assert done.returncode == 0, done.stderr
        (package,) = tmp_path.glob("iton-worker-*.tgz")
        shown = run_helm("template", "sms", package, "--set", "topology.enabled=true,topology.clusterName=mq")
        assert "kind: Queue" in shown.stdout
        assert run_helm("lint", "--strict", package).returncode == 0


class TestTable:
    """How the README's table is made."""

    def test_a_value_without_a_sentence_is_named(self) -> None:
        """So that none is forgotten."""
        with pytest.raises(values_table.NoSentenceError, match=r"image\.tag has no sentence"):
            values_table.rows("# Image.\nimage:\n  # Name.\n  repository: x\n  tag: y\n")

    def test_groups_and_values_are_told_apart(self) -> None:
        """A mapping without sentences inside is one value."""
        rows = values_table.rows("# Group.\na:\n  # One.\n  # Still one.\n  b: 1\n# Whole.\nc:\n  d: [x]\n")
        assert [(row.path, row.default, row.sentence) for row in rows] == [
            ("a.b", "1", "One. Still one."),
            ("c", '{"d": ["x"]}', "Whole."),
        ]


class TestSecrets:
    """A new secret of the worker."""

    def test_it_may_not_end_in_a_configmap(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It must be given a place among the credentials first."""
        monkeypatch.delitem(worker_facts.SECRET, "ITON_API_TOKEN")
        schema = json.loads((CHART / "values.schema.json").read_text())
        with pytest.raises(settings_schema.UnplacedSecretError, match="ITON_API_TOKEN is a secret"):
            settings_schema.with_settings(schema)

    def test_each_can_come_from_a_secret_of_its_own(self) -> None:
        """Else its only other place would be the values of the release, in plain text."""
        schema = json.loads((CHART / "values.schema.json").read_text())
        sources = schema["properties"]["credentials"]["properties"]["from"]["properties"]
        assert set(sources) == {*worker_facts.SECRET, "LEDGER_URL"}

    def test_any_other_setting_goes_into_the_map(self) -> None:
        """Without a change of the chart's sources."""
        assert worker_facts.place("WORKER_SOMETHING_NEW") == "settings.WORKER_SOMETHING_NEW"
