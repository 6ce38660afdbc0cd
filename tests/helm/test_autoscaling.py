"""Pods that follow the backlog, and never more than the rate limit feeds."""

import base64
import re
from typing import Any

import pytest
import yaml

from scripts.chart import values_table
from tests.support.chart import CHART, VALUE_SETS, Object, objects, one, refusal
from worker.domain.messages import Lane
from worker.settings import BrokerSettings, GatewaySettings

SECONDS_IN_HAND = 2
JOBS_A_SECOND = 800  # of a pod
REDIS = {"type": "redis", "redis": {"url": "redis://redis/0"}}


def _keda(**autoscaling: Any) -> list[Object]:  # noqa: ANN401 - any value of the chart
    keda = {"existingSecret": "management"} | autoscaling.pop("keda", {})
    return objects({"ledger": REDIS, "autoscaling": {"enabled": True, "keda": keda, **autoscaling}})


class TestKeda:
    """The ScaledObject and what lets it in."""

    def test_every_work_queue_has_a_trigger(self) -> None:
        """A lane that the worker gains fails here."""
        triggers = one(_keda(), "ScaledObject")["spec"]["triggers"]
        assert {trigger["metadata"]["queueName"] for trigger in triggers} == {f"iton.{lane}" for lane in Lane}
        assert len(triggers) == len(Lane)

    def test_work_in_hand_counts(self) -> None:
        """Else pods that hold the last jobs would be scaled away."""
        for trigger in one(_keda(), "ScaledObject")["spec"]["triggers"]:
            metadata = trigger["metadata"]
            assert (metadata["protocol"], metadata["excludeUnacknowledged"]) == ("http", "false")
            assert (metadata["mode"], trigger["metricType"]) == ("QueueLength", "AverageValue")

    def test_urgent_work_weighs_more(self) -> None:
        """Ten times, and each value is a string, as KEDA wants it."""
        triggers = one(_keda(), "ScaledObject")["spec"]["triggers"]
        jobs = {trigger["metadata"]["queueName"]: trigger["metadata"]["value"] for trigger in triggers}
        assert (jobs["iton.send"], jobs["iton.send.urgent"]) == ("1600", "80")
        assert (jobs["iton.send.parts"], jobs["iton.send.urgent.parts"]) == ("1600", "80")

    def test_large_numbers_are_written_in_full(self) -> None:
        """Not as 1e+06."""
        triggers = one(_keda(keda={"jobsPerPod": {"send": 1_000_000}}), "ScaledObject")["spec"]["triggers"]
        assert "1000000" in {trigger["metadata"]["value"] for trigger in triggers}

    def test_so_are_those_of_the_objects_themselves(self) -> None:
        """Kubernetes refuses 2.592e+06 where it wants a whole number."""
        month = 2_592_000
        rendered = _keda(keda={"cooldownPeriod": month, "pollingInterval": month, "fallbackReplicas": month})
        spec = one(rendered, "ScaledObject")["spec"]
        written = [spec["cooldownPeriod"], spec["pollingInterval"], spec["fallback"]["replicas"]]
        assert [repr(number) for number in written] == ["2592000"] * 3

    def test_pods_go_slowly(self) -> None:
        """After five minutes of less need, one a minute."""
        spec = one(_keda(), "ScaledObject")["spec"]
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        assert behavior["scaleDown"] == {
            "stabilizationWindowSeconds": 300,
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
        }

    def test_the_address_comes_from_the_secret(self) -> None:
        """Host and password of the management API are in no other object."""
        rendered = _keda(keda={"secretKey": "url"})
        wanted = {"secretTargetRef": [{"parameter": "host", "name": "management", "key": "url"}]}
        authentication = one(rendered, "TriggerAuthentication")
        assert authentication["spec"] == wanted
        triggers = one(rendered, "ScaledObject")["spec"]["triggers"]
        names = {trigger["authenticationRef"]["name"] for trigger in triggers}
        assert names == {authentication["metadata"]["name"]}

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("http://u:p@mq:15672", "http://u:p@mq:15672/"),
            ("http://u:p@mq:15672/", "http://u:p@mq:15672/"),
            ("https://u:p@mq/management/sms", "https://u:p@mq/management/sms"),
        ],
    )
    def test_an_address_ends_with_a_slash_or_the_virtual_host(self, given: str, kept: str) -> None:
        """KEDA takes what stands behind the last slash for the virtual host."""
        keda = {"enabled": True, "keda": {"managementUrl": given}}
        secret = one(objects({"ledger": REDIS, "autoscaling": keda}), "Secret")
        assert base64.b64decode(secret["data"]["host"]).decode() == kept

    def test_the_prefix_the_vhost_and_the_fallback_are_taken_over(self) -> None:
        """While the management API is away the fallback holds."""
        spec = one(objects(VALUE_SETS["keda"]), "ScaledObject")["spec"]
        assert {trigger["metadata"]["vhostName"] for trigger in spec["triggers"]} == {"sms"}
        assert spec["fallback"] == {"failureThreshold": 4, "replicas": 3}
        assert spec["scaleTargetRef"]["name"] == "sms-iton-worker"


class TestTheDefaults:
    """What the values and the sentences above them say of a pod, against the worker's own settings."""

    @pytest.fixture
    def scaling(self) -> dict[str, Any]:
        """Return the default values."""
        values: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())["autoscaling"]
        return values

    def test_a_pod_makes_the_calls_that_are_claimed(self, scaling: dict[str, Any]) -> None:
        """The bulk calls in flight, divided by the longest time that the sentence speaks of."""
        (sentence,) = [
            row.sentence
            for row in values_table.rows((CHART / "values.yaml").read_text())
            if row.path == "autoscaling.callsPerPod"
        ]
        said = re.search(r"(\d+) bulk calls in flight .* up to ([\d.]+) s", sentence)
        assert said is not None, sentence
        gateway = GatewaySettings()
        bulk, seconds = gateway.max_calls - gateway.urgent_calls, float(said[2])
        assert int(said[1]) == bulk
        assert scaling["callsPerPod"] <= bulk / seconds < scaling["callsPerPod"] * 1.1

    def test_a_pod_is_enough_for_what_it_has_in_hand(self, scaling: dict[str, Any]) -> None:
        """Two seconds' work of bulk, more than it has in hand; and more than its prefetch of urgent jobs."""
        jobs, broker = scaling["keda"]["jobsPerPod"], BrokerSettings()
        for lane in ("send", "sendParts", "account"):
            assert jobs[lane] == SECONDS_IN_HAND * JOBS_A_SECOND
            assert jobs[lane] > broker.prefetch
        for lane in ("sendUrgent", "sendUrgentParts", "cancel"):
            assert broker.urgent_prefetch < jobs[lane] < jobs["send"]


class TestHpa:
    """Without KEDA: by CPU."""

    def test_it_watches_the_worker_alone(self) -> None:
        """A sidecar's load does not count."""
        spec = one(objects(VALUE_SETS["hpa"]), "HorizontalPodAutoscaler")["spec"]
        (metric,) = spec["metrics"]
        assert metric["containerResource"]["container"] == "worker"
        assert metric["containerResource"]["target"] == {"type": "Utilization", "averageUtilization": 70}
        assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 2)
        assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300


class TestRateLimit:
    """More pods than the account's rate feeds would only wait for each other."""

    @pytest.mark.parametrize(
        ("rate", "calls", "most"), [(200, 50, 4), (201, 50, 5), (10, 50, 2), (0.5, 0.1, 5)]
    )
    def test_as_many_pods_as_are_fed(self, rate: float, calls: float, most: int) -> None:
        """Rounded up; two are always allowed, for one may fail."""
        values: dict[str, Any] = {
            "ledger": REDIS,
            "iton": {"rateLimit": rate},
            "autoscaling": {
                "enabled": True,
                "keda": {"existingSecret": "management"},
                "callsPerPod": calls,
                "maxReplicas": most,
            },
        }
        assert one(objects(values), "ScaledObject")["spec"]["maxReplicaCount"] == most
        values["autoscaling"] |= {"maxReplicas": most + 1}
        assert f"lower it to {most}" in refusal(values)

    def test_without_a_limit_nothing_is_refused(self) -> None:
        """The notes warn."""
        assert one(_keda(maxReplicas=50), "ScaledObject")["spec"]["maxReplicaCount"] == 50
