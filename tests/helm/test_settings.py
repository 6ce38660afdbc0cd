"""The worker's settings, through the chart."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.chart import VALUE_SETS, config, objects
from worker.settings import load_settings, settings_table


class TestSettings:
    """The worker's own settings, through the chart."""

    @pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
    def test_the_worker_accepts_what_is_rendered(
        self, values: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Every set, with credentials as the Secret would give them."""
        given = config(objects(values)) | {"WORKER_SECRETS_DIR": str(tmp_path)}
        secret = {"ITON_USERNAME": "u", "ITON_PASSWORD": "p", "LEDGER_URL": "redis://:p@redis/0"}
        for name, value in (secret | given).items():
            monkeypatch.setenv(name, value)
        settings = load_settings(env_file=tmp_path / "none")
        assert settings.broker.prefix == given["AMQP_PREFIX"]

    def test_the_worker_reads_secrets_as_the_kubelet_mounts_them(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Links to links, which change in one step; a line break at the end does not count."""
        version = tmp_path / "..2026_01_01_00_00_00.1"
        version.mkdir()
        (tmp_path / "..data").symlink_to(version.name)
        secrets = {"AMQP_URL": "amqp://u:p@mq/\n", "ITON_USERNAME": "u\n", "ITON_PASSWORD": "p\n"}
        for name, value in secrets.items():
            (version / name).write_text(value)
            (tmp_path / name).symlink_to(f"..data/{name}")
        for name, value in (config(objects({})) | {"WORKER_SECRETS_DIR": str(tmp_path)}).items():
            monkeypatch.setenv(name, value)
        settings = load_settings(env_file=tmp_path / "none")
        assert settings.broker.url.get_secret_value() == "amqp://u:p@mq/"
        assert settings.gateway.password.get_secret_value() == "p"

    def test_every_setting_of_the_worker_can_be_given(self) -> None:
        """One that the worker gains and the chart refuses fails here."""
        values: dict[str, Any] = {"credentials": {"existingSecret": "iton"}, "settings": _samples()}
        values["iton"] = {"allowedParams": ["template_id"]}
        missing = {row.variable for row in settings_table()} - set(config(objects(values))) - _IN_THE_SECRET
        assert missing == set()

    def test_numbers_are_written_in_full(self) -> None:
        """Helm reads 8388608 as a float and would write 8.388608e+06."""
        written = config(
            objects({"settings": {"WORKER_MAX_BODY_BYTES": 134217728}, "iton": {"timeout": 0.25}})
        )
        assert (written["WORKER_MAX_BODY_BYTES"], written["ITON_TIMEOUT"]) == ("134217728", "0.25")

    def test_lists_and_rules_are_written_as_the_worker_reads_them(self) -> None:
        """With commas, and as JSON."""
        settings = {
            "WORKER_RETRY_DELAYS": [5, 86400],
            "WORKER_GATEWAY_RULES": [{"text": "x", "class": "account"}],
        }
        written = config(objects({"settings": settings}))
        assert written["WORKER_RETRY_DELAYS"] == "5,86400"
        assert json.loads(written["WORKER_GATEWAY_RULES"]) == settings["WORKER_GATEWAY_RULES"]


# Of a Secret the chart knows the name alone; the plain values have a test of their own.
_IN_THE_SECRET = {"AMQP_URL", "ITON_USERNAME", "ITON_PASSWORD", "ITON_API_TOKEN", "WORKER_GATEWAY_PROXY"}
_ELSEWHERE = {
    "AMQP_PREFIX",
    "AMQP_DECLARE",
    "ITON_BASE_URL",
    "ITON_TIMEOUT",
    "ITON_RATE_LIMIT",
    "ITON_ALLOWED_PARAMS",
    "LEDGER_URL",
    "WORKER_SHARED_LEDGER",
    "HEALTH_PORT",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "WORKER_DRAIN_TIMEOUT",
    "WORKER_SECRETS_DIR",
}


def _samples() -> dict[str, Any]:
    """Return each setting without a value of its own, with its default or some word."""
    others = [row for row in settings_table() if row.variable not in _IN_THE_SECRET | _ELSEWHERE]
    return {row.variable: _typed(row.default) for row in others}


def _typed(default: str) -> object:
    try:
        return json.loads(default)
    except ValueError:
        return "x" if default == "unset" else default
