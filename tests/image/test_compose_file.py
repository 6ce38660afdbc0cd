"""compose.yaml and what it mounts, as texts: nothing in it leads nowhere."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from worker.ledger.postgresql.address import read_address
from worker.settings import settings_table
from worker.simulator.server import API_PATH

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "examples" / "compose"
SERVICES = ("worker", "gateway", "broker", "ledger", "database", "prometheus", "grafana")
# A release of PostgreSQL has two numbers.
_PINNED = re.compile(r"([a-z/]+:v?\d+\.\d+\.\d+|postgres:\d+\.\d+)(-[a-z]+)?")
_OURS = "iton-worker:trial"


def read(path: Path) -> dict[str, Any]:
    """Return a YAML file."""
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


@pytest.fixture
def compose() -> dict[str, Any]:
    """Return the compose file, its anchors resolved."""
    return read(ROOT / "compose.yaml")


@pytest.fixture(params=SERVICES)
def service(compose: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return every service in turn."""
    found: dict[str, Any] = compose["services"][request.param]
    return found


class TestEveryService:
    """Each by itself."""

    def test_these_are_all(self, compose: dict[str, Any]) -> None:
        """None is left out below."""
        assert set(SERVICES) == set(compose["services"])

    def test_its_image_is_pinned(self, service: dict[str, Any]) -> None:
        """A trial is the same trial tomorrow."""
        assert service["image"] == _OURS or _PINNED.fullmatch(service["image"])

    def test_it_tells_when_it_is_healthy(self, service: dict[str, Any]) -> None:
        """`docker compose up --wait` waits for it; no shell is needed to look."""
        assert "CMD" == service["healthcheck"]["test"][0]

    def test_its_ports_are_this_machine_s(self, service: dict[str, Any]) -> None:
        """A broker with a password that everybody knows is for nobody else."""
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))

    def test_what_it_mounts_is_there(self, service: dict[str, Any], compose: dict[str, Any]) -> None:
        """Docker would make a directory of a file that is missing."""
        for mount in service.get("volumes", ()):
            source, _, rest = mount.partition(":")
            if source.startswith("./"):
                assert (ROOT / source).is_file(), source
                assert rest.endswith(":ro")
            else:
                assert source in compose["volumes"]

    def test_what_it_waits_for_is_there(self, service: dict[str, Any], compose: dict[str, Any]) -> None:
        """And says when it is healthy."""
        for other, how in service.get("depends_on", {}).items():
            assert "service_healthy" == how["condition"]
            assert "healthcheck" in compose["services"][other]


class TestTheWorkerOfTheTrial:
    """What its settings and the other services say of each other."""

    @pytest.fixture
    def settings(self, compose: dict[str, Any]) -> dict[str, str]:
        """Return its environment."""
        found: dict[str, str] = compose["services"]["worker"]["environment"]
        return found

    def test_it_has_no_other_settings_than_there_are(self, settings: dict[str, str]) -> None:
        """A setting that was renamed is renamed here."""
        assert set(settings) <= {row.variable for row in settings_table()}

    def test_it_finds_the_broker(self, settings: dict[str, str], compose: dict[str, Any]) -> None:
        """With the user whom the broker makes."""
        url, broker = urlsplit(settings["AMQP_URL"]), compose["services"]["broker"]["environment"]
        user = (broker["RABBITMQ_DEFAULT_USER"], broker["RABBITMQ_DEFAULT_PASS"])
        assert ("broker", 5672, *user) == (url.hostname, url.port, url.username, url.password)

    def test_it_finds_gateway_and_ledger(self, settings: dict[str, str], compose: dict[str, Any]) -> None:
        """The gateway knows its account."""
        assert f"http://gateway:8090{API_PATH}" == settings["ITON_BASE_URL"]
        assert "${TRIAL_LEDGER_URL:-redis://ledger:6379/0}" == settings["LEDGER_URL"]
        gateway = compose["services"]["gateway"]["environment"]
        for name in ("ITON_USERNAME", "ITON_PASSWORD"):
            assert gateway[name] == settings[name]

    def test_the_other_ledger_is_one_that_it_can_use(self, compose: dict[str, Any]) -> None:
        """As the comment of its profile spells it, with the account that the database makes."""
        (url,) = re.findall(r"TRIAL_LEDGER_URL=(postgresql://\S+) ", (ROOT / "compose.yaml").read_text())
        options, made = read_address(url).options, compose["services"]["database"]["environment"]
        account = (made["POSTGRES_USER"], made["POSTGRES_PASSWORD"], made["POSTGRES_DB"])
        assert account == (options["user"], options["password"], options["dbname"])
        assert ("database", ["postgresql"]) == (
            options["host"],
            compose["services"]["database"]["profiles"],
        )

    def test_several_of_it_can_run(self, compose: dict[str, Any]) -> None:
        """`--scale worker=3`: no name and no port that only one can have."""
        assert not {"container_name", "ports", "hostname"} & set(compose["services"]["worker"])

    def test_it_has_the_time_to_drain(self, compose: dict[str, Any]) -> None:
        """Docker waits for longer than the worker does."""
        (drain,) = (row.default for row in settings_table() if row.variable == "WORKER_DRAIN_TIMEOUT")
        grace = compose["services"]["worker"]["stop_grace_period"]
        assert float(drain) < float(grace.removesuffix("s"))


class TestTheEyesOfTheTrial:
    """Prometheus and Grafana look where something is."""

    def test_prometheus_scrapes_every_worker(self) -> None:
        """By the name of the service, at the port of its metrics."""
        jobs = {job["job_name"]: job for job in read(COMPOSE / "prometheus.yaml")["scrape_configs"]}
        (port,) = (row.default for row in settings_table() if row.variable == "HEALTH_PORT")
        (found,) = jobs["iton-worker"]["dns_sd_configs"]
        assert (["worker"], int(port)) == (found["names"], found["port"])

    def test_prometheus_reads_the_rules(self, compose: dict[str, Any]) -> None:
        """They are mounted beside its configuration, by the name that it says."""
        (rules,) = read(COMPOSE / "prometheus.yaml")["rule_files"]
        mounts = compose["services"]["prometheus"]["volumes"]
        assert f"./helm/files/alerts.yaml:/etc/prometheus/{rules}:ro" in mounts

    def test_grafana_asks_prometheus(self) -> None:
        """Its only source of figures, so that the dashboard finds it."""
        (source,) = read(COMPOSE / "grafana" / "datasources.yaml")["datasources"]
        assert ("http://prometheus:9090", True) == (source["url"], source["isDefault"])

    def test_grafana_opens_with_the_dashboard(self, compose: dict[str, Any]) -> None:
        """From the folder that it loads dashboards from."""
        grafana = compose["services"]["grafana"]
        home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
        (provider,) = read(COMPOSE / "grafana" / "dashboards.yaml")["providers"]
        assert str(home.parent) == provider["options"]["path"]
        assert f"./helm/files/dashboard.json:{home}:ro" in grafana["volumes"]
