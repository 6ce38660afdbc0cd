"""What Helm tells people after an installation: the next commands, and what can hurt."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.chart import CHART, template

REDIS = {"type": "redis", "redis": {"url": "redis://redis/0"}}
KEDA = {"enabled": True, "keda": {"existingSecret": "management"}}
CALM: dict[str, Any] = {
    "image": {"repository": "registry.example.com/iton-worker"},
    "replicaCount": 2,
    "iton": {"rateLimit": 100},
    "credentials": {"existingSecret": "iton"},
    "ledger": {"type": "redis"},
}
RISKS: list[tuple[str, dict[str, Any]]] = [
    ("ledger.type memory", {"ledger": {"type": "memory"}}),
    ("one pod", {}),
    ("iton.rateLimit 0 with autoscaling", {"ledger": REDIS, "autoscaling": KEDA}),
    ("replicaCount 9", CALM | {"replicaCount": 9}),
    (
        "ledger.postgresql.url without sslmode=verify-full",
        {"ledger": {"type": "postgresql", "postgresql": {"url": "postgresql://worker@db/iton"}}},
    ),
    ("autoscaling.minReplicas 0", {"ledger": REDIS, "autoscaling": KEDA | {"minReplicas": 0}}),
    (
        "ItonWorkerGone fires while there is no pod",
        {
            "ledger": REDIS,
            "autoscaling": KEDA | {"minReplicas": 0},
            "metrics": {"alerts": {"enabled": True}},
        },
    ),
    (
        "asks for the workers' own metrics",
        {
            "ledger": REDIS,
            "autoscaling": {
                "enabled": True,
                "minReplicas": 0,
                "keda": {
                    "trigger": "prometheus",
                    "prometheus": {
                        "serverAddress": "http://prometheus:9090",
                        "query": 'max(iton_worker_queue_messages{queue="{lane}"})',
                    },
                },
            },
        },
    ),
    (
        "autoscaling.keda.annotations autoscaling.keda.sh/paused-replicas",
        {
            "ledger": REDIS,
            "autoscaling": {
                "enabled": True,
                "keda": {
                    "existingSecret": "management",
                    "annotations": {"autoscaling.keda.sh/paused-replicas": "2"},
                },
            },
        },
    ),
    (
        "credentials in plain text (AMQP_URL, ITON_PASSWORD, ITON_USERNAME)",
        {"credentials": {"amqpUrl": "amqp://u:p@mq/", "itonUsername": "u", "itonPassword": "p"}},
    ),
    (
        "credentials.amqpUrl",
        {"credentials": {"amqpUrl": "amqp://guest:guest@mq/", "itonUsername": "u", "itonPassword": "p"}},
    ),
    (
        "autoscaling.keda.managementUrl in plain text",
        {"ledger": REDIS, "autoscaling": {"enabled": True, "keda": {"managementUrl": "http://u:p@mq/"}}},
    ),
    ("iton.baseUrl without TLS", {"iton": {"baseUrl": "http://sms.iton.in/"}}),
    ("looks like the simulator", {"iton": {"baseUrl": "https://iton-simulator/api/"}}),
    ("networkPolicy.enabled false", {"networkPolicy": {"enabled": False}}),
    ("topology.enabled with broker.declare", {"topology": {"enabled": True, "clusterName": "mq"}}),
    ("replicaCount 3 with iton.rateLimit 0", {"ledger": REDIS, "replicaCount": 3}),
    ("drainTimeout 0 is less than iton.timeout 20", {"drainTimeout": 0}),
    ("drainTimeout 25 is less than iton.timeout 30.5", {"iton": {"timeout": 30.5}}),
    ("podDisruptionBudget.maxUnavailable 0:", {"podDisruptionBudget": {"maxUnavailable": 0}}),
    ("podDisruptionBudget.maxUnavailable 0%:", {"podDisruptionBudget": {"maxUnavailable": "0%"}}),
    (
        "settings.WORKER_LEDGER_RETENTION 3600",
        {"settings": {"WORKER_LEDGER_RETENTION": 3600, "WORKER_RETRY_MAX_AGE": 3000}},
    ),
    ("settings.WORKER_TRACING", {"settings": {"WORKER_TRACING": True}}),
    ("extraEnv https_proxy", {"extraEnv": [{"name": "https_proxy", "value": "http://proxy:3128"}]}),
    (
        "extraEnv HTTPS_PROXY: the worker does not heed it",
        {
            "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
            "networkPolicy": {"extraEgress": [{"ports": [{"port": 3128}]}]},
        },
    ),
    (
        "credentials.from.WORKER_GATEWAY_PROXY: the NetworkPolicy",
        {
            "credentials": CALM["credentials"]
            | {"from": {"WORKER_GATEWAY_PROXY": {"name": "proxy", "key": "url"}}}
        },
    ),
    ("podSecurityContext.runAsUser 0", {"podSecurityContext": {"runAsUser": 0}}),
    ("securityContext.runAsUser 0", {"securityContext": {"runAsUser": 0}}),
    ("readOnlyRootFilesystem false", {"securityContext": {"readOnlyRootFilesystem": False}}),
    ("image.repository iton-worker names no registry", {}),
    ("image.repository sms/iton-worker names no registry", {"image": {"repository": "sms/iton-worker"}}),
    ("podLabels sidecar.istio.io/inject", {"podLabels": {"sidecar.istio.io/inject": "true"}}),
    ("podAnnotations linkerd.io/inject", {"podAnnotations": {"linkerd.io/inject": "enabled"}}),
    ("image.tag latest", {"image": {"tag": "latest"}}),
    ("sidecar.istio.io/inject", {"podAnnotations": {"sidecar.istio.io/inject": "true"}}),
]


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a copy of the chart that renders its notes as an object; else Helm wants a cluster for them."""
    copy = tmp_path_factory.mktemp("notes") / "helm"
    shutil.copytree(CHART, copy)
    notes = (copy / "templates" / "NOTES.txt").read_text()
    (copy / "templates" / "NOTES.txt").unlink()
    define = '{{ define "notes" }}' + notes + "{{ end }}"
    (copy / "templates" / "notes.yaml").write_text(define + '\nnotes: {{ include "notes" . | toJson }}\n')
    return copy


def _notes(chart: Path, values: dict[str, Any]) -> str:
    manifest = template(values, chart=chart)
    (found,) = [one["notes"] for one in yaml.safe_load_all(manifest) if one and "notes" in one]
    return str(found)


class TestNotes:
    """The text after ``helm install``."""

    def test_the_next_commands_are_there(self, chart: Path) -> None:
        """As they are to be typed."""
        notes = _notes(chart, CALM)
        for command in (
            "kubectl -n messaging rollout status deployment/sms-iton-worker",
            "helm -n messaging test sms --logs",
            "curl localhost:8080/readyz",
            "kubectl -n messaging rollout restart deployment/sms-iton-worker",
        ):
            assert command in notes

    def test_the_secret_to_make_is_named(self, chart: Path) -> None:
        """Unless one is given."""
        command = "create secret generic sms-iton-worker-credentials"
        assert command in _notes(chart, {})
        assert command not in _notes(chart, CALM)

    @pytest.mark.parametrize(
        "values",
        [
            {},
            {"image": {"repository": "localhost:5000/iton-worker"}},
            {
                "podLabels": {"sidecar.istio.io/inject": "false"},
                "podAnnotations": {"linkerd.io/inject": "disabled"},
            },
            {"drainTimeout": 20, "settings": {"WORKER_LEDGER_RETENTION": 87000}},
            {
                "settings": {"WORKER_TRACING": True},
                "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
                "networkPolicy": {"extraEgress": [{"ports": [{"port": 3128}, {"port": 4317}]}]},
            },
        ],
    )
    def test_calm_values_are_not_warned_of(self, chart: Path, values: dict[str, Any]) -> None:
        """A warning that always comes is not read."""
        assert "WARNING" not in _notes(chart, CALM | values)

    def test_ports_that_are_only_guessed_are_named(self, chart: Path) -> None:
        """Where the URLs are in a Secret that the chart cannot read; with the values that name others."""
        said = " ".join(_notes(chart, CALM).split())
        assert "5671 and 5672 to the broker (networkPolicy.broker.ports)" in said
        assert "6379 to the Redis (networkPolicy.redis.ports)" in said

    @pytest.mark.parametrize(
        "policy", [{"enabled": False}, {"broker": {"ports": [5673]}, "redis": {"ports": [6380]}}]
    )
    def test_ports_that_are_given_are_not(self, chart: Path, policy: dict[str, Any]) -> None:
        """Nor those of a policy that there is not."""
        assert "usual ports" not in _notes(chart, CALM | {"networkPolicy": policy})

    @pytest.mark.parametrize(("risk", "values"), RISKS, ids=[risk for risk, _ in RISKS])
    def test_a_risky_value_is_warned_of(self, chart: Path, risk: str, values: dict[str, Any]) -> None:
        """By its name, on a line of its own."""
        lines = [line for line in _notes(chart, values).splitlines() if line.startswith("WARNING")]
        assert [line for line in lines if risk in line] != []

    def test_an_alert_that_is_switched_off_is_not_spoken_of(self, chart: Path) -> None:
        """Nor is a pause that is not on."""
        keda = {"existingSecret": "management", "annotations": {"autoscaling.keda.sh/paused": "false"}}
        metrics = {"alerts": {"enabled": True, "rules": {"ItonWorkerGone": {"enabled": False}}}}
        autoscaling = {"enabled": True, "minReplicas": 0, "maxReplicas": 2, "keda": keda}
        notes = _notes(chart, CALM | {"autoscaling": autoscaling, "metrics": metrics})
        assert "ItonWorkerGone" not in notes
        assert "autoscaling.keda.annotations" not in notes

    def test_no_password_is_shown(self, chart: Path) -> None:
        """Neither the account's nor the broker's."""
        secrets = {"amqpUrl": "amqp://u:s3same@mq/", "itonUsername": "konto", "itonPassword": "0pen"}
        notes = json.dumps(_notes(chart, {"credentials": secrets}))
        assert not any(word in notes for word in ("s3same", "konto", "0pen"))
