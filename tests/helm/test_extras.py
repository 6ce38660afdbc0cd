"""What users add: annotations of the Deployment, and objects of their own."""

import pytest

from tests.support.chart import objects, one, refusal


class TestDeploymentAnnotations:
    """Of the Deployment, not of its pods."""

    def test_they_are_taken_over(self) -> None:
        """Pods do not get them: a change of them restarts nobody."""
        rendered = objects({"deploymentAnnotations": {"example.com/owner": "sms"}})
        deployment = one(rendered, "Deployment")
        assert deployment["metadata"]["annotations"] == {"example.com/owner": "sms"}
        assert "example.com/owner" not in deployment["spec"]["template"]["metadata"]["annotations"]

    def test_by_default_there_are_none(self) -> None:
        """No empty map either."""
        assert "annotations" not in one(objects({}), "Deployment")["metadata"]

    def test_one_that_is_no_text_is_refused(self) -> None:
        """As Kubernetes does."""
        assert "deploymentAnnotations" in refusal({"deploymentAnnotations": {"a": 1}})


class TestExtraObjects:
    """Manifests that go with the release."""

    @pytest.mark.parametrize(
        "given",
        [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "{{ .Release.Name }}-x"},
                "stringData": {"port": "{{ .Values.health.port }}"},
            },
            (
                "{apiVersion: v1, kind: Secret, metadata: {name: '{{ .Release.Name }}-x'},"
                " stringData: {port: '{{ .Values.health.port }}'}}"
            ),
        ],
        ids=["a map", "text"],
    )
    def test_templates_in_them_are_rendered(self, given: object) -> None:
        """As the chart's own are."""
        secret = one(objects({"extraObjects": [given]}), "Secret", "sms-x")
        assert secret["stringData"] == {"port": "8080"}

    def test_what_is_no_object_is_refused(self) -> None:
        """A number, say."""
        assert "extraObjects" in refusal({"extraObjects": [7]})
