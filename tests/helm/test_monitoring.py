"""Alerts and dashboard: the files of ``helm/files``, unchanged, as objects of the cluster."""

import json

import yaml

from tests.support.chart import CHART, VALUE_SETS, objects, one


class TestAlerts:
    """The PrometheusRule."""

    def test_it_holds_the_rules_of_the_file(self) -> None:
        """Prometheus's own templates in them are not taken for Helm's."""
        rules = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
        rule = one(objects(VALUE_SETS["everything"]), "PrometheusRule")
        assert rules == rule["spec"]
        assert "{{ $labels." in json.dumps(rule["spec"])

    def test_prometheus_finds_it_by_its_labels(self) -> None:
        """Those that the user's Prometheus selects."""
        rendered = objects(VALUE_SETS["everything"])
        for kind in ("PrometheusRule", "ServiceMonitor"):
            assert one(rendered, kind)["metadata"]["labels"]["release"] == "prometheus"


class TestDashboard:
    """The ConfigMap for Grafana's sidecar."""

    def test_it_holds_the_dashboard_of_the_file(self) -> None:
        """As JSON, under the label that the sidecar looks for."""
        found = one(objects(VALUE_SETS["everything"]), "ConfigMap", "sms-dashboard")
        dashboard = json.loads((CHART / "files" / "dashboard.json").read_text())
        assert json.loads(found["data"]["iton-worker.json"]) == dashboard
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert found["metadata"]["annotations"] == {"grafana_folder": "SMS"}


class TestByDefault:
    """A cluster without these operators."""

    def test_no_custom_resource_is_made(self) -> None:
        """Its API server would refuse the release."""
        groups = {each["apiVersion"].rpartition("/")[0] for each in objects({})}
        assert groups == {"", "apps", "policy", "networking.k8s.io"}
