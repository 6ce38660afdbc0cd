"""The Messaging Topology Operator's objects against what ``iton-worker topology --json`` prints."""

import json
from typing import Any

import pytest

from tests.support.chart import Object, objects
from worker.cli.app import main

CLUSTER = {"enabled": True, "clusterName": "rabbitmq"}


def _declared(rendered: list[Object]) -> dict[str, list[dict[str, Any]]]:
    """Return the objects in the form of the worker's own listing."""
    specs = {kind: [each["spec"] for each in rendered if each["kind"] == kind] for kind in _KINDS}
    return {
        "exchanges": [
            {
                "name": x["name"],
                "type": x["type"],
                "durable": x["durable"],
                "arguments": x.get("arguments", {}),
            }
            for x in specs["Exchange"]
        ],
        "queues": [
            {"name": q["name"], "durable": q["durable"], "arguments": q["arguments"]} for q in specs["Queue"]
        ],
        "bindings": [
            {"exchange": b["source"], "queue": b["destination"], "routing_key": b["routingKey"]}
            for b in specs["Binding"]
        ],
    }


_KINDS = ("Exchange", "Queue", "Binding")


def _sorted(listing: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {kind: sorted(given, key=json.dumps) for kind, given in listing.items()}


class TestTopologyObjects:
    """What the operator makes is what the worker looks for."""

    @pytest.mark.parametrize(
        ("prefix", "delays"),
        [
            ("iton", None),
            ("sms_Prod:1.x", "3, 45"),
            ("iton", "1,60,86399,86400"),
            ("a-b", "5"),
            ("iton", " 5,30 ,, "),
        ],
    )
    def test_it_is_the_workers_topology(
        self,
        prefix: str,
        delays: str | None,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Every exchange, queue, binding and argument, and no other; for any prefix and delays."""
        monkeypatch.setenv("AMQP_PREFIX", prefix)
        if delays:
            monkeypatch.setenv("WORKER_RETRY_DELAYS", delays)
        assert main(["topology", "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        wanted = {kind: printed[kind] for kind in ("exchanges", "queues", "bindings")}
        for queue in wanted["queues"]:
            del queue["holds"]
        settings = {"WORKER_RETRY_DELAYS": delays} if delays else {}
        values = {"broker": {"prefix": prefix}, "settings": settings, "topology": CLUSTER}
        assert _sorted(_declared(objects(values))) == _sorted(wanted)

    def test_the_looks_have_their_queues(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A delay that occurs twice is one queue; the order is the schedule's."""
        monkeypatch.setenv("WORKER_TRACK_DELAYS", "60, 5,60")
        assert main(["topology", "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        wanted = {kind: printed[kind] for kind in ("exchanges", "queues", "bindings")}
        for queue in wanted["queues"]:
            del queue["holds"]
        values = {"settings": {"WORKER_TRACK_DELAYS": [60, 5, 60]}, "topology": CLUSTER}
        assert _sorted(_declared(objects(values))) == _sorted(wanted)

    @pytest.mark.parametrize("limit", [0, 1])
    def test_there_is_no_ladder_where_nothing_can_be_scheduled(
        self, limit: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """As the worker has it."""
        monkeypatch.setenv("WORKER_SEND_AFTER_LIMIT", str(limit))
        assert main(["topology", "--json"]) == 0
        printed = {queue["name"] for queue in json.loads(capsys.readouterr().out)["queues"]}
        made = objects({"settings": {"WORKER_SEND_AFTER_LIMIT": limit}, "topology": CLUSTER})
        assert printed == {each["spec"]["name"] for each in made if each["kind"] == "Queue"}

    def test_they_outlive_the_release(self) -> None:
        """The operator deletes a queue with its object, and the jobs in it."""
        kept = [
            each for each in objects({"topology": CLUSTER}) if each["apiVersion"].startswith("rabbitmq.com")
        ]
        policies = {each["metadata"]["annotations"]["helm.sh/resource-policy"] for each in kept}
        assert (len(kept) > 30, policies) == (True, {"keep"})

    def test_a_broker_of_ones_own_is_named_by_its_secret(self) -> None:
        """One that the operators do not run."""
        rendered = objects({"topology": {"enabled": True, "connectionSecret": "management", "vhost": "sms"}})
        specs = [each["spec"] for each in rendered if each["kind"] in _KINDS]
        assert [spec["rabbitmqClusterReference"] for spec in specs] == [
            {"connectionSecret": {"name": "management"}}
        ] * len(specs)
        assert {spec["vhost"] for spec in specs} == {"sms"}

    def test_an_argument_is_a_whole_number(self) -> None:
        """1e+06 would be another argument to RabbitMQ, and the worker would not find its queue."""
        queues = [each["spec"] for each in objects({"topology": CLUSTER}) if each["kind"] == "Queue"]
        assert {type(queue["arguments"]["x-delivery-limit"]) for queue in queues} == {int}
        assert {queue["type"] for queue in queues} == {"quorum"}
