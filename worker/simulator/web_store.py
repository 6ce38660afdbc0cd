"""What a small Web API keeps: credentials, channels and media, under the paths that they were put at. No I/O.

ITON's own has no public description; this one stores what it is given and hands it back, so that a
certificate and a key can be uploaded and read again.
"""

import base64
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

COLLECTIONS = frozenset({"credentials", "channels", "media"})

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WebRequest:
    """One request, decoded.

    Attributes:
        path: below the Web API's address, without the query.
        document: of a JSON body; None for any other.
        fields: of a form.
        files: of a form: name, file name, content type and bytes.
    """

    method: str
    path: str
    token: str | None = None
    document: Any = None
    fields: dict[str, str] = field(default_factory=dict)
    files: tuple[tuple[str, str, str, bytes], ...] = ()


@dataclass(slots=True)
class WebStore:
    """Keeps what it is given.

    Attributes:
        kept: by path.
        carried_out: requests that were answered, by method and path.
    """

    kept: dict[str, Json] = field(default_factory=dict)
    carried_out: Counter[str] = field(default_factory=Counter)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def answer(self, request: WebRequest, token: str) -> tuple[int, Json]:
        """Carry *request* out; *token*: that it must bring, any where there is none."""
        if token and request.token != f"ITON {token}":
            return 401, {"error": "Invalid API token"}
        path = request.path.strip("/")
        if path.split("/", maxsplit=1)[0] not in COLLECTIONS:
            return 404, {"error": "no such resource"}
        self.carried_out[f"{request.method} {path}"] += 1
        return self._carried_out(request, path)

    def _carried_out(self, request: WebRequest, path: str) -> tuple[int, Json]:
        match request.method:
            case "POST":
                return self._put(request, f"{path}/{next(self._numbers)}", 201)
            case "PUT":
                return self._put(request, path, 200)
            case "GET":
                return self._got(path)
            case "PATCH" | "DELETE":
                return self._changed(request, path)
            case _:
                return 405, {"error": "method not allowed"}

    def _put(self, request: WebRequest, path: str, status: int) -> tuple[int, Json]:
        self.kept[path] = {"path": path, **_content(request)}
        return status, {"id": path.rpartition("/")[2], "path": path}

    def _changed(self, request: WebRequest, path: str) -> tuple[int, Json]:
        if path not in self.kept:
            return 404, {"error": "nothing is kept there"}
        if request.method == "DELETE":
            del self.kept[path]
        else:
            self.kept[path] = {**self.kept[path], **_content(request)}
        return 200, {"path": path}

    def _got(self, path: str) -> tuple[int, Json]:
        if path in self.kept:
            return 200, self.kept[path]
        below = [name for name in self.kept if name.startswith(f"{path}/")]
        if "/" in path and not below:
            return 404, {"error": "nothing is kept there"}
        return 200, {"items": below}


def _content(request: WebRequest) -> Json:
    files = [
        {"name": name, "filename": filename, "content_type": kind, "data": base64.b64encode(content).decode()}
        for name, filename, kind, content in request.files
    ]
    given = {"json": request.document, "fields": request.fields, "files": files}
    return {name: value for name, value in given.items() if value}
