"""One look at every part that the worker depends on."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from worker.amqp.publish.permissions import insist_on_publishing
from worker.amqp.topology.declare import verify
from worker.client.access import BrokerAccess, visit
from worker.domain.errors import AccountError, TransientError, WorkerError
from worker.ports import Gateway, LedgerStore, WebApi

_BROKER_REMEDIES = {
    "login_refused": "correct user and password in AMQP_URL",
    "publish_refused": "grant it to the user of AMQP_URL, as docs/rabbitmq-permissions.md has it",
    "virtual_host_refused": "correct the virtual host behind AMQP_URL's last slash, or let the user use it",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """How one part is.

    Attributes:
        part: its name.
        detail: one sentence.
        remedy: what to do; empty when it is well.
    """

    part: str
    ok: bool
    detail: str
    remedy: str = ""

    def to_json(self) -> dict[str, object]:
        """Return it for JSON."""
        return {"part": self.part, "ok": self.ok, "detail": self.detail, "remedy": self.remedy or None}


Look = Callable[[], Awaitable[Finding]]


async def check_all(looks: Mapping[str, Look]) -> AsyncGenerator[Finding]:
    """Yield a finding for every look, in order; an error of ours is a finding too."""
    for part, look in looks.items():
        try:
            yield await look()
        except WorkerError as error:
            yield Finding(part, ok=False, detail=error.detail, remedy=_remedy(part, error))


async def look_at_broker(access: BrokerAccess) -> Finding:
    """Log in."""
    async with visit(access, name="check"):
        return Finding("broker", ok=True, detail="connected and logged in")


async def look_at_topology(access: BrokerAccess) -> Finding:
    """Ask for every exchange and queue, and declare nothing."""
    async with visit(access, name="check") as connection:
        missing = await verify(connection.library, access.topology)
        if not missing:
            await insist_on_publishing(connection, access.topology)
    if not missing:
        return Finding(
            "topology", ok=True, detail="every exchange and queue is there, and may be published to"
        )
    if access.declare:
        detail = f"{len(missing)} exchanges and queues are not there yet; the worker declares them at start"
        return Finding("topology", ok=True, detail=detail)
    return Finding(
        "topology",
        ok=False,
        detail=f"not on the broker: {', '.join(missing)}",
        remedy="correct AMQP_PREFIX, or declare it with `iton-worker topology --declare`, "
        "or set AMQP_DECLARE=true",
    )


async def look_at_gateway(gateway: Gateway) -> Finding:
    """Ask for the balance: the one command that neither sends nor costs."""
    remaining = await gateway.account()
    return Finding("gateway", ok=True, detail=f"account accepted, {remaining:f} credits left")


async def look_at_web_api(web_api: WebApi) -> Finding:
    """Ask for its own address: whatever it says but a fault of its own means that it is there."""
    if await web_api.is_there():
        return Finding("web api", ok=True, detail="it answers; what it lets the token do, its calls tell")
    return Finding(
        "web api",
        ok=False,
        detail="it cannot be reached, or answers with a fault of its own",
        remedy="try again later, or correct ITON_WEB_API_URL, WORKER_GATEWAY_PROXY or WORKER_GATEWAY_CA_FILE",
    )


async def look_at_ledger(ledger: LedgerStore, kind: str) -> Finding:
    """Write to the store; say of what *kind* it is, for a wrong one works as well."""
    await ledger.check()
    return Finding("ledger", ok=True, detail=f"can be written: {kind}")


def _remedy(part: str, error: WorkerError) -> str:
    match part, error:
        case "broker" | "topology", _:
            return _BROKER_REMEDIES.get(error.code, "start the broker, or correct AMQP_URL")
        case _, AccountError():
            return "correct ITON_USERNAME, ITON_PASSWORD or ITON_API_TOKEN, or buy credits"
        case "gateway", TransientError():
            return _way_remedy(error.detail)
        case "gateway", _:
            return "see that ITON_BASE_URL is the gateway's API"
        case _:
            return "see that the store of LEDGER_URL is up and has room"


def _way_remedy(detail: str) -> str:
    if "the proxy" in detail:
        return "correct WORKER_GATEWAY_PROXY, or have the proxy let the gateway's host through"
    if "certificate" in detail:
        return "name the file of the authority that vouches for it in WORKER_GATEWAY_CA_FILE"
    return "try again later, or correct ITON_BASE_URL"
