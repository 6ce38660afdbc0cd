"""Labels and annotations: the chart's own stay, the user's are added, and none is there twice."""

from typing import Any

import pytest
import yaml

from tests.support.chart import DuplicateRefusingLoader, objects, one, refusal

COMMON = {"team": "messaging", "release": "sms", "app.kubernetes.io/part-of": "shop"}
EVERYWHERE: dict[str, Any] = {
    "commonLabels": COMMON,
    "podLabels": {"team": "night shift"},
    "podAnnotations": {"kubectl.kubernetes.io/default-container": "mesh"},
    "metrics": {
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "alerts": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True, "labels": {"team": "grafana"}},
    },
    "topology": {"enabled": True, "clusterName": "mq"},
}


class TestLabels:
    """Every object is read by a loader that refuses a key that is there twice."""

    def test_that_loader_refuses_one(self) -> None:
        """What would be accepted blindly proves nothing."""
        with pytest.raises(AssertionError, match="twice: team"):
            yaml.load("labels: {team: a, team: b}", Loader=DuplicateRefusingLoader)  # noqa: S506 - a safe one

    def test_the_nearer_one_wins(self) -> None:
        """Those of the pods, of a monitor, of the dashboard over those of all objects."""
        rendered = objects(EVERYWHERE)
        pod = one(rendered, "Deployment")["spec"]["template"]["metadata"]
        assert (pod["labels"]["team"], pod["labels"]["release"]) == ("night shift", "sms")
        assert pod["annotations"]["kubectl.kubernetes.io/default-container"] == "mesh"
        assert one(rendered, "Deployment")["metadata"]["labels"]["team"] == "messaging"
        assert one(rendered, "PodMonitor")["metadata"]["labels"]["release"] == "prometheus"
        assert (
            one(rendered, "ConfigMap", "sms-iton-worker-dashboard")["metadata"]["labels"]["team"] == "grafana"
        )

    def test_every_object_has_the_common_ones(self) -> None:
        """And the chart's own beside them."""
        for each in objects(EVERYWHERE):
            labels = each["metadata"]["labels"]
            assert set(COMMON) | {"helm.sh/chart", "app.kubernetes.io/component"} <= set(labels)
            assert labels["app.kubernetes.io/name"] == "iton-worker"

    def test_a_release_that_is_called_like_a_number_has_a_string(self) -> None:
        """Kubernetes refuses any other label."""
        labels = one(objects({"nameOverride": "7"}, release="2024"), "Deployment")["spec"]["selector"]
        assert labels["matchLabels"]["app.kubernetes.io/instance"] == "2024"
        assert labels["matchLabels"]["app.kubernetes.io/name"] == "7"

    @pytest.mark.parametrize(
        ("value", "name"),
        [
            ("commonLabels", "app.kubernetes.io/name"),
            ("commonLabels", "helm.sh/chart"),
            ("podLabels", "app.kubernetes.io/instance"),
            ("podLabels", "app.kubernetes.io/component"),
            ("podAnnotations", "checksum/config"),
        ],
    )
    def test_those_that_choose_the_pods_cannot_be_replaced(self, value: str, name: str) -> None:
        """By its name; a selector that does not fit its pods is refused by Kubernetes, or finds none."""
        said = refusal({value: {name: "mine"}})
        assert "values don't meet the specifications of the schema" in said
        assert (value in said, name in said) == (True, True), said
