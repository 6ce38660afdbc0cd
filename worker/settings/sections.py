"""The settings, a frozen section a subject. Each field carries its variable, bounds, unit and reason.

The descriptions start with the unit where there is one; the README's table is made of them.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from worker.domain.limits import DEFAULT_DELAYS, DEFAULT_TRACK_DELAYS
from worker.settings import checks
from worker.settings.gateway import GatewaySettings
from worker.settings.section import Prefetch, Region, Seconds, Section
from worker.settings.urls import scheme_of
from worker.settings.web_api import WebApiSettings


class BrokerSettings(Section):
    """The broker and what is taken from it at once."""

    url: Annotated[SecretStr, AfterValidator(checks.broker_url)] = Field(
        SecretStr("amqp://guest:guest@localhost:5672/"),
        validation_alias="AMQP_URL",
        description="URL of the broker; amqps:// for TLS. A password in it is percent-encoded",
    )
    prefix: Annotated[str, AfterValidator(checks.prefix)] = Field(
        "iton", validation_alias="AMQP_PREFIX", description="start of the name of every exchange and queue"
    )
    declare: bool = Field(
        default=True,
        validation_alias="AMQP_DECLARE",
        description="true: declare the topology at start; false: only check that it is there",
    )
    prefetch: Prefetch = Field(
        1_000,  # keep a core busy at a gateway that takes a quarter of a second a call
        validation_alias="WORKER_PREFETCH",
        description="messages; in hand from each queue of bulk work at the most",
    )
    urgent_prefetch: Prefetch = Field(
        50, validation_alias="WORKER_URGENT_PREFETCH", description="messages; the same for each urgent queue"
    )
    max_body_bytes: int = Field(
        8_388_608,
        ge=1_024,
        le=134_217_728,
        validation_alias="WORKER_MAX_BODY_BYTES",
        description="bytes; a longer job is rejected before it is parsed",
    )
    publish_timeout: Seconds = Field(
        15,
        le=300,
        validation_alias="WORKER_PUBLISH_TIMEOUT",
        description="seconds; a confirm that takes longer counts as lost and the job is not acknowledged",
    )


class SendingSettings(Section):
    """What a send job may ask for."""

    default_region: Annotated[Region, BeforeValidator(checks.upper)] = Field(
        "IN",
        validation_alias="WORKER_DEFAULT_REGION",
        description="region code; of numbers that are written without a country code",
    )
    allowed_regions: Annotated[
        tuple[Region, ...], NoDecode, BeforeValidator(checks.split_list), BeforeValidator(checks.upper)
    ] = Field(
        ("IN",),
        min_length=1,
        validation_alias="WORKER_ALLOWED_REGIONS",
        description="comma list of region codes; a number of any other region is invalid",
    )
    default_sender: Annotated[str | None, AfterValidator(checks.sender)] = Field(
        None,
        min_length=1,
        max_length=20,
        validation_alias="WORKER_DEFAULT_SENDER",
        description="sender ID of jobs that name none; none: the parameter is left out",
    )
    max_segments: int = Field(
        10,
        ge=1,
        le=255,
        validation_alias="WORKER_MAX_SEGMENTS",
        description="segments; a job with a longer text is rejected",
    )
    share_above: int = Field(
        1_000,
        ge=100,
        le=10_000,
        validation_alias="WORKER_SHARE_ABOVE",
        description="recipients; the calls of a larger job are spread over all workers",
    )

    promotional_hours: Annotated[
        tuple[str, ...] | None, NoDecode, BeforeValidator(checks.split_list), AfterValidator(checks.hours)
    ] = Field(
        None,
        validation_alias="WORKER_PROMOTIONAL_HOURS",
        description="HH:MM-HH:MM, a comma between two; when promotional and service_explicit texts may go "
        "out, 10:00-21:00 in India. Unset: at any hour",
    )
    hours_timezone: Annotated[str, AfterValidator(checks.time_zone)] = Field(
        "Asia/Kolkata",
        validation_alias="WORKER_HOURS_TIMEZONE",
        description="time zone of WORKER_PROMOTIONAL_HOURS",
    )
    send_after_limit: int = Field(
        604_800,
        ge=0,
        le=31_536_000,
        validation_alias="WORKER_SEND_AFTER_LIMIT",
        description="seconds; a job with a later send_after is rejected. 0: none can be scheduled, and the "
        "queues for that are not made",
    )

    @model_validator(mode="after")
    def _allow_the_default(self) -> Self:
        if self.default_region not in self.allowed_regions:
            raise ValueError(
                "WORKER_DEFAULT_REGION must be one of WORKER_ALLOWED_REGIONS, or plain numbers are invalid; "
                "add it there"
            )
        return self


class LedgerSettings(Section):
    """Where the worker remembers what was sent."""

    url: Annotated[SecretStr, AfterValidator(checks.ledger_url)] = Field(
        SecretStr("sqlite:///iton-ledger.db"),
        validation_alias="LEDGER_URL",
        description="sqlite:///PATH for one machine; for a fleet postgresql://HOST/DB, or "
        "redis://HOST:PORT/DB (a failover may lose its last writes); memory:// for trials",
    )
    retention: int = Field(
        259_200,
        ge=3_600,
        le=31_536_000,
        validation_alias="WORKER_LEDGER_RETENTION",
        description="seconds; how long a job_id is known after its last step. Longer than any redelivery",
    )
    shared: bool = Field(
        default=False,
        validation_alias="WORKER_SHARED_LEDGER",
        description="true: refuse to start with a ledger that other pods cannot use: anything but a "
        "PostgreSQL or a Redis",
    )

    @property
    def kind(self) -> str:
        """What kind of store it is and who can share it, for people; nothing of its URL."""
        return checks.LEDGER_KINDS[scheme_of(self.url.get_secret_value())]

    @model_validator(mode="after")
    def _refuse_one_that_pods_cannot_share(self) -> Self:
        if self.shared and scheme_of(self.url.get_secret_value()) not in checks.SHARED_LEDGERS:
            raise ValueError(
                f"LEDGER_URL means {self.kind}, but WORKER_SHARED_LEDGER is true: with a ledger for each pod "
                "texts go out twice; set LEDGER_URL to redis://HOST:PORT/DB or postgresql://HOST/DB (in "
                "Kubernetes a key of the credentials' Secret), or WORKER_SHARED_LEDGER to false"
            )
        return self


class RetrySettings(Section):
    """What happens when a call failed and may be made again."""

    attempts: int = Field(
        8,  # More than WORKER_BREAKER_FAILURES: an outage opens the circuit before it costs a round.
        ge=1,
        le=20,
        validation_alias="WORKER_RETRY_ATTEMPTS",
        description="calls in a row, seconds apart, before the job goes to a delay queue",
    )
    delays: Annotated[
        tuple[int, ...], NoDecode, BeforeValidator(checks.split_list), AfterValidator(checks.delays)
    ] = Field(
        DEFAULT_DELAYS,
        validation_alias="WORKER_RETRY_DELAYS",
        description="comma list of rising seconds; a delay queue each, then the dead-letter queue",
    )
    max_age: int = Field(
        86_400,
        ge=1,
        le=2_592_000,
        validation_alias="WORKER_RETRY_MAX_AGE",
        description="seconds; a job that was retried for longer is dead-lettered",
    )
    resend_attempts: int = Field(
        3,
        ge=1,
        le=20,
        validation_alias="WORKER_RESEND_ATTEMPTS",
        description='calls; for jobs with on_uncertain "resend" whose reply was lost',
    )
    breaker_failures: int = Field(
        5,
        ge=1,
        le=1_000,
        validation_alias="WORKER_BREAKER_FAILURES",
        description="failures in a row after which a command is no longer called",
    )
    breaker_cooldown: Seconds = Field(
        5,
        le=60,
        validation_alias="WORKER_BREAKER_COOLDOWN",
        description="seconds; then one call tries whether the command works again",
    )


class TrackSettings(Section):
    """How the messages of jobs with ``track`` are followed to their end."""

    delays: Annotated[
        tuple[int, ...], NoDecode, BeforeValidator(checks.split_list), AfterValidator(checks.track_delays)
    ] = Field(
        DEFAULT_TRACK_DELAYS,
        validation_alias="WORKER_TRACK_DELAYS",
        description="comma list of seconds between looks at tracked messages, a delay queue each; the last "
        "one repeats",
    )
    limit: int = Field(
        172_800,
        ge=1,
        le=2_592_000,
        validation_alias="WORKER_TRACK_LIMIT",
        description="seconds from acceptance; then a tracked message without a final status is unknown",
    )


class CreditSettings(Section):
    """The watch over the account's balance."""

    low: float = Field(
        0,
        ge=0,
        allow_inf_nan=False,
        validation_alias="WORKER_CREDITS_LOW",
        description="credits; account.low is published when the balance falls below it. 0: never",
    )
    interval: Seconds = Field(
        300,
        ge=1,
        le=86_400,
        validation_alias="WORKER_CREDITS_INTERVAL",
        description="seconds between two looks at the balance",
    )


class ProcessSettings(Section):
    """The process: its end, its health endpoints, its logs."""

    health_host: Annotated[str | None, AfterValidator(checks.listen_address)] = Field(
        None,
        validation_alias="HEALTH_HOST",
        description="IP address to listen on; unset: all of them, IPv4 and, where there is any, IPv6",
    )
    health_port: int = Field(
        8_080,
        ge=0,
        le=65_535,
        validation_alias="HEALTH_PORT",
        description="port of /livez, /readyz and /metrics; 0: any free port",
    )
    log_format: Annotated[Literal["json", "console"] | None, BeforeValidator(checks.lower)] = Field(
        None,
        validation_alias="LOG_FORMAT",
        description="json or console; unset: console on a terminal, else json",
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(checks.lower)] = Field(
        "info", validation_alias="LOG_LEVEL", description="debug, info, warning or error"
    )
    tracing: bool = Field(
        default=False,
        validation_alias="WORKER_TRACING",
        description="true: a span for each job and step, to an OTLP collector; needs the extra `otel`. The "
        "standard OTEL_* variables do the rest",
    )
    drain_timeout: float = Field(
        25,
        ge=0,
        le=3_600,
        allow_inf_nan=False,
        validation_alias="WORKER_DRAIN_TIMEOUT",
        description="seconds from SIGTERM to the end of the process; work in flight may finish in all but "
        "the last four of them, the rest goes back to the queues",
    )
    secrets_dir: Path = Field(
        Path("/run/secrets"),
        validation_alias="WORKER_SECRETS_DIR",
        description="directory of mounted secrets; a file a variable, named like it in any case",
    )


SECTIONS: tuple[type[Section], ...] = (
    BrokerSettings,
    GatewaySettings,
    LedgerSettings,
    SendingSettings,
    RetrySettings,
    TrackSettings,
    CreditSettings,
    WebApiSettings,
    ProcessSettings,
)
