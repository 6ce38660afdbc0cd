"""Alerts, dashboard and monitors as objects of the cluster, and what values change in them."""

import json
from typing import Any

import pytest
import yaml

from tests.support.chart import CHART, VALUE_SETS, objects, one, refusal
from tests.support.dashboard import rules

RUNBOOKS = "https://git.example.com/sms/iton-worker/blob/main/"


def _alerts(runbooks: str = "", **alerts: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - any value
    """The rules of a release by their names."""
    metrics = {"runbooks": runbooks, "alerts": {"enabled": True, **alerts}}
    groups = one(objects({"metrics": metrics}), "PrometheusRule")["spec"]["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def _dashboard(runbooks: str) -> dict[str, Any]:
    rendered = objects({"metrics": {"runbooks": runbooks, "dashboard": {"enabled": True}}})
    found: dict[str, Any] = json.loads(
        one(rendered, "ConfigMap", "sms-iton-worker-dashboard")["data"]["iton-worker.json"]
    )
    return found


def _file() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CHART / "files" / "dashboard.json").read_text())
    return found


class TestAlerts:
    """The PrometheusRule."""

    def test_by_default_it_holds_the_rules_of_the_file(self) -> None:
        """Prometheus's own templates in them are not taken for Helm's."""
        file = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
        rule = one(objects({"metrics": {"alerts": {"enabled": True}}}), "PrometheusRule")
        assert file == rule["spec"]
        assert "{{ $labels." in json.dumps(rule["spec"])

    def test_prometheus_finds_it_by_its_labels(self) -> None:
        """Those that the user's Prometheus selects."""
        rendered = objects(VALUE_SETS["everything"])
        for kind in ("PrometheusRule", "ServiceMonitor"):
            assert one(rendered, kind)["metadata"]["labels"]["release"] == "prometheus"

    def test_each_links_its_runbook_below_the_given_address(self) -> None:
        """Under the name that tools look for."""
        told = {name: rule["annotations"]["runbook_url"] for name, rule in _alerts(RUNBOOKS).items()}
        assert told == {
            rule["alert"]: f"{RUNBOOKS}docs/alerts.md#{rule['alert'].lower()}" for rule in rules()
        }

    @pytest.mark.parametrize("name", [rule["alert"] for rule in rules()])
    def test_each_can_be_switched_off(self, name: str) -> None:
        """And the others stay."""
        left = _alerts(rules={name: {"enabled": False}})
        assert list(left) == [rule["alert"] for rule in rules() if rule["alert"] != name]

    def test_a_group_without_rules_is_left_out(self) -> None:
        """Where all of a group are switched off."""
        first, *others = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
        off = {rule["alert"]: {"enabled": False} for rule in first["rules"]}
        rendered = objects({"metrics": {"alerts": {"enabled": True, "rules": off}}})
        assert one(rendered, "PrometheusRule")["spec"]["groups"] == others

    def test_all_get_the_extra_labels_and_annotations(self) -> None:
        """Beside their own."""
        changed = _alerts(extraLabels={"team": "sms"}, extraAnnotations={"contact": "#sms"})
        for rule in rules():
            assert changed[rule["alert"]]["labels"] == rule["labels"] | {"team": "sms"}
            assert changed[rule["alert"]]["annotations"] == rule["annotations"] | {"contact": "#sms"}

    def test_a_single_one_is_changed_by_its_name(self) -> None:
        """What is given for it wins over the file and over what all get; the others stay as they are."""
        changed = _alerts(
            extraLabels={"team": "sms"},
            rules={
                "ItonWorkerBulkWait": {
                    "for": "1h",
                    "labels": {"severity": "info", "team": "campaigns"},
                    "annotations": {"summary": "late"},
                }
            },
        )
        one_rule = changed.pop("ItonWorkerBulkWait")
        assert (one_rule["for"], one_rule["labels"]) == ("1h", {"severity": "info", "team": "campaigns"})
        assert one_rule["annotations"]["summary"] == "late"
        assert one_rule["annotations"]["runbook"] == "docs/alerts.md#itonworkerbulkwait"
        for rule in rules():
            if rule["alert"] in changed:
                assert changed[rule["alert"]] == rule | {"labels": rule["labels"] | {"team": "sms"}}

    def test_a_name_that_is_no_alert_is_refused(self) -> None:
        """It would leave the alert on that somebody wants off."""
        said = refusal({"metrics": {"alerts": {"rules": {"ItonWorkerGon": {"enabled": False}}}}})
        assert "ItonWorkerGon" in said


class TestDashboard:
    """The ConfigMap for Grafana's sidecar."""

    def test_it_holds_the_dashboard_of_the_file_with_the_runbooks_address(self) -> None:
        """As JSON; all else is as it is in the file."""
        wanted = _file()
        (variable,) = [one for one in wanted["templating"]["list"] if one["name"] == "runbooks"]
        variable |= {"query": RUNBOOKS, "current": {"text": RUNBOOKS, "value": RUNBOOKS}}
        assert wanted == _dashboard(RUNBOOKS)

    def test_without_an_address_nothing_leads_nowhere(self) -> None:
        """Neither links nor the variable below which they lead; the rest is as in the file."""
        wanted = _file()
        wanted["templating"]["list"] = [
            one for one in wanted["templating"]["list"] if one["name"] != "runbooks"
        ]
        for each in (wanted, *wanted["panels"]):
            each.pop("links", None)
        assert wanted == _dashboard("")

    def test_grafana_finds_it_by_its_label(self) -> None:
        """That of the sidecar; its annotations are the user's."""
        metadata = one(objects(VALUE_SETS["everything"]), "ConfigMap", "sms-dashboard")["metadata"]
        assert metadata["labels"]["grafana_dashboard"] == "1"
        assert metadata["annotations"] == {"grafana_folder": "SMS"}


class TestMonitors:
    """Who is scraped, and under which labels."""

    @pytest.mark.parametrize(
        ("monitor", "kind", "endpoints"),
        [
            ("podMonitor", "PodMonitor", "podMetricsEndpoints"),
            ("serviceMonitor", "ServiceMonitor", "endpoints"),
        ],
    )
    def test_relabelings_are_taken_over(self, monitor: str, kind: str, endpoints: str) -> None:
        """Of targets and of series; none by default."""
        before = [{"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}]
        after = [{"regex": "python_.+", "sourceLabels": ["__name__"], "action": "drop"}]
        given = {"enabled": True, "relabelings": before, "metricRelabelings": after}
        (endpoint,) = one(objects({"metrics": {monitor: given}}), kind)["spec"][endpoints]
        assert (endpoint["relabelings"], endpoint["metricRelabelings"]) == (before, after)
        (plain,) = one(objects({"metrics": {monitor: {"enabled": True}}}), kind)["spec"][endpoints]
        assert set(plain) == {"port", "path", "interval", "scrapeTimeout"}

    def test_a_misspelt_field_of_a_relabeling_is_refused(self) -> None:
        """The Prometheus Operator would do so late, or not at all."""
        given = {"relabelings": [{"source_labels": ["a"]}]}
        assert "source_labels" in refusal({"metrics": {"podMonitor": given}})


class TestByDefault:
    """A cluster without these operators."""

    def test_no_custom_resource_is_made(self) -> None:
        """Its API server would refuse the release."""
        groups = {each["apiVersion"].rpartition("/")[0] for each in objects({})}
        assert groups == {"", "apps", "policy", "networking.k8s.io"}
