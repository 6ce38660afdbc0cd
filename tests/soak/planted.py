"""A text that goes out a second time, which no worker has sent: a soak must find it."""

import time
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.soak.bill import Planted
from tests.soak.mix import Asked
from tests.support.chaos_scene import Scene
from tests.support.worker_process import PASSWORD, USERNAME

_RECENT = 40  # jobs; one of these may be cancelled yet
_TRIES = 20


def plant(asked: Sequence[Asked], scene: Scene) -> Planted | None:
    """Send the largest of some texts again, past the workers; None where there is none that may be."""
    targets = {job.body["target"] for job in asked if job.key == "cancel"}
    sent = {one.message: one for one in scene.gateway.sends()}
    old = [
        job
        for job in [one for one in asked if one.is_send][:-_RECENT]
        if job.body["category"] == "service" and "send_after" not in job.body and job.job_id not in targets
    ]
    calls = [sent[job.body["text"]] for job in old if job.body["text"] == job.job_id and job.job_id in sent]
    if not calls:
        return None
    call = max(calls, key=lambda one: len(one.to))
    query = {"cmd": "sendSMS", "username": USERNAME, "password": PASSWORD, "uniCode": 0}
    url = f"{scene.gateway.url}?{urlencode({**query, 'to': ','.join(call.to), 'message': call.message})}"
    for _ in range(_TRIES):
        before, at = scene.repeats(), time.time()
        with suppress(OSError):  # it may meet a fault of the soak's own
            urlopen(url, timeout=10).close()  # noqa: S310 - always http
        if scene.repeats() > before:
            return Planted(at, scene.repeats() - before)
    return None
