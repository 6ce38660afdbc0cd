"""httpx writes the whole URL of every request, password included, to its log at INFO: not here."""

import logging

# httpx logs one line a request and nothing else of use; httpcore, which is not used, logs headers.
_TALKERS = ("httpx", "httpcore", "httpcore.connection", "httpcore.http11", "aiohttp.client")


class _OnlyWarnings(logging.Filter):
    """Stands whatever level a logger is set to, before or after."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


_ONLY_WARNINGS = _OnlyWarnings()


def quiet_http_logs() -> None:
    """Keep lines that could hold a URL or a header out of the logs, at DEBUG too; may be called again."""
    for name in _TALKERS:
        logging.getLogger(name).addFilter(_ONLY_WARNINGS)
