"""The pods: secure by default, replaced without loss, with the credentials where the worker looks."""

import base64
import json
import math
from typing import Any

import pytest

from tests.support.chart import VALUE_SETS, config, objects, one, pod_spec, worker_container

POSTGRESQL = {"type": "postgresql", "postgresql": {"url": "postgresql://worker@db/iton"}}
REDIS = {"type": "redis", "redis": {"url": "redis://redis/0"}}
PLAIN = {"amqpUrl": "amqp://u:p%25@rabbitmq/", "itonUsername": "Ü", "itonPassword": "p:\"'$ä {{ x }}\\"}


class TestSecurity:
    """Restricted by the Pod Security Standards, without a value to set."""

    def test_the_pod_is_restricted(self) -> None:
        """No root, a seccomp profile, no token of Kubernetes, no variables of its services."""
        spec = pod_spec(objects({}))
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)

    def test_the_container_is_restricted(self) -> None:
        """No new privileges, no capability, nothing to write but the mounted places."""
        container = worker_container(objects({}))
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        written = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        assert written == {"/tmp", "/var/lib/iton-worker"}  # noqa: S108 - a volume of the pod's own

    def test_the_test_pod_is_as_restricted(self) -> None:
        """``helm test`` passes in the same namespace."""
        rendered = objects({})
        check, spec = one(rendered, "Pod")["spec"], pod_spec(rendered)
        for field in ("securityContext", "automountServiceAccountToken", "enableServiceLinks"):
            assert check[field] == spec[field]
        assert check["containers"][0]["securityContext"] == worker_container(rendered)["securityContext"]
        assert check["containers"][0]["args"] == ["check"]

    def test_the_test_pod_can_be_read(self) -> None:
        """``helm test --logs`` reads it after its end."""
        annotations = one(objects({}), "Pod")["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "test"
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation"

    def test_a_field_can_be_taken_out(self) -> None:
        """OpenShift draws the user itself."""
        values = {"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}
        assert "runAsUser" not in pod_spec(objects(values))["securityContext"]


class TestLife:
    """From the start to the end of a pod."""

    @pytest.mark.parametrize(("drain", "grace"), [(25, 40), (0, 15), (40.5, 56), (3600, 3615)])
    def test_the_grace_period_covers_the_drain(self, drain: float, grace: int) -> None:
        """Rounded up, with a margin for the goodbyes."""
        rendered = objects({"drainTimeout": drain})
        assert pod_spec(rendered)["terminationGracePeriodSeconds"] == grace
        assert float(config(rendered)["WORKER_DRAIN_TIMEOUT"]) == drain
        assert grace >= math.ceil(drain) + 10

    def test_the_probes_ask_the_health_port(self) -> None:
        """Alive is not ready: only /readyz looks at broker and account."""
        container = worker_container(objects({"health": {"port": 9000}}))
        asked = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
        assert asked == {
            "startup": {"path": "/livez", "port": "health"},
            "liveness": {"path": "/livez", "port": "health"},
            "readiness": {"path": "/readyz", "port": "health"},
        }
        assert container["ports"] == [{"name": "health", "containerPort": 9000, "protocol": "TCP"}]

    @pytest.mark.parametrize("ledger", ["sqlite", "memory"])
    def test_a_ledger_of_one_pod_is_never_two(self, ledger: str) -> None:
        """The old pod ends before the new one starts."""
        spec = one(objects({"ledger": {"type": ledger}}), "Deployment")["spec"]
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})

    def test_a_shared_ledger_lets_pods_overlap(self) -> None:
        """Nothing is missing during an upgrade."""
        spec = one(objects({"ledger": REDIS, "replicaCount": 3}), "Deployment")["spec"]
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        assert (spec["replicas"], spec["strategy"]) == (3, rolling)

    def test_an_autoscaler_alone_counts_the_pods(self) -> None:
        """An upgrade must not set the number back."""
        assert "replicas" not in one(objects(VALUE_SETS["hpa"]), "Deployment")["spec"]

    def test_the_budget_never_stops_a_drain_for_good(self) -> None:
        """One pod may always go, and one that is not ready may go at once."""
        spec = one(objects({}), "PodDisruptionBudget")["spec"]
        assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")

    @pytest.mark.parametrize("change", [{"iton": {"rateLimit": 7}}, {"settings": {"WORKER_PREFETCH": 7}}])
    def test_a_changed_setting_replaces_the_pods(self, change: dict[str, Any]) -> None:
        """The checksum is another."""
        assert _checksums({})["checksum/config"] != _checksums(change)["checksum/config"]

    def test_a_changed_password_replaces_the_pods(self) -> None:
        """The checksum is another, and unchanged values leave it alone."""
        before, same, after = (
            _checksums({"credentials": PLAIN | {"itonPassword": password}})["checksum/credentials"]
            for password in ("a", "a", "b")
        )
        assert before == same != after


def _checksums(values: dict[str, Any]) -> dict[str, str]:
    template = one(objects(values), "Deployment")["spec"]["template"]
    annotations: dict[str, str] = template["metadata"]["annotations"]
    return annotations


class TestVolume:
    """The SQLite ledger's."""

    def test_it_outlives_the_release(self) -> None:
        """It knows what was sent."""
        rendered = objects({"ledger": {"sqlite": {"size": "5Gi", "storageClass": "fast"}}})
        claim = one(rendered, "PersistentVolumeClaim")
        assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
        assert claim["spec"]["storageClassName"] == "fast"
        assert claim["spec"]["resources"] == {"requests": {"storage": "5Gi"}}
        (volume,) = [each for each in pod_spec(rendered)["volumes"] if each["name"] == "ledger"]
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]

    def test_one_of_the_users_own_is_taken(self) -> None:
        """And none is made."""
        rendered = objects({"ledger": {"sqlite": {"existingClaim": "mine"}}})
        assert [each for each in rendered if each["kind"] == "PersistentVolumeClaim"] == []
        (volume,) = [each for each in pod_spec(rendered)["volumes"] if each["name"] == "ledger"]
        assert volume["persistentVolumeClaim"]["claimName"] == "mine"


class TestCredentials:
    """How they reach the worker."""

    def test_plain_ones_are_kept_as_they_are(self) -> None:
        """Every character, and nowhere but in the Secret."""
        rendered = objects({"credentials": PLAIN})
        secret = one(rendered, "Secret")
        kept = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
        assert kept == {
            "AMQP_URL": PLAIN["amqpUrl"],
            "ITON_USERNAME": PLAIN["itonUsername"],
            "ITON_PASSWORD": PLAIN["itonPassword"],
        }
        rest = json.dumps([each for each in rendered if each is not secret], ensure_ascii=False)
        assert not any(value in rest for value in ("p%25", "Ü", "{{ x }}"))

    def test_files_are_where_the_worker_looks(self) -> None:
        """Single variables lie over those of the whole Secret."""
        values = {
            "credentials": {"existingSecret": "iton", "from": {"AMQP_URL": {"name": "mq", "key": "uri"}}}
        }
        rendered = objects(values)
        (volume,) = [each for each in pod_spec(rendered)["volumes"] if each["name"] == "credentials"]
        assert volume["projected"]["sources"] == [
            {"secret": {"name": "iton"}},
            {"secret": {"name": "mq", "items": [{"key": "uri", "path": "AMQP_URL"}]}},
        ]
        container = worker_container(rendered)
        (mount,) = [each for each in container["volumeMounts"] if each["name"] == "credentials"]
        assert mount["mountPath"] == config(rendered)["WORKER_SECRETS_DIR"] == "/etc/iton-worker/secrets"
        assert "env" not in container

    def test_they_leave_room_for_a_cluster_s_own_tokens(self) -> None:
        """/var/run is /run: a token that is injected there cannot be mounted in a read-only volume."""
        path = config(objects({}))["WORKER_SECRETS_DIR"]
        assert not path.startswith(("/run/", "/var/run/"))

    def test_or_they_are_in_the_environment(self) -> None:
        """With nothing mounted, and the chart's own decisions last."""
        container = worker_container(objects(VALUE_SETS["external-secrets"]))
        assert container["env"] == [
            {
                "name": "AMQP_URL",
                "valueFrom": {"secretKeyRef": {"name": "broker-default-user", "key": "connection_string"}},
            }
        ]
        assert container["envFrom"] == [
            {"secretRef": {"name": "sms-iton-worker-credentials"}},
            {"configMapRef": {"name": "sms-iton-worker"}},
        ]
        assert "credentials" not in {mount["name"] for mount in container["volumeMounts"]}

    def test_nothing_given_is_a_secret_made_by_hand(self) -> None:
        """Its name follows from the release's."""
        (volume,) = [each for each in pod_spec(objects({}))["volumes"] if each["name"] == "credentials"]
        assert volume["projected"]["sources"] == [{"secret": {"name": "sms-iton-worker-credentials"}}]


class TestASharedLedger:
    """Pods that must share a Redis never take another ledger for it."""

    @pytest.mark.parametrize(
        ("values", "shared"),
        [
            ({}, "false"),
            ({"ledger": {"type": "memory"}}, "false"),
            ({"ledger": REDIS}, "true"),
            ({"ledger": POSTGRESQL}, "true"),
        ],
    )
    def test_the_worker_is_told(self, values: dict[str, Any], shared: str) -> None:
        """With true it refuses to start with any other."""
        assert config(objects(values))["WORKER_SHARED_LEDGER"] == shared

    def test_its_url_must_be_in_the_secret(self) -> None:
        """A pod waits for a key that is named by itself; that of a Secret mounted whole may be missing."""
        values = {"ledger": {"type": "redis"}, "credentials": {"existingSecret": "iton"}}
        needed = {"secret": {"name": "iton", "items": [{"key": "LEDGER_URL", "path": "LEDGER_URL"}]}}
        rendered = objects(values)
        for spec in (pod_spec(rendered), one(rendered, "Pod")["spec"]):
            (volume,) = [each for each in spec["volumes"] if each["name"] == "credentials"]
            assert volume["projected"]["sources"] == [{"secret": {"name": "iton"}}, needed]

    def test_or_as_a_variable_from_it(self) -> None:
        """The same, with the credentials in the environment."""
        values = {"ledger": {"type": "redis"}, "credentials": {"existingSecret": "iton", "mount": "env"}}
        rendered = objects(values)
        wanted = {
            "name": "LEDGER_URL",
            "valueFrom": {"secretKeyRef": {"name": "iton", "key": "LEDGER_URL"}},
        }
        for container in (worker_container(rendered), one(rendered, "Pod")["spec"]["containers"][0]):
            assert container["env"] == [wanted]
        assert "LEDGER_URL" not in config(rendered)

    @pytest.mark.parametrize(
        "values",
        [
            {"ledger": REDIS},
            {"ledger": {"type": "sqlite"}},
            {
                "ledger": {"type": "redis"},
                "credentials": {
                    "existingSecret": "iton",
                    "from": {"LEDGER_URL": {"name": "r", "key": "url"}},
                },
            },
        ],
        ids=["given", "not wanted", "from another Secret"],
    )
    def test_else_the_secret_needs_no_such_key(self, values: dict[str, Any]) -> None:
        """Where the URL is a value, comes from another Secret, or is none."""
        (volume,) = [each for each in pod_spec(objects(values))["volumes"] if each["name"] == "credentials"]
        whole, *single = volume["projected"]["sources"]
        assert "items" not in whole["secret"]
        assert [each["secret"]["name"] for each in single] in ([], ["r"])
