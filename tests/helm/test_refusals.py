"""Values that Helm refuses, with the name of the value and, where the chart decides, the remedy."""

import re
from typing import Any

import pytest

from tests.support.chart import refusal

REDIS = {"type": "redis", "redis": {"url": "redis://redis/0"}}
SECRET = {"existingSecret": "iton"}
PLAIN = {"amqpUrl": "amqp://u:p@rabbitmq/", "itonUsername": "u", "itonPassword": "p"}
KEDA = {"enabled": True, "keda": {"existingSecret": "management"}}

MISSPELT: list[tuple[dict[str, Any], str]] = [
    ({"replicas": 3}, "replicas"),
    ({"iton": {"tmeout": 3}}, "tmeout"),
    ({"image": {"tags": "1"}}, "tags"),
    ({"settings": {"WORKER_PREFETCHH": 3}}, "WORKER_PREFETCHH"),
    ({"credentials": {"existingSecretName": "x"}}, "existingSecretName"),
    ({"credentials": {"from": {"AMQP_URI": {"name": "x", "key": "y"}}}}, "AMQP_URI"),
    ({"autoscaling": {"keda": {"jobsPerPod": {"urgent": 3}}}}, "urgent"),
    ({"ledger": {"sqlite": {"sise": "1Gi"}}}, "sise"),
    ({"networkPolicy": {"gateway": {"cidr": []}}}, "cidr"),
    ({"metrics": {"podMonitor": {"label": {}}}}, "label"),
    ({"probes": {"liveness": {"period": 3}}}, "period"),
    ({"extraEnv": [{"name": "A", "val": "x"}]}, "val"),
    ({"resources": {"request": {"cpu": "1"}}}, "request"),
    ({"securityContext": {"readOnlyRootFileSystem": True}}, "readOnlyRootFileSystem"),
    ({"securityContext": {"capabilities": {"remove": []}}}, "remove"),
    ({"podSecurityContext": {"fsgroup": 1}}, "fsgroup"),
    ({"podSecurityContext": {"seccompProfile": {"typ": "RuntimeDefault"}}}, "typ"),
]
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"replicaCount": "two"}, "replicaCount"),
    ({"replicaCount": 1.5}, "replicaCount"),
    ({"broker": {"declare": "yes"}}, "declare"),
    ({"broker": {"prefix": "amq.iton"}}, "prefix"),
    ({"iton": {"timeout": "20"}}, "timeout"),
    ({"iton": {"timeout": 0}}, "timeout"),
    ({"iton": {"rateLimit": -1}}, "rateLimit"),
    ({"iton": {"allowedParams": "template_id"}}, "allowedParams"),
    ({"settings": {"WORKER_PREFETCH": "200"}}, "WORKER_PREFETCH"),
    ({"settings": {"WORKER_PREFETCH": 0}}, "WORKER_PREFETCH"),
    ({"settings": {"WORKER_GATEWAY_METHOD": "PUT"}}, "WORKER_GATEWAY_METHOD"),
    ({"credentials": {"mount": "vault"}}, "mount"),
    ({"ledger": {"type": "postgres"}}, "type"),
    ({"ledger": {"sqlite": {"accessMode": "ReadWriteMany"}}}, "accessMode"),
    ({"logs": {"level": "trace"}}, "level"),
    ({"health": {"port": 80}}, "port"),
    ({"drainTimeout": "25s"}, "drainTimeout"),
    ({"image": {"digest": "sha256:abc"}}, "digest"),
    ({"autoscaling": {"keda": {"jobsPerPod": {"send": "400"}}}}, "send"),
    ({"podAnnotations": {"a": True}}, "podAnnotations"),
    ({"tolerations": {"key": "x"}}, "tolerations"),
    ({"resources": {"limits": {"mem": "1Gi"}}}, "mem"),
    ({"resources": {"limits": {"memory": "1 GB"}}}, "memory"),
    ({"securityContext": {"runAsUser": "root"}}, "runAsUser"),
]
TOGETHER: list[tuple[str, dict[str, Any], str, str]] = [
    ("two pods on SQLite", {"replicaCount": 2}, "replicaCount: 2", "set ledger.type to postgresql or redis"),
    (
        "two pods with a ledger each in memory",
        {"replicaCount": 2, "ledger": {"type": "memory"}},
        "replicaCount: 2",
        "or replicaCount to 1",
    ),
    (
        "KEDA on SQLite",
        {"autoscaling": KEDA},
        "autoscaling.enabled",
        "set ledger.type to postgresql or redis",
    ),
    (
        "an HPA with a ledger in memory",
        {"autoscaling": {"enabled": True, "type": "hpa"}, "ledger": {"type": "memory"}},
        "autoscaling.enabled",
        "set ledger.type to postgresql or redis",
    ),
    (
        "a Redis that is not named",
        {"credentials": PLAIN, "ledger": {"type": "redis"}},
        "ledger.redis.url",
        "credentials.from.LEDGER_URL",
    ),
    (
        "a Redis that is named twice",
        {"credentials": PLAIN | {"ledgerUrl": "redis://:p@redis/0"}, "ledger": REDIS},
        "ledger.redis.url",
        "take one of them out",
    ),
    (
        "a Redis that is not used",
        {"credentials": PLAIN | {"ledgerUrl": "redis://:p@redis/0"}},
        "ledger.type: is sqlite",
        "set ledger.type to postgresql or redis",
    ),
    (
        "a password beside a Secret",
        {"credentials": SECRET | {"itonPassword": "p"}},
        "ITON_PASSWORD is given in plain text",
        "take it out",
    ),
    (
        "half an account",
        {"credentials": {"amqpUrl": "amqp://u:p@rabbitmq/", "itonUsername": "u"}},
        "credentials: ITON_PASSWORD is missing",
        "credentials.existingSecret",
    ),
    (
        "half of the sources",
        {"credentials": {"from": {"ITON_PASSWORD": {"name": "a", "key": "b"}}}},
        "credentials: AMQP_URL is missing",
        "credentials.from",
    ),
    (
        "an ExternalSecret without a store",
        {"credentials": {"externalSecret": {"enabled": True}}},
        "credentials.externalSecret",
        "name the SecretStore",
    ),
    (
        "a setting at the wrong place",
        {"settings": {"ITON_TIMEOUT": 3}},
        "settings.ITON_TIMEOUT",
        "give it as iton.timeout",
    ),
    (
        "a password among the settings",
        {"settings": {"ITON_PASSWORD": "p"}},
        "settings.ITON_PASSWORD",
        "give it as credentials.itonPassword",
    ),
    (
        "a ledger behind the chart's back",
        {"extraEnv": [{"name": "ledger_url", "value": "memory://"}]},
        "extraEnv: ledger_url",
        "give it as ledger.type",
    ),
    (
        "a ledger that forgets before the last retry",
        {"settings": {"WORKER_LEDGER_RETENTION": 86_999}},
        "settings.WORKER_LEDGER_RETENTION: 86999",
        "set it to at least 87000",
    ),
    (
        "retries for longer than the ledger remembers",
        {"settings": {"WORKER_RETRY_MAX_AGE": 259_000, "WORKER_RETRY_DELAYS": [5, 900]}},
        "settings.WORKER_LEDGER_RETENTION: 259200",
        "set it to at least 259900",
    ),
    (
        "more pods than the rate limit feeds",
        {"iton": {"rateLimit": 120}, "ledger": REDIS, "autoscaling": KEDA},
        "autoscaling.maxReplicas: 4",
        "lower it to 3",
    ),
    (
        "fewest above most",
        {"ledger": REDIS, "autoscaling": KEDA | {"minReplicas": 9}},
        "autoscaling.minReplicas: 9",
        "lower it",
    ),
    (
        "an HPA to zero",
        {"ledger": REDIS, "autoscaling": {"enabled": True, "type": "hpa", "minReplicas": 0}},
        "autoscaling.minReplicas: 0",
        "set it to 1",
    ),
    (
        "KEDA without the management API",
        {"ledger": REDIS, "autoscaling": {"enabled": True}},
        "autoscaling.keda.existingSecret",
        "name a Secret",
    ),
    (
        "two monitors",
        {"metrics": {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}},
        "metrics.serviceMonitor.enabled",
        "choose one of them",
    ),
    (
        "a ServiceMonitor without a Service",
        {"service": {"enabled": False}, "metrics": {"serviceMonitor": {"enabled": True}}},
        "metrics.serviceMonitor.enabled",
        "service.enabled",
    ),
    *(
        (
            f"looks after {looks!r}",
            {"settings": {"WORKER_TRACK_DELAYS": looks}},
            "settings.WORKER_TRACK_DELAYS",
            "1 to 20 whole seconds",
        )
        for looks in ("60, x", [0], "", [86_401])
    ),
    *(
        (
            f"retry delays {delays!r}",
            {"settings": {"WORKER_RETRY_DELAYS": delays}, "topology": {"enabled": True, "clusterName": "mq"}},
            "settings.WORKER_RETRY_DELAYS",
            "rising whole seconds",
        )
        for delays in (
            "60, x",
            [60, 5],
            [],
            "",
            "5,5",
            "0,5",
            "5,86401",
            "05",
            "1.5",
            list(range(1, 12)),
            [[5]],
        )
    ),
    (
        "an update that can replace no pod",
        {"ledger": REDIS, "rollingUpdate": {"maxSurge": "0%", "maxUnavailable": 0}},
        "rollingUpdate",
        "set maxSurge to 1",
    ),
    (
        "an HPA that has nothing to measure by",
        {
            "ledger": REDIS,
            "autoscaling": {"enabled": True, "type": "hpa"},
            "resources": {"requests": {"cpu": None}},
        },
        "resources.requests.cpu",
        "set it to 250m",
    ),
    (
        "a scrape that outlasts its interval",
        {"metrics": {"podMonitor": {"interval": "1m", "scrapeTimeout": "1m30s"}}},
        "metrics.podMonitor.scrapeTimeout: 1m30s",
        "lower it",
    ),
    (
        "the default timeout with a short interval",
        {"metrics": {"serviceMonitor": {"interval": "5000ms"}}},
        "metrics.serviceMonitor.scrapeTimeout: 10s",
        "lower it",
    ),
    (
        "credentials over the scratch space",
        {"credentials": {"mountPath": "/tmp/"}},  # noqa: S108 - a volume of the pod's own
        "credentials.mountPath: /tmp",
        "choose another",
    ),
    (
        "credentials over the ledger",
        {"credentials": {"mountPath": "/var/lib/iton-worker"}},
        "credentials.mountPath",
        "choose another",
    ),
    (
        "a volume over the credentials",
        {"extraVolumeMounts": [{"name": "x", "mountPath": "/etc/iton-worker/secrets"}]},
        "extraVolumeMounts: /etc/iton-worker/secrets",
        "choose another",
    ),
    (
        "two volumes at one place",
        {"extraVolumeMounts": [{"name": "x", "mountPath": "/a"}, {"name": "y", "mountPath": "/a/"}]},
        "extraVolumeMounts: /a is there twice",
        "choose another",
    ),
    (
        "a variable that only looks like a setting",
        {"extraEnv": [{"name": "WORKER_PREFECH", "value": "5"}]},
        "extraEnv: WORKER_PREFECH is no setting",
        "give it under settings",
    ),
    ("a topology without a cluster", {"topology": {"enabled": True}}, "topology", "name one of them"),
]


class TestSchema:
    """What ``values.schema.json`` refuses."""

    @pytest.mark.parametrize(("values", "name"), MISSPELT, ids=[name for _, name in MISSPELT])
    def test_a_misspelt_value_is_named(self, values: dict[str, Any], name: str) -> None:
        """A typo must not leave a default in place."""
        assert re.search(f"additional propert(y|ies) '?{name}'?", refusal(values), re.IGNORECASE)

    @pytest.mark.parametrize(
        ("values", "name"), WRONG, ids=[f"{name}-{n}" for n, (_, name) in enumerate(WRONG)]
    )
    def test_a_wrong_value_is_named(self, values: dict[str, Any], name: str) -> None:
        """Wrong type, out of bounds, or none of the words that exist."""
        said = refusal(values)
        assert "values don't meet the specifications of the schema" in said
        assert name in said


class TestTogether:
    """What the templates refuse: values that do not go together."""

    @pytest.mark.parametrize(
        ("values", "name", "remedy"), [case[1:] for case in TOGETHER], ids=[case[0] for case in TOGETHER]
    )
    def test_the_value_and_the_remedy_are_named(self, values: dict[str, Any], name: str, remedy: str) -> None:
        """In one sentence."""
        said = refusal(values)
        assert name in said
        assert remedy in said
