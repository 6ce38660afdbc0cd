"""Names: Kubernetes takes them whatever the release is called, and a value that is a name is a string."""

import re
from typing import Any

import pytest

from tests.support.chart import VALUE_SETS, faults, objects, one, pod_spec

RELEASES = {
    "like a number": "2024",
    "with dots": "sms.in.bulk",
    "as long as Helm lets it be": "s" * 53,
    "with a hyphen where it is cut": "s" * 38 + "--bulk",
    "with a dot where it is cut": "s" * 39 + ".bulk",
}
SUBDOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
LABEL = re.compile(r"(?=.{1,63}\Z)[a-z]([-a-z0-9]*[a-z0-9])?\Z")
EVERY_KIND = ("everything", "hpa", "topology-operator", "external-secrets")
# What YAML takes for something else, unless it is written as a string.
MISTAKABLE: list[dict[str, Any]] = [
    {
        "fullnameOverride": "true",
        "topology": {"enabled": True, "clusterName": "1", "clusterNamespace": "1e3"},
    },
    {"serviceAccount": {"name": "123"}, "topology": {"enabled": True, "connectionSecret": "0x1f"}},
    {"priorityClassName": "null", "runtimeClassName": "1e3", "image": {"pullSecrets": ["123"]}},
    {"credentials": {"existingSecret": "123", "from": {"ITON_API_TOKEN": {"name": "0x1f", "key": "1.0"}}}},
    {
        "credentials": {
            "existingSecret": "123",
            "mount": "env",
            "from": {"ITON_API_TOKEN": {"name": "1", "key": "true"}},
        }
    },
    {"credentials": {"existingSecret": "123"}, "ledger": {"type": "redis"}},
    {
        "credentials": {
            "externalSecret": {"enabled": True, "store": "123", "remoteKey": "sms: {team} #1"},
        }
    },
    {"ledger": {"sqlite": {"existingClaim": "123"}}},
    {"ledger": {"sqlite": {"storageClass": "1e3"}}},
    {
        "ledger": {"type": "redis"},
        "autoscaling": {"enabled": True, "keda": {"existingSecret": "123", "secretKey": "1.0"}},
    },
    {
        "ledger": {"type": "redis"},
        "autoscaling": {"enabled": True, "keda": {"authentication": {"existing": "123"}}},
    },
]


class TestReleases:
    """What ``helm install NAME`` takes for a name."""

    @pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES)
    @pytest.mark.parametrize("values", EVERY_KIND)
    def test_kubernetes_takes_each_name(self, release: str, values: str) -> None:
        """Of a Service a narrower one than of all else."""
        rendered = objects(VALUE_SETS[values], release=release)
        names = {(each["kind"], each["metadata"]["name"]) for each in rendered}
        assert {name for _, name in names if not SUBDOMAIN.match(name)} == set()
        assert {name for kind, name in names if kind == "Service" and not LABEL.match(name)} == set()

    def test_a_service_is_called_like_its_release(self) -> None:
        """Where it can be."""
        assert one(objects({}), "Service")["metadata"]["name"] == "sms-iton-worker"


class TestValues:
    """Kubernetes refuses a name that is no string."""

    @pytest.mark.parametrize("values", MISTAKABLE, ids=str)
    def test_one_that_looks_like_something_else_is_a_string(self, values: dict[str, Any]) -> None:
        """A number, a truth, nothing."""
        rendered = objects(values)
        assert [fault for each in rendered for fault in faults(each)] == []

    def test_it_is_not_left_out_either(self) -> None:
        """Of a field that may be missing Kubernetes takes the null, and forgets the name."""
        spec = pod_spec(objects({"priorityClassName": "null"}))
        assert spec["priorityClassName"] == "null"

    def test_a_key_of_a_store_is_taken_as_it_is(self) -> None:
        """It may be any text."""
        store = {"enabled": True, "store": "vault", "remoteKey": "sms: {team} #1"}
        rendered = objects({"credentials": {"externalSecret": store}})
        (source,) = one(rendered, "ExternalSecret")["spec"]["dataFrom"]
        assert source["extract"]["key"] == "sms: {team} #1"
