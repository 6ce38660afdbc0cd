"""The addresses among the values: the wrong ones are refused, and what may be a password is not repeated."""

from typing import Any

import pytest

from tests.support.chart import config, objects, refusal
from worker.ledger.postgresql.address import read_address as read_postgresql_address
from worker.ledger.redis_address import read_address

PLAIN = {"amqpUrl": "amqp://u:p@rabbitmq/", "itonUsername": "u", "itonPassword": "p"}
URLS: list[tuple[str, dict[str, Any]]] = [
    ("iton.baseUrl", {"iton": {"baseUrl": "https://user:secret@sms.iton.in/"}}),
    ("iton.baseUrl", {"iton": {"baseUrl": "sms.iton.in/secret"}}),
    ("credentials.amqpUrl", {"credentials": PLAIN | {"amqpUrl": "worker:secret@rabbitmq:5672"}}),
    ("credentials.ledgerUrl", {"credentials": PLAIN | {"ledgerUrl": "unix://:secret@/redis.sock"}}),
    ("ledger.redis.url", {"ledger": {"redis": {"url": "redis://:secret@redis/0"}}}),
    ("ledger.postgresql.url", {"ledger": {"postgresql": {"url": "postgresql://u:secret@db/iton"}}}),
    ("ledger.postgresql.url", {"ledger": {"postgresql": {"url": "postgresql://db/iton?password=secret"}}}),
    ("ledger.redis.url", {"ledger": {"redis": {"url": "redis://redis/0?password=secret"}}}),
    ("ledger.redis.url", {"ledger": {"redis": {"url": "redis://redis/0?ssl_ca_certs=/a&username=secret"}}}),
    ("autoscaling.keda.managementUrl", {"autoscaling": {"keda": {"managementUrl": "amqp://u:secret@mq/"}}}),
    (
        "autoscaling.keda.prometheus.serverAddress",
        {
            "ledger": {"type": "redis"},
            "autoscaling": {
                "enabled": True,
                "keda": {"trigger": "prometheus", "prometheus": {"serverAddress": "http://u:secret@p:9090"}},
            },
        },
    ),
]


class TestUrls:
    """Addresses, in some of which passwords belong."""

    @pytest.mark.parametrize(("name", "values"), URLS)
    def test_a_wrong_one_is_named_and_not_repeated(self, name: str, values: dict[str, Any]) -> None:
        """What was typed at the wrong place shall not end in a build's log."""
        said = refusal(values)
        assert f"{name}: must be" in said
        assert "secret" not in said


class TestThePostgresql:
    """Its URL among the values, which holds no password."""

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://worker@db/iton",
            "postgresql://worker@one:5432,two:5433/iton?sslmode=verify-full&sslrootcert=/etc/ca/ca.pem",
            "postgresql://[2001:db8::1]:5432/iton",
        ],
    )
    def test_the_worker_reads_it(self, url: str) -> None:
        """As the chart passes it on."""
        ledger = {"type": "postgresql", "postgresql": {"url": url}}
        rendered = config(objects({"ledger": ledger}))
        assert url == rendered["LEDGER_URL"]
        assert read_postgresql_address(url).place

    def test_all_its_hosts_may_be_reached(self) -> None:
        """At the ports that its URL names."""
        url = "postgresql://worker@one:5440,two:5441,three/iton?sslmode=verify-full"
        rendered = objects({"ledger": {"type": "postgresql", "postgresql": {"url": url}}})
        (policy,) = [one for one in rendered if one["kind"] == "NetworkPolicy"]
        ports = [rule["port"] for rule in policy["spec"]["egress"][2]["ports"]]
        assert [5440, 5441, 5432] == ports


class TestTheRedis:
    """Its address without a password."""

    @pytest.mark.parametrize(
        "url",
        [
            "rediss://redis:6380/0?ssl_ca_certs=/etc/ca/ca.pem",
            "rediss://redis?ssl_cert_reqs=none&client_name=sms",
            "redis://[2001:db8::1]:6380/2",
        ],
    )
    def test_what_the_worker_reads_is_accepted(self, url: str) -> None:
        """A CA of one's own among it."""
        rendered = config(objects({"ledger": {"type": "redis", "redis": {"url": url}}}))
        assert rendered["LEDGER_URL"] == url
        assert read_address(url).place
