"""How the gateway is reached: directly or through an egress proxy, and whose certificates are believed."""

import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Route:
    """The way of every request; its repr shows no credentials.

    An HTTPS gateway is reached through a tunnel (CONNECT), in which the proxy reads nothing; of a plain one
    the proxy is given the whole request.

    Attributes:
        proxy: ``http://HOST:PORT``, without credentials; None: none.
        login: the value of ``Proxy-Authorization``, where the proxy wants one.
        trust: None for the system's authorities.
    """

    proxy: str | None = None
    login: str | None = field(default=None, repr=False)
    trust: ssl.SSLContext | None = field(default=None, repr=False)

    def headers(self, scheme: str) -> list[tuple[str, str]]:
        """Return what a request itself says to the proxy; nothing, where it goes through a tunnel."""
        return [("Proxy-Authorization", self.login)] if self.login and scheme == "http" else []

    def tunnel_headers(self, scheme: str) -> dict[str, str] | None:
        """Return what the request for a tunnel says to the proxy."""
        if self.proxy is None or scheme == "http":
            return None
        login = {"Proxy-Authorization": self.login} if self.login else {}
        return {"User-Agent": "iton-worker", **login}


def route_of(proxy: str | None, ca_file: Path | None) -> Route:
    """Return the route through *proxy*, an ``http`` URL with or without credentials.

    The authorities of *ca_file* (PEM) are believed beside the system's, not instead of them: a company's
    proxy that looks into TLS signs for the gateway, but the day it no longer does must not stop the work.

    Raises:
        OSError: the file cannot be read; an ``ssl.SSLError`` where it holds no certificate.
    """
    trust = None
    if ca_file is not None:
        trust = ssl.create_default_context()
        trust.load_verify_locations(cafile=ca_file)
    if proxy is None:
        return Route(trust=trust)
    parts = urlsplit(proxy)
    host = parts.netloc.rpartition("@")[2]
    return Route(f"http://{host}", _basic(parts.username, parts.password), trust)


def _basic(username: str | None, password: str | None) -> str | None:
    """Return what RFC 7617 wants, in UTF-8; the URL holds both percent-encoded."""
    if username is None:
        return None
    login = f"{unquote(username)}:{unquote(password or '')}"
    return f"Basic {b64encode(login.encode()).decode()}"
