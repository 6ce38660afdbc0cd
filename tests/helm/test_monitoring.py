"""Alerts: the file of ``helm/files``, unchanged, as an object of the cluster."""

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


class TestByDefault:
    """A cluster without these operators."""

    def test_no_custom_resource_is_made(self) -> None:
        """Its API server would refuse the release."""
        groups = {each["apiVersion"].rpartition("/")[0] for each in objects({})}
        assert groups == {"", "apps", "policy", "networking.k8s.io"}
