"""What pods may reach, what may reach them, and who looks at them."""

from typing import Any

import pytest

from tests.support.chart import VALUE_SETS, Object, objects, one, pod_spec

POSTGRESQL = {"type": "postgresql", "postgresql": {"url": "postgresql://worker@db/iton?sslmode=verify-full"}}
REDIS = {"type": "redis", "redis": {"url": "redis://redis:6380/0"}}


def _ports(rules: list[Object]) -> list[list[int]]:
    return [[port["port"] for port in rule["ports"]] for rule in rules]


class TestNetworkPolicy:
    """Everything else is closed."""

    def test_in_comes_who_asks_the_health_port(self) -> None:
        """By its number, for not every network plugin knows ports by their names."""
        rendered = objects({"health": {"port": 9000}})
        assert _ports(one(rendered, "NetworkPolicy")["spec"]["ingress"]) == [[9000]]

    def test_out_goes_what_the_worker_needs(self) -> None:
        """Names, broker, gateway; without a Redis ledger no Redis."""
        spec = one(objects({}), "NetworkPolicy")["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert _ports(spec["egress"]) == [[53, 53], [5671, 5672], [443]]

    @pytest.mark.parametrize(
        ("values", "redis", "gateway"),
        [
            ({"ledger": REDIS}, 6380, 443),
            ({"ledger": {"type": "redis", "redis": {"url": "rediss://redis"}}}, 6379, 443),
            ({"ledger": POSTGRESQL}, 5432, 443),
            ({"ledger": POSTGRESQL, "networkPolicy": {"postgresql": {"ports": [6432]}}}, 6432, 443),
            ({"ledger": REDIS, "iton": {"baseUrl": "http://simulator/x/"}}, 6380, 80),
            ({"ledger": REDIS, "iton": {"baseUrl": "https://[2001:db8::1]:8443/x/"}}, 6380, 8443),
            ({"ledger": REDIS, "settings": {"ITON_WEB_API_URL": "https://api.iton.in/v1/"}}, 6380, 443),
            (
                {"ledger": REDIS, "networkPolicy": {"redis": {"ports": [1]}, "gateway": {"ports": [2]}}},
                1,
                2,
            ),
        ],
    )
    def test_ports_follow_the_addresses(self, values: dict[str, Any], redis: int, gateway: int) -> None:
        """Unless they are given."""
        egress = one(objects(values), "NetworkPolicy")["spec"]["egress"]
        assert _ports(egress)[2:] == [[redis], [gateway]]

    def test_the_web_api_has_its_port_too(self) -> None:
        """Where the settings name its address."""
        values = {"ledger": REDIS, "settings": {"ITON_WEB_API_URL": "https://api.iton.in:8443/v1/"}}
        egress = one(objects(values), "NetworkPolicy")["spec"]["egress"]
        assert _ports(egress)[2:] == [[6380], [443, 8443]]

    @pytest.mark.parametrize(
        ("amqp", "ledger", "opened"),
        [
            ("amqp://u:p%40@mq:5673/sms", "rediss://:p%2Fq@redis:6390/0", [[5673], [6390]]),
            ("amqps://u:1@[2001:db8::1]:5674", "redis://:2@redis", [[5674], [6379]]),
            ("amqps://u:p:5@mq/?x=:9", "redis://:p@redis/0", [[5671, 5672], [6379]]),
        ],
    )
    def test_ports_follow_the_urls_among_the_credentials(
        self, amqp: str, ledger: str, opened: list[list[int]]
    ) -> None:
        """What stands in a password, a path or a query is no port."""
        plain = {"amqpUrl": amqp, "ledgerUrl": ledger, "itonUsername": "u", "itonPassword": "p"}
        rendered = objects({"ledger": {"type": "redis"}, "credentials": plain})
        assert _ports(one(rendered, "NetworkPolicy")["spec"]["egress"])[1:3] == opened

    def test_peers_are_taken_over(self) -> None:
        """For metrics and for the broker."""
        spec = one(objects(VALUE_SETS["production"]), "NetworkPolicy")["spec"]
        assert _labels(spec["ingress"][0]["from"]) == {"kubernetes.io/metadata.name": "monitoring"}
        assert _labels(spec["egress"][1]["to"]) == {"kubernetes.io/metadata.name": "rabbitmq"}

    def test_it_holds_for_the_test_pod_as_well(self) -> None:
        """Its labels are chosen; those of Service and budget are not."""
        rendered = objects({})
        check = one(rendered, "Pod")["metadata"]["labels"].items()
        assert one(rendered, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= check
        for kind in ("Service", "PodDisruptionBudget"):
            selector = one(rendered, kind)["spec"]["selector"]
            assert not selector.get("matchLabels", selector).items() <= check


def _labels(peers: list[Object]) -> dict[str, str]:
    (peer,) = peers
    labels: dict[str, str] = peer["namespaceSelector"]["matchLabels"]
    return labels


class TestSelectors:
    """Everything that chooses pods chooses the workers."""

    @pytest.mark.parametrize("name", ["everything", "production"])
    def test_they_fit_the_pods(self, name: str) -> None:
        """With all labels that users add."""
        rendered = objects(VALUE_SETS[name])
        pod = one(rendered, "Deployment")["spec"]["template"]["metadata"]["labels"].items()
        chosen = [
            selector.get("matchLabels", selector)
            for each in rendered
            if each["kind"] not in {"Deployment", "NetworkPolicy"}
            and (selector := each.get("spec", {}).get("selector"))
        ]
        assert len(chosen) >= 3
        assert all(labels.items() <= pod for labels in chosen)

    def test_a_service_monitor_finds_the_service(self) -> None:
        """By labels that the Service itself carries."""
        rendered = objects(VALUE_SETS["everything"])
        wanted = one(rendered, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
        service = one(rendered, "Service")
        assert wanted <= service["metadata"]["labels"].items()
        assert [port["name"] for port in service["spec"]["ports"]] == ["health"]


class TestSpread:
    """Over zones and nodes."""

    def test_the_pods_of_a_revision_are_spread(self) -> None:
        """As far as the cluster allows."""
        constraints = pod_spec(objects({}))["topologySpreadConstraints"]
        assert [each["topologyKey"] for each in constraints] == [
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        ]
        assert {each["whenUnsatisfiable"] for each in constraints} == {"ScheduleAnyway"}
        assert {tuple(each["matchLabelKeys"]) for each in constraints} == {("pod-template-hash",)}
