"""Each value set of ``helm/ci``: lint, render, and what Kubernetes says to the result."""

from pathlib import Path

import pytest

from tests.support.chart import CHART, VALUE_SETS, faults, objects, run_helm

SETS = pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)


class TestValueSets:
    """What people install."""

    def test_they_are_the_usual_ways_to_run_it(self) -> None:
        """A set that is taken away is missed here."""
        assert {
            "minimal",
            "production",
            "keda",
            "keda-prometheus",
            "keda-own-authentication",
            "hpa",
            "external-secrets",
            "everything",
            "existing-redis",
            "postgresql",
            "no-network-policy",
            "topology-operator",
            "trial",
        } == set(VALUE_SETS)

    @SETS
    def test_lint_has_nothing_to_say(self, values: Path) -> None:
        """Also as a warning."""
        done = run_helm("lint", "--strict", CHART, "--values", values)
        assert done.returncode == 0, done.stdout
        assert "[WARNING]" not in done.stdout

    @SETS
    def test_kubernetes_accepts_every_object(self, values: Path) -> None:
        """1.29, 1.32 and 1.35 without an unknown field; custom resources by the fields that are used."""
        rendered = objects(values)
        assert {
            f"{one['kind']} {one['metadata']['name']}": faulty
            for one in rendered
            if (faulty := list(faults(one)))
        } == {}

    @SETS
    def test_no_object_is_there_twice(self, values: Path) -> None:
        """Helm would let the second replace the first."""
        names = [(one["kind"], one["metadata"]["name"]) for one in objects(values)]
        assert sorted(set(names)) == sorted(names)

    @SETS
    def test_all_objects_carry_the_release(self, values: Path) -> None:
        """So that people find them."""
        labels = [one["metadata"]["labels"] for one in objects(values)]
        assert {label["app.kubernetes.io/instance"] for label in labels} == {"sms"}
        assert {label["app.kubernetes.io/managed-by"] for label in labels} == {"Helm"}


class TestTheCheckItself:
    """What would be accepted blindly proves nothing."""

    def test_an_unknown_field_is_a_fault(self) -> None:
        """In a built-in kind and in a custom one."""
        rendered = objects(VALUE_SETS["keda"])
        for kind, version in (("Deployment", "1.29"), ("ScaledObject", "$.spec")):
            (found,) = [one for one in rendered if one["kind"] == kind]
            found["spec"]["replicaz"] = 3
            assert any(version in fault and "replicaz" in fault for fault in faults(found))

    def test_the_defaults_can_be_installed(self) -> None:
        """``helm install iton-worker ./helm``, with the Secret made by hand."""
        rendered = objects({}, release="iton-worker")
        assert [fault for one in rendered for fault in faults(one)] == []
        assert {one["metadata"]["name"] for one in rendered if one["kind"] == "Deployment"} == {"iton-worker"}
