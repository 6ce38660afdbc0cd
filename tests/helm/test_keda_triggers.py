"""How KEDA gets to know of the queues: TLS, an authentication of one's own, a pause, and Prometheus."""

import base64
from typing import Any

import pytest

from tests.support.chart import VALUE_SETS, Object, faults, objects, one, refusal
from worker.domain.messages import Lane

REDIS = {"type": "redis", "redis": {"url": "redis://redis/0"}}
PROMETHEUS = {"trigger": "prometheus", "prometheus": {"serverAddress": "http://prometheus:9090"}}


def _values(**keda: Any) -> dict[str, Any]:  # noqa: ANN401 - any value of the chart
    return {"ledger": REDIS, "autoscaling": {"enabled": True, "keda": keda}}


def _parameters(of: list[Object]) -> dict[str, tuple[str, str]]:
    """The secrets of the chart's TriggerAuthentication: name and key of each, by KEDA's parameter."""
    targets = one(of, "TriggerAuthentication")["spec"]["secretTargetRef"]
    return {each["parameter"]: (each["name"], each["key"]) for each in targets}


def _triggers(of: list[Object]) -> list[Object]:
    found: list[Object] = one(of, "ScaledObject")["spec"]["triggers"]
    return found


class TestTls:
    """Towards a management API with a certificate of the company's own."""

    def test_the_ca_is_taken_from_the_secret_and_tls_switched_on(self) -> None:
        """KEDA reads that switch from a Secret alone, so the chart makes one."""
        rendered = objects(_values(existingSecret="management", tls={"existingSecret": "company"}))
        made = one(rendered, "Secret", "sms-iton-worker-keda")
        assert _parameters(rendered) == {
            "host": ("management", "host"),
            "tls": ("sms-iton-worker-keda", "tls"),
            "ca": ("company", "ca.crt"),
        }
        assert base64.b64decode(made["data"]["tls"]) == b"enable"

    def test_a_clients_certificate_goes_with_its_key(self) -> None:
        """Under the keys that are given; beside a URL among the values, in the same Secret."""
        tls = {"existingSecret": "company", "caKey": "ca", "certKey": "c", "privateKeyKey": "k"}
        rendered = objects(_values(managementUrl="https://u:p@mq/", tls=tls))
        named = _parameters(rendered)
        assert (named["ca"], named["cert"], named["key"]) == (
            ("company", "ca"),
            ("company", "c"),
            ("company", "k"),
        )
        assert set(one(rendered, "Secret", "sms-iton-worker-keda")["data"]) == {"host", "tls"}

    def test_without_it_there_is_nothing_of_it(self) -> None:
        """The usual CAs."""
        rendered = objects(_values(existingSecret="management"))
        assert set(_parameters(rendered)) == {"host"}
        assert [each for each in rendered if each["kind"] == "Secret"] == []


class TestOwnAuthentication:
    """A TriggerAuthentication that somebody else made."""

    def test_every_trigger_names_it_and_the_chart_makes_none(self) -> None:
        """Nor a Secret."""
        rendered = objects(VALUE_SETS["keda-own-authentication"])
        named = [trigger["authenticationRef"] for trigger in _triggers(rendered)]
        assert named == [{"name": "rabbitmq", "kind": "ClusterTriggerAuthentication"}] * len(Lane)
        assert {each["kind"] for each in rendered} & {"TriggerAuthentication", "Secret"} == set()


class TestPause:
    """Annotations of the ScaledObject."""

    def test_they_are_taken_over(self) -> None:
        """KEDA stops at that number of pods."""
        pause = {"autoscaling.keda.sh/paused-replicas": "2"}
        rendered = objects(_values(existingSecret="management", annotations=pause))
        assert one(rendered, "ScaledObject")["metadata"]["annotations"] == pause


class TestPrometheus:
    """The broker's metrics instead of its management API."""

    def test_every_work_queue_has_a_trigger_of_its_own(self) -> None:
        """With the same number of jobs a pod; a lane that the worker gains fails here."""
        triggers = _triggers(objects(_values(**PROMETHEUS)))
        asked = {trigger["metadata"]["query"]: trigger["metadata"]["threshold"] for trigger in triggers}
        of_queue = 'sum(max by (vhost, queue) (rabbitmq_queue_messages{queue="%s"}))'
        assert set(asked) == {of_queue % f"iton.{lane}" for lane in Lane}
        assert (asked[of_queue % "iton.send"], asked[of_queue % "iton.send.urgent"]) == ("1600", "80")
        assert {trigger["metricType"] for trigger in triggers} == {"AverageValue"}

    def test_no_answer_is_no_empty_queue(self) -> None:
        """KEDA would take the pods away while Prometheus does not see the broker."""
        for trigger in _triggers(objects(_values(**PROMETHEUS))):
            assert trigger["metadata"]["ignoreNullValues"] == "false"

    def test_a_query_of_ones_own_gets_queue_and_lane(self) -> None:
        """The workers' own metrics, say."""
        query = 'max(a{queue="{queue}"}) + sum(b{lane="{lane}"})'
        prometheus = PROMETHEUS["prometheus"] | {"query": query}  # type: ignore[operator]  # it is a dict
        rendered = objects(_values(trigger="prometheus", prometheus=prometheus))
        wanted = {f'max(a{{queue="iton.{lane}"}}) + sum(b{{lane="{lane}"}})' for lane in Lane}
        assert {trigger["metadata"]["query"] for trigger in _triggers(rendered)} == wanted

    def test_without_a_log_in_there_is_no_authentication(self) -> None:
        """And no trigger names one."""
        rendered = objects(_values(**PROMETHEUS))
        assert [each for each in rendered if each["kind"] == "TriggerAuthentication"] == []
        assert [trigger for trigger in _triggers(rendered) if "authenticationRef" in trigger] == []

    @pytest.mark.parametrize(
        ("modes", "parameters"),
        [
            ("basic", {"username", "password"}),
            ("bearer", {"bearerToken"}),
            ("custom", {"customAuthHeader", "customAuthValue"}),
            ("tls,basic", {"username", "password", "ca", "cert", "key"}),
        ],
    )
    def test_each_way_to_log_in_takes_its_parameters(self, modes: str, parameters: set[str]) -> None:
        """From the Secret under KEDA's own names."""
        prometheus = {
            "serverAddress": "https://prometheus",
            "authModes": modes,
            "existingSecret": "login",
        }
        tls = {"existingSecret": "company", "certKey": "c", "privateKeyKey": "k"} if "tls" in modes else {}
        rendered = objects(_values(trigger="prometheus", prometheus=prometheus, tls=tls))
        assert set(_parameters(rendered)) == parameters
        assert {trigger["metadata"]["authModes"] for trigger in _triggers(rendered)} == {modes}
        assert [fault for each in rendered for fault in faults(each)] == []


SERVER = {"serverAddress": "http://prometheus:9090"}
REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "a URL beside an authentication that holds it",
        {"authentication": {"existing": "mine"}, "existingSecret": "management"},
        "autoscaling.keda.existingSecret",
        "take it out",
    ),
    (
        "a certificate without its key",
        {"existingSecret": "m", "tls": {"existingSecret": "c", "certKey": "tls.crt"}},
        "certKey and privateKeyKey",
        "give both",
    ),
    (
        "a certificate of no Secret",
        {"existingSecret": "m", "tls": {"certKey": "a", "privateKeyKey": "b"}},
        "autoscaling.keda.tls.existingSecret: is missing",
        "name the Secret",
    ),
    (
        "TLS without TLS",
        {"managementUrl": "http://u:p@mq/", "tls": {"existingSecret": "c"}},
        "autoscaling.keda.tls.existingSecret",
        "make that https",
    ),
    (
        "a Prometheus that is not asked",
        {"existingSecret": "m", "prometheus": SERVER},
        "autoscaling.keda.prometheus",
        "set that to prometheus",
    ),
    (
        "a management API that is not asked",
        {"trigger": "prometheus", "prometheus": SERVER, "existingSecret": "m"},
        "autoscaling.keda.trigger",
        "take existingSecret",
    ),
    (
        "a Prometheus without an address",
        {"trigger": "prometheus"},
        "autoscaling.keda.prometheus.serverAddress",
        "correct it",
    ),
    (
        "one number for all lanes",
        {"trigger": "prometheus", "prometheus": SERVER | {"query": "sum(rabbitmq_queue_messages)"}},
        "autoscaling.keda.prometheus.query",
        "put one of them in",
    ),
    (
        "a log-in without a Secret",
        {"trigger": "prometheus", "prometheus": SERVER | {"authModes": "bearer"}},
        "autoscaling.keda.prometheus.existingSecret: is missing",
        "name the Secret",
    ),
    (
        "a Secret without a way to log in",
        {"trigger": "prometheus", "prometheus": SERVER | {"existingSecret": "login"}},
        "autoscaling.keda.prometheus.authModes",
        "set it to basic",
    ),
    (
        "a certificate that is missing",
        {"trigger": "prometheus", "prometheus": SERVER | {"authModes": "tls"}},
        "autoscaling.keda.tls: authModes tls",
        "name existingSecret",
    ),
    (
        "a CA that KEDA does not read",
        {"trigger": "prometheus", "prometheus": SERVER, "tls": {"existingSecret": "c"}},
        "autoscaling.keda.tls.existingSecret: KEDA reads it only",
        "set autoscaling.keda.prometheus.authModes",
    ),
]


class TestRefusals:
    """Values that do not go together: KEDA would say so in its own log, or go on without."""

    @pytest.mark.parametrize(
        ("keda", "name", "remedy"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
    )
    def test_the_value_and_the_remedy_are_named(self, keda: dict[str, Any], name: str, remedy: str) -> None:
        """In one sentence."""
        said = refusal(_values(**keda))
        assert name in said
        assert remedy in said

    @pytest.mark.parametrize(
        ("keda", "name"),
        [
            ({"trigger": "redis"}, "trigger"),
            ({"tls": {"ca": "x"}}, "ca"),
            ({"authentication": {"name": "x"}}, "name"),
            ({"authentication": {"kind": "Secret"}}, "kind"),
            ({"prometheus": {"authModes": "oauth2"}}, "authModes"),
            ({"annotations": {"autoscaling.keda.sh/paused": True}}, "paused"),
        ],
    )
    def test_the_schema_names_what_is_wrong(self, keda: dict[str, Any], name: str) -> None:
        """Unknown names, and words that do not exist."""
        said = refusal(_values(existingSecret="m", **keda))
        assert "values don't meet the specifications of the schema" in said
        assert name in said


class TestFurtherTriggers:
    """What no queue tells."""

    def test_a_cron_has_pods_there_when_the_hours_begin(self) -> None:
        """Beside the queues' own, as it is given."""
        cron = {
            "type": "cron",
            "metadata": {
                "timezone": "Asia/Kolkata",
                "start": "55 9 * * *",
                "end": "0 12 * * *",
                "desiredReplicas": "6",
            },
        }
        triggers = _triggers(objects(_values(existingSecret="management", extraTriggers=[cron])))
        assert triggers[-1] == cron
        assert len(triggers) == len(Lane) + 1
