"""Credentials in the variables of OpenTelemetry, which its library reads by itself."""

from collections.abc import Iterator, Mapping

from worker.settings.urls import password_in

_HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
_ADDRESSES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


_SHORT = 6  # characters; a tenant such as "1" or "eu" must not be blotted out wherever it stands


def otlp_secrets(variables: Mapping[str, str]) -> list[str]:
    """Return the values of the exporter's headers, and the passwords in its addresses, as they are written.

    Of ``Authorization=Bearer KEY`` the key alone as well: programs that quote a header cut it apart.
    """
    return [value for value in _values(variables) if len(value) >= _SHORT]


def _values(variables: Mapping[str, str]) -> Iterator[str]:
    for name in _HEADERS:
        for header in variables.get(name, "").split(","):
            value = header.partition("=")[2].strip()
            yield value
            scheme, _, key = value.replace("%20", " ").partition(" ")
            yield key if scheme else ""
    for name in _ADDRESSES:
        yield password_in(variables.get(name, ""))
