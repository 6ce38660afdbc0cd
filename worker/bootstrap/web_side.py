"""What api jobs need, where the settings name the Web API's address."""

from collections.abc import Callable
from dataclasses import dataclass

from worker.admission.admission import Admission
from worker.domain.api_entry import ApiEntry
from worker.domain.disposition import RetryPolicy
from worker.handlers.api.acceptance import ApiAcceptance
from worker.handlers.api.handler import ApiHandler
from worker.handlers.api.off import NoWebApi
from worker.handlers.api.ports import ApiPorts
from worker.handlers.dispatch import Handler
from worker.handlers.entries import Store
from worker.ports import Clock, Command, Locks, Observer, Publisher, Retry, WebApi


@dataclass(frozen=True, slots=True)
class WebSide:
    """The Web API, and the door to it."""

    web_api: WebApi
    gate: Admission


@dataclass(frozen=True, slots=True)
class Gates:
    """Both doors: to the SMS gateway, and to the Web API, where there is one."""

    gateway: Admission
    web_api: Admission | None

    def stands(self, command: Command | None) -> bool:
        """Tell whether jobs that end in a call of *command* (None: in none) had better stay queued."""
        if command is not Command.API:
            return self.gateway.stands(command)
        return self.web_api is not None and self.web_api.stands(command)


@dataclass(frozen=True, slots=True)
class ApiWiring:
    """Builds the handler of api jobs.

    Attributes:
        web: None where there is no address: each job is rejected.
    """

    web: WebSide | None
    acceptance: ApiAcceptance
    entries: Store[ApiEntry]
    retry: Retry
    publisher: Publisher
    policy: RetryPolicy
    clock: Clock
    observer: Observer
    store_time: Callable[[], float]

    def handler(self, locks: Locks, *, lease: float, margin: float) -> Handler:
        """Return it."""
        if self.web is None:
            return NoWebApi(self.acceptance)
        ports = ApiPorts(
            web_api=self.web.web_api,
            entries=self.entries,
            gate=self.web.gate,
            retry=self.retry,
            publisher=self.publisher,
            policy=self.policy,
            clock=self.clock,
            observer=self.observer,
            store_time=self.store_time,
            lease=lease,
            margin=margin,
        )
        return ApiHandler(self.acceptance, ports, locks)
