"""The control endpoint: JSON over HTTP below ``/_control/``."""

import json
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.domain.plain_words import in_words
from worker.simulator.control import Control
from worker.simulator.faults import Fault

PREFIX = "/_control"
_T = TypeVar("_T")
_Count = Annotated[int, Field(ge=0)]


class _SendsQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")
    after: _Count = 0
    limit: Annotated[int, Field(ge=1, le=100_000)] = 1000


class _TimesQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")
    at_least: Annotated[int, Field(ge=1)] = 1
    to: str | None = None
    limit: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000


class _CallsQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class ControlRoutes:
    """The handlers of the control endpoint."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def add_to(self, app: web.Application) -> None:
        """Register every route; what else is asked below the prefix is 404."""
        app.add_routes(
            [
                web.get(f"{PREFIX}/state", self._state),
                web.get(f"{PREFIX}/sends", self._sends),
                web.get(f"{PREFIX}/times", self._times),
                web.get(f"{PREFIX}/calls", self._calls),
                web.get(f"{PREFIX}/settings", self._settings),
                web.post(f"{PREFIX}/settings", self._change_settings),
                web.get(f"{PREFIX}/faults", self._faults),
                web.post(f"{PREFIX}/faults", self._add_faults),
                web.delete(f"{PREFIX}/faults", self._clear_faults),
                web.delete(PREFIX + "/faults/{id:[0-9]+}", self._remove_fault),
                web.post(f"{PREFIX}/reset", self._reset),
                web.route("*", PREFIX + "{rest:(/.*)?}", _not_found),
            ]
        )

    async def _state(self, _request: web.Request) -> web.Response:
        return _json(self._control.state())

    async def _sends(self, request: web.Request) -> web.Response:
        query = _checked(_SendsQuery.model_validate, dict(request.query))
        return _json(self._control.send_page(query.after, query.limit))

    async def _times(self, request: web.Request) -> web.Response:
        query = _checked(_TimesQuery.model_validate, dict(request.query))
        pairs = self._control.times_sent(at_least=query.at_least, to=query.to, limit=query.limit)
        return _json({"times": pairs, "forgotten_pairs": self._control.gateway.tally.forgotten})

    async def _calls(self, request: web.Request) -> web.Response:
        query = _checked(_CallsQuery.model_validate, dict(request.query))
        return _json({"calls": self._control.recent_calls(query.limit)})

    async def _settings(self, _request: web.Request) -> web.Response:
        return _json(self._control.settings())

    async def _change_settings(self, request: web.Request) -> web.Response:
        settings = await _body(request)
        if not isinstance(settings, dict):
            raise _bad("the body must be a JSON object of settings")
        _checked(lambda changes: self._control.change(**changes), settings)
        return _json(self._control.settings())

    async def _faults(self, _request: web.Request) -> web.Response:
        return _json({"faults": self._control.fault_list()})

    async def _add_faults(self, request: web.Request) -> web.Response:
        body = await _body(request)
        asked = body if isinstance(body, list) else [body]
        faults = [_checked(Fault.model_validate, one) for one in asked]
        return _json({"ids": [self._control.add_fault(fault) for fault in faults]}, status=201)

    async def _clear_faults(self, _request: web.Request) -> web.Response:
        self._control.clear_faults()
        return _json({"faults": []})

    async def _remove_fault(self, request: web.Request) -> web.Response:
        fault_id = request.match_info["id"]
        if not self._control.remove_fault(int(fault_id)):
            raise web.HTTPNotFound(**_problem(f"no fault {fault_id} is on"))
        return _json({"faults": self._control.fault_list()})

    async def _reset(self, _request: web.Request) -> web.Response:
        self._control.reset()
        return _json(self._control.state())


async def _not_found(request: web.Request) -> web.Response:
    raise web.HTTPNotFound(**_problem(f"the control endpoint has no {request.method} {request.path}"))


def _json(value: object, status: int = 200) -> web.Response:
    return web.json_response(value, status=status)


async def _body(request: web.Request) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(await request.read())
    except ValueError as error:
        raise _bad(f"the body is not JSON: {error}") from error


def _checked(validate: Callable[[Any], _T], value: object) -> _T:
    try:
        return validate(value)
    except ValidationError as error:
        problems = [
            {"loc": ".".join(str(step) for step in problem["loc"]), "msg": in_words(problem)}
            for problem in error.errors(include_url=False)
        ]
        raise _bad("; ".join(f"{p['loc'] or 'body'}: {p['msg']}" for p in problems), problems) from None


def _bad(message: str, problems: list[dict[str, str]] | None = None) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(**_problem(message, problems))


def _problem(message: str, problems: list[dict[str, str]] | None = None) -> dict[str, Any]:
    body = {"error": message, "problems": problems or []}
    return {"text": json.dumps(body), "content_type": "application/json"}
