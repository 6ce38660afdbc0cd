"""Concrete adapters by the settings."""

from zoneinfo import ZoneInfo

import httpx

from worker.admission.rate_limiter import RateLimiter
from worker.amqp.connection.opening import Timing
from worker.amqp.publish.observer import PublishObserver
from worker.amqp.publish.options import PublisherOptions
from worker.amqp.publish.publisher import BrokerPublisher
from worker.bootstrap.admitting import WEB_API_CALLS
from worker.bootstrap.rules import numbering_of
from worker.bootstrap.topology import topology_of
from worker.clock import SystemClock
from worker.iton.client import ItonGateway, Observers, TimeLimits
from worker.iton.dialect import Credentials, Dialect
from worker.iton.httpx_transport import HttpxTransport
from worker.iton.route import route_of
from worker.iton.rules import Rule, rules_from
from worker.iton.transport import AiohttpTransport, Pool
from worker.iton.web_api import ItonWebApi, OnCall
from worker.ledger import AnyLedger, MemoryLedger, SqliteLedger, open_ledger
from worker.ports import Clock
from worker.resilience.single_flight import SingleFlight
from worker.settings import Settings, SettingsError

_SYSTEM = SystemClock()
_LONGEST_WEB_REPLY = 32 << 20  # bytes; a picture, of which 64 KB are handed on


def gateway_of(
    settings: Settings,
    observers: Observers | None = None,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Clock = _SYSTEM,
) -> ItonGateway:
    """Return the client of the account that the settings name."""
    gateway = settings.gateway
    dialect = Dialect(
        method=gateway.method,
        text_parameter=gateway.text_param,
        default_sender=settings.sending.default_sender,
        url_limit=gateway.max_url_bytes,
        zone=ZoneInfo(gateway.timezone),
        numbering=numbering_of(settings),
        rules=_rules(settings),
        now=clock.now,
        status_words=dict(pair.rsplit("=", 1) for pair in gateway.status_words),
    )
    credentials = _credentials(settings)
    try:
        return ItonGateway(
            gateway.base_url,
            credentials,
            dialect,
            limits=TimeLimits(call=gateway.timeout),
            observers=observers,
            transport=transport or _transport(settings, gateway.max_calls),
        )
    except ValueError:
        raise SettingsError("ITON_BASE_URL cannot be used; write https://HOST/PATH/") from None


def web_api_of(
    settings: Settings, on_call: OnCall, *, transport: httpx.AsyncBaseTransport | None = None
) -> ItonWebApi | None:
    """Return the client of the Web API; None where the settings name none."""
    gateway, address = settings.gateway, settings.web_api.url
    if address is None:
        return None
    return ItonWebApi(
        address,
        _credentials(settings),
        limits=TimeLimits(call=gateway.timeout),
        transport=transport or _transport(settings, WEB_API_CALLS, reply_limit=_LONGEST_WEB_REPLY),
        on_call=on_call,
    )


def _credentials(settings: Settings) -> Credentials:
    gateway = settings.gateway
    token = gateway.api_token.get_secret_value() if gateway.api_token else None
    return Credentials(gateway.username.get_secret_value(), gateway.password.get_secret_value(), token)


def _transport(
    settings: Settings, most_calls: int, *, reply_limit: int = 4 << 20
) -> AiohttpTransport | HttpxTransport:
    gateway = settings.gateway
    # Admission limits the calls. What hung in an outage must keep no connection from those after it.
    pool = Pool(connections=2 * most_calls + 8, reply_limit=reply_limit)
    route = route_of(gateway.proxy.get_secret_value() if gateway.proxy else None, gateway.ca_file)
    return (HttpxTransport if gateway.transport == "httpx" else AiohttpTransport)(pool, route)


def ledger_of(settings: Settings, clock: Clock = _SYSTEM) -> AnyLedger:
    """Return the ledger that the settings name."""
    return ledger_at(settings.ledger.url.get_secret_value(), settings, clock=clock)


def ledger_at(
    url: str, settings: Settings, *, label: str = "LEDGER_URL", clock: Clock = _SYSTEM
) -> AnyLedger:
    """Return the ledger at *url*, which *label* gave, for the deployment of the settings."""
    try:
        return open_ledger(
            url, retention=settings.ledger.retention, clock=clock, prefix=settings.broker.prefix
        )
    except ValueError as error:
        raise SettingsError(f"{label} cannot be used: {error}") from None


def _rules(settings: Settings) -> tuple[Rule, ...]:
    try:
        return rules_from(settings.gateway.rules)
    except ValueError as error:
        raise SettingsError(f"WORKER_GATEWAY_RULES has a wrong rule: {error}") from None


def publisher_of(
    settings: Settings, clock: Clock = _SYSTEM, *, observer: PublishObserver, preparing: SingleFlight
) -> BrokerPublisher:
    """Return the way out to the broker that the settings name."""
    options = PublisherOptions(
        declare=settings.broker.declare,
        preparing=preparing,
        confirm_within=settings.broker.publish_timeout,
        timing=Timing(),
        now=clock.now,
        observer=observer,
    )
    return BrokerPublisher(settings.broker.url.get_secret_value(), topology_of(settings), options)


def limiter_of(settings: Settings, ledger: AnyLedger, clock: Clock) -> RateLimiter:
    """Return the rate limit: exact over the fleet where the workers share a Redis or a PostgreSQL."""
    rate = settings.gateway.rate_limit
    if rate and not isinstance(ledger, MemoryLedger | SqliteLedger):
        return RateLimiter(rate, clock, shared=ledger.bucket(rate))
    return RateLimiter(rate, clock)
