"""A gateway that knows every message id but those that a call about them shall fail for."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.support.deadline import DEADLINE

_DETAILS = {
    "phoneNumberWithRespectiveStatus": {"919876543210": "DELIVIRED"},
    "message": "Hello",
    "sender_Id": "ITONSM",
    "sending_Date": "Mar 12, 2013 8:13:39 PM",
}


@contextmanager
def status_gateway(failing: Mapping[str, int]) -> Iterator[str]:
    """Provide the address of one.

    Args:
        failing: the HTTP status of a ``message_status`` call that names the id; it may change meanwhile.
    """

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer one call."""
            query = parse_qs(urlsplit(self.path).query)
            if query["cmd"] != ["message_status"]:
                return self._reply(200, b"Remaining_Credits: 417")
            ids = query["ids"][0].split(",")
            if failed := [status for name, status in failing.items() if name in ids]:
                return self._reply(failed[0], b"no")
            return self._reply(200, json.dumps(dict.fromkeys(ids, _DETAILS)).encode())

        def _reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True, name="status gateway")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(DEADLINE)
