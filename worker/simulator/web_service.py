"""The small Web API over HTTP, with the faults that it meets."""

import asyncio
import json
from typing import Any

from aiohttp import BodyPartReader, web

from worker.simulator.control import Control
from worker.simulator.faults import FaultKind
from worker.simulator.service import cut, hang, response_of, spoil
from worker.simulator.web_store import WebRequest
from worker.simulator.wire import Call, Command, Reply

WEB_API_PATH = "/web/v1/"
_MAX_BODY = 16 << 20
_JSON = "application/json;charset=UTF-8"


class WebService:
    """The handler of every path below the Web API's address."""

    def __init__(self, control: Control) -> None:
        self._control = control

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Carry the request out, or meet a fault for the command ``web_api``."""
        control = self._control
        released = control.released  # before any wait: faults may be cleared during it
        asked = await _read(request)
        control.web_calls += 1
        fault = control.faults.draw(Call({}, method=request.method, about=Command.WEB_API), "")
        if fault is None:
            return self._answer(asked)
        if not fault.comes_after:
            await asyncio.sleep(fault.latency)
        carried_out = fault.comes_after or not fault.replaces_reply
        reply = self._reply(asked) if carried_out else Reply(b"", _JSON)
        if fault.comes_after:
            await asyncio.sleep(fault.latency)
        if fault.kind is FaultKind.HANG:
            await hang(request, released)
            return cut(request)
        return await spoil(request, fault, reply)

    def _answer(self, asked: WebRequest) -> web.Response:
        return response_of(self._reply(asked))

    def _reply(self, asked: WebRequest) -> Reply:
        control = self._control
        status, body = control.web_store.answer(asked, control.options.token)
        return Reply(json.dumps(body).encode(), _JSON, status)


async def _read(request: web.Request) -> WebRequest:
    request = request.clone(client_max_size=_MAX_BODY)
    path = request.path.removeprefix(WEB_API_PATH)
    token = request.headers.get("Authorization")
    if request.content_type == "multipart/form-data":
        return await _form(request, path, token)
    content = await request.read()
    return WebRequest(request.method, path, token, _json(content))


async def _form(request: web.Request, path: str, token: str | None) -> WebRequest:
    fields: dict[str, str] = {}
    files: list[tuple[str, str, str, bytes]] = []
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            continue  # a form within the form
        name, content = part.name or "", bytes(await part.read())
        if part.filename is None:
            fields[name] = content.decode("utf-8", "replace")
        else:
            kind = part.headers.get("Content-Type", "application/octet-stream")
            files.append((name, part.filename, kind, content))
    return WebRequest(request.method, path, token, None, fields, tuple(files))


def _json(content: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(content) if content else None
    except ValueError:
        return None
