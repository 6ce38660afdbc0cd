"""Settings from the environment, ``.env`` and mounted secret files, or one line that says what is wrong."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TypeVar, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError as SourceError

from worker.domain.hours import Hours
from worker.domain.plain_words import in_words
from worker.settings.dotenv import read_dotenv
from worker.settings.errors import SettingsError
from worker.settings.gateway import GatewaySettings
from worker.settings.otlp import otlp_secrets
from worker.settings.section import Section, trimmed
from worker.settings.sections import (
    SECTIONS,
    BrokerSettings,
    CreditSettings,
    LedgerSettings,
    ProcessSettings,
    RetrySettings,
    SendingSettings,
    TrackSettings,
)
from worker.settings.spelling import RETIRED, is_service_link, misspelt
from worker.settings.table import settings_table
from worker.settings.urls import password_in
from worker.settings.web_api import WebApiSettings

_CLOCKS_PUT_BACK = 7_200  # seconds, at the most
_DEFAULT_SECRETS_DIR = "/run/secrets"
_S = TypeVar("_S", bound=Section)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, each checked."""

    broker: BrokerSettings
    gateway: GatewaySettings
    ledger: LedgerSettings
    sending: SendingSettings
    retry: RetrySettings
    track: TrackSettings
    credits: CreditSettings
    web_api: WebApiSettings
    process: ProcessSettings

    def secrets(self) -> tuple[str, ...]:
        """Return what no output may hold: the account's password and token, the passwords of the URLs.

        And what OpenTelemetry's exporter sends as headers, which are a collector's credentials.
        """
        given = (self.gateway.password, self.gateway.api_token)
        plain = [secret.get_secret_value() for secret in given if secret]
        addresses = (self.broker.url, self.ledger.url, self.gateway.proxy)
        urls = [password_in(url.get_secret_value()) for url in addresses if url]
        return tuple(filter(None, [*plain, *urls, *otlp_secrets(os.environ)]))

    def names(self) -> tuple[str, ...]:
        """Return what no output may hold as a word of its own: the account's user name."""
        return tuple(filter(None, [self.gateway.username.get_secret_value()]))


def load_settings(*, credentials: bool = True, env_file: str | Path = ".env") -> Settings:
    """Read all settings. The environment wins over *env_file*, that over the secret files.

    Args:
        credentials: whether ITON_USERNAME and ITON_PASSWORD must be there.
        env_file: may be missing.

    Raises:
        SettingsError: at least one variable is missing, wrong or misspelt.
    """
    dotenv = read_dotenv(Path(env_file))
    secrets_dir = _secrets_dir(dotenv)
    trouble = _spelling_trouble({**_secret_names(secrets_dir), **dotenv, **os.environ})
    sections: dict[type[Section], Section] = {}
    for section in SECTIONS:
        try:
            sections[section] = _read(section, Path(env_file), secrets_dir)
        except ValidationError as error:
            trouble.update(_lines(error, trouble))
    gateway = sections.get(GatewaySettings)
    if credentials and isinstance(gateway, GatewaySettings):
        trouble.update(_missing_credentials(gateway, trouble))
        trouble.update(_missing_token(gateway, sections.get(WebApiSettings), trouble))
    trouble = trouble or _retention_trouble(sections)
    if trouble:
        raise SettingsError(_one_line(trouble))
    return _assemble(sections)


def _retention_trouble(sections: Mapping[type[Section], Section]) -> dict[str, str]:
    """The ledger must know a job for as long as it may be on its way between two looks at its entry."""
    ledger, retry, sending = sections[LedgerSettings], sections[RetrySettings], sections[SendingSettings]
    if not (
        isinstance(ledger, LedgerSettings)
        and isinstance(retry, RetrySettings)
        and isinstance(sending, SendingSettings)
    ):
        return {}
    least = ceil(retry.max_age + max(retry.delays))
    if ledger.retention >= least:
        return _held_trouble(ledger, sending, least)
    return {
        "WORKER_LEDGER_RETENTION": f"is too short: a job that is still retried would be forgotten and sent "
        f"again; set it to at least {least} (WORKER_RETRY_MAX_AGE and the longest of WORKER_RETRY_DELAYS), "
        f"or shorten these"
    }


def _held_trouble(ledger: LedgerSettings, sending: SendingSettings, least: int) -> dict[str, str]:
    """And for as long as it may wait for the hours to begin, on the day on which clocks are put back too."""
    if not sending.promotional_hours:
        return {}
    closed = Hours.of(sending.promotional_hours, sending.hours_timezone).longest_closed
    least += ceil(closed) + _CLOCKS_PUT_BACK
    if ledger.retention >= least:
        return {}
    return {
        "WORKER_LEDGER_RETENTION": f"is too short: a job that waits for WORKER_PROMOTIONAL_HOURS could be "
        f"forgotten and sent again; set it to at least {least}, or shorten WORKER_RETRY_MAX_AGE"
    }


def _assemble(sections: Mapping[type[Section], Section]) -> Settings:
    def get(section: type[_S]) -> _S:
        return cast("_S", sections[section])

    return Settings(
        broker=get(BrokerSettings),
        gateway=get(GatewaySettings),
        ledger=get(LedgerSettings),
        sending=get(SendingSettings),
        retry=get(RetrySettings),
        track=get(TrackSettings),
        credits=get(CreditSettings),
        web_api=get(WebApiSettings),
        process=get(ProcessSettings),
    )


def _read(section: type[Section], env_file: Path, secrets_dir: Path | None) -> Section:
    """Build one section; what the sources only warn of is an error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return section(_env_file=env_file, _secrets_dir=secrets_dir)
        except (UserWarning, SourceError):
            raise SettingsError(
                f"WORKER_SECRETS_DIR: a file in {secrets_dir} cannot be read; "
                "make each a plain UTF-8 text file inside that directory that this user may read"
            ) from None


def _secrets_dir(dotenv: Mapping[str, str]) -> Path | None:
    """Find the directory of secret files; None where there is none."""
    given = {name.upper(): value for name, value in {**dotenv, **os.environ}.items()}
    named = trimmed("WORKER_SECRETS_DIR", given.get("WORKER_SECRETS_DIR", ""))
    directory = Path(named or _DEFAULT_SECRETS_DIR)
    try:
        return directory if directory.is_dir() else None
    except OSError:  # a directory above it is not this user's, say
        raise _unlisted(directory) from None


def _secret_names(directory: Path | None) -> dict[str, str]:
    """Name the secret files, without reading them."""
    try:
        return {path.name: "" for path in directory.iterdir()} if directory else {}
    except OSError:
        raise _unlisted(directory) from None


def _unlisted(directory: Path | None) -> SettingsError:
    return SettingsError(
        f"WORKER_SECRETS_DIR: {directory} cannot be listed; let this user read it, or name another"
    )


def _spelling_trouble(variables: Mapping[str, str]) -> dict[str, str]:
    """Describe each misspelt variable, by its name as given."""
    known = [row.variable for row in settings_table()]
    found = misspelt(variables, known)
    return {name: _spelling_line(name, meant) for name, meant in found.items()}


def _spelling_line(name: str, meant: str | None) -> str:
    if line := RETIRED.get(name.upper()):
        return line
    if meant:
        return f"is no setting of the worker; did you mean {meant}?"
    return "is no setting of the worker; take it out, or find the right name in the README's table"


def _missing_credentials(gateway: GatewaySettings, trouble: Mapping[str, str]) -> dict[str, str]:
    """Describe absent credentials, unless a misspelt variable explains the absence."""
    given = {"ITON_USERNAME": gateway.username, "ITON_PASSWORD": gateway.password}
    remedy = "is not set; set it to the ITON account's, in the environment, .env or a secret file"
    return {
        name: remedy
        for name, secret in given.items()
        if not secret.get_secret_value().strip() and not any(name in line for line in trouble.values())
    }


def _missing_token(
    gateway: GatewaySettings, web_api: Section | None, trouble: Mapping[str, str]
) -> dict[str, str]:
    """The Web API serves nobody without a token."""
    wanted = isinstance(web_api, WebApiSettings) and web_api.url is not None
    if not wanted or gateway.api_token or any("ITON_API_TOKEN" in line for line in trouble.values()):
        return {}
    remedy = "is not set, and ITON_WEB_API_URL needs it; set it, or take ITON_WEB_API_URL out"
    return {"ITON_API_TOKEN": remedy}


def _lines(error: ValidationError, trouble: Mapping[str, str]) -> dict[str, str]:
    """Describe each fault by its variable."""
    lines: dict[str, str] = {}
    # With what was given, which is only compared with the words that it may be, never quoted.
    for fault in error.errors(include_url=False):
        variable, line = _line(fault)
        if variable not in trouble:
            lines.setdefault(variable, line)
    return lines


def _line(fault: ErrorDetails) -> tuple[str, str]:
    cause = fault.get("ctx", {}).get("error")
    if not fault["loc"]:  # a rule over two variables; its text starts with the one to change
        variable, _, line = str(cause).partition(" ")
        return variable, line
    variable = str(fault["loc"][0]).upper()
    if cause is not None:
        return variable, str(cause)
    if is_service_link(variable, os.environ.get(variable, "")):
        return variable, (
            "was set by Kubernetes for a service of that name; set enableServiceLinks: false in the pod, "
            "or rename the service"
        )
    row = next(row for row in settings_table() if row.variable == variable)
    return variable, f"{in_words(fault)}; wanted: {row.meaning} (default {row.default})"


def _one_line(trouble: Mapping[str, str]) -> str:
    (first, line), *others = trouble.items()
    more = f" (and {len(others)} more: {', '.join(name for name, _ in others)})" if others else ""
    return f"{first} {line}{more}"
