"""The two asynchronous HTTP clients that people take, and the one for threads and processes."""

import json
from typing import Any
from urllib.parse import urlencode

import aiohttp
import httpx
import requests
from yarl import URL

from bench.peers.work import GATEWAY, Call, Job, Query, dnd_query, send_query, send_result, status_query


def aiohttp_call(connections: int) -> tuple[Call, aiohttp.ClientSession]:
    """Tuned: as many connections as jobs in flight, the URL encoded once."""
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections))

    async def call(query: Query) -> dict[str, Any]:
        async with session.get(URL(f"{GATEWAY}?{urlencode(query)}", encoded=True)) as response:
            return json.loads(await response.read())  # type: ignore[no-any-return]

    return call, session


def httpx_call(connections: int) -> tuple[Call, httpx.AsyncClient]:
    """As its documentation shows it, with every connection kept."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    client = httpx.AsyncClient(limits=limits, timeout=30)

    async def call(query: Query) -> dict[str, Any]:
        response = await client.get(GATEWAY, params=query)
        return response.json()  # type: ignore[no-any-return]

    return call, client


def result_with_requests(session: requests.Session, job: Job) -> Job:
    """Do a job of at most 100 recipients, blocking."""

    def call(query: Query) -> Job:
        return session.get(GATEWAY, params=query, timeout=30).json()  # type: ignore[no-any-return]

    if "message_ids" in job:
        return {"job_id": job["job_id"], "messages": call(status_query(job["message_ids"]))}
    listed = call(dnd_query(job["recipients"]))
    allowed = [one for one in job["recipients"] if not listed[one]]
    return send_result(job, call(send_query(allowed, job["text"])))
