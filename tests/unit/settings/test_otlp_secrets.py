"""Credentials in OpenTelemetry's variables."""

import pytest

from worker.settings import load_settings
from worker.settings.otlp import otlp_secrets


class TestSecrets:
    """What the exporter sends must not be shown."""

    @pytest.mark.parametrize(
        ("variable", "value", "secret"),
        [
            ("OTEL_EXPORTER_OTLP_HEADERS", "x=1,api-key=abcdef", "abcdef"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key = abcdef ", "abcdef"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20abcdef", "abcdef"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic YWJjZGVm==", "YWJjZGVm=="),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:abcdef@collector:4318", "abcdef"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://me:abcdef@collector/v1/traces", "abcdef"),
        ],
    )
    def test_are_found_where_the_library_reads_them(self, variable: str, value: str, secret: str) -> None:
        """Headers, also their part behind the scheme, and passwords in addresses."""
        assert secret in set(otlp_secrets({variable: value}))

    @pytest.mark.parametrize("value", ["", ",", "=", "no-value", "http://[bad", "http://collector:4318"])
    def test_odd_values_hold_none(self, value: str) -> None:
        """It is the library that complains of them."""
        names = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_ENDPOINT")
        assert [] == otlp_secrets(dict.fromkeys(names, value))

    def test_short_values_are_words_and_no_credentials(self) -> None:
        """A tenant's number is not blotted out of every line."""
        assert [] == otlp_secrets({"OTEL_EXPORTER_OTLP_HEADERS": "X-Scope-OrgID=1"})

    def test_are_among_the_secrets_of_the_settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """So that the logs hide them."""
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=abcdef")
        assert "abcdef" in load_settings(credentials=False, env_file="none").secrets()
