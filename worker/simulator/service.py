"""One call from request to reply, with the latency and the fault that it meets."""

import asyncio
import socket
import struct
from contextlib import suppress

from aiohttp import web

from worker.simulator.calls import http_refusal, read_call
from worker.simulator.control import Control
from worker.simulator.faults import Fault, FaultKind
from worker.simulator.gateway import SimulatedGateway
from worker.simulator.wire import Call, Reply

_LOOK_FOR_THE_CLIENT = 0.25  # seconds; aiohttp does not wake a handler when its client hangs up
_NOTHING = Reply(b"", "text/plain;charset=UTF-8")
_LINGER_NOT = struct.pack("ii", 1, 0)


class CallService:
    """The handler of every path that is not of the control endpoint."""

    def __init__(self, control: Control) -> None:
        self._control = control

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Count the call, wait for a place if places are limited, and serve it."""
        control = self._control
        gateway, traffic, options = control.gateway, control.traffic, control.options
        call = await read_call(request)
        with traffic.arrival(call, gateway.now()):
            if refusal := http_refusal(request):
                gateway.answers[f"http_{refusal.status}"] += 1
                return refusal
            if not await traffic.admit(options.max_in_flight, queue=options.over_limit == "queue"):
                gateway.answers["http_503"] += 1
                return web.Response(status=503, text="Service Unavailable")
            try:
                return await self._serve(request, call, gateway)
            finally:
                traffic.release()

    async def _serve(self, request: web.Request, call: Call, gateway: SimulatedGateway) -> web.StreamResponse:
        released = self._control.released  # before any wait: faults may be cleared during it
        options = gateway.options
        fault = self._control.faults.draw(call, options.text_parameter)
        if fault is None:
            reply = gateway.answer(call)
            await self._pause(options.latency, options.jitter)
            return response_of(reply)
        if not fault.comes_after:
            await self._pause(fault.latency, fault.jitter)
        carried_out = fault.comes_after or not fault.replaces_reply
        reply = gateway.answer(call) if carried_out else _NOTHING
        if fault.comes_after:
            await self._pause(fault.latency, fault.jitter)
        await self._pause(options.latency, options.jitter)
        if fault.kind is FaultKind.HANG:
            await hang(request, released)
            return cut(request)
        return await spoil(request, fault, reply)

    async def _pause(self, latency: float, jitter: float) -> None:
        seconds = latency + (self._control.dice.uniform(0, jitter) if jitter else 0)
        if seconds:
            await asyncio.sleep(seconds)


async def spoil(request: web.Request, fault: Fault, reply: Reply) -> web.StreamResponse:
    """Answer with *reply* as *fault* spoils it."""
    if fault.kind in {FaultKind.DROP, FaultKind.RESET}:
        return cut(request, reset=fault.kind is FaultKind.RESET)
    spoilt = fault.spoil(reply)
    if fault.kind is FaultKind.TRUNCATED:
        return await _truncate(request, spoilt)
    if fault.kind is FaultKind.DRIPPING:
        return await _drip(request, spoilt, fault.interval)
    return response_of(spoilt)


async def hang(request: web.Request, released: asyncio.Event) -> None:
    """Wait until the client hangs up or the fault is switched off."""
    while _is_connected(request) and not released.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_FOR_THE_CLIENT):
                await released.wait()


def _is_connected(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


def response_of(reply: Reply) -> web.Response:
    """Return *reply* as aiohttp sends it."""
    headers = {"Content-Type": reply.content_type, **reply.headers}
    return web.Response(body=reply.body, status=reply.status, headers=headers)


def cut(request: web.Request, *, reset: bool = False) -> web.Response:
    """Cut the connection without a reply; the response that is returned reaches nobody."""
    if request.transport is not None:
        if reset:
            connection = request.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        request.transport.abort()
    return web.Response()


async def _start(request: web.Request, reply: Reply) -> web.StreamResponse:
    headers = {"Content-Type": reply.content_type, **reply.headers}
    response = web.StreamResponse(status=reply.status, headers=headers)
    response.content_length = len(reply.body)
    await response.prepare(request)
    return response


async def _truncate(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Announce the whole body, send half of it and cut the connection."""
    response = await _start(request, reply)
    await response.write(reply.body[: len(reply.body) // 2])
    if request.transport is not None:
        request.transport.close()  # what was written goes out first
    return response


async def _drip(request: web.Request, reply: Reply, interval: float) -> web.StreamResponse:
    """Send the body a byte at a time, *interval* seconds apart."""
    response = await _start(request, reply)
    with suppress(ConnectionError):
        for byte in reply.body:
            await response.write(bytes((byte,)))
            await asyncio.sleep(interval)
    return response
