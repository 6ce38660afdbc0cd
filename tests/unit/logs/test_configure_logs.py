"""Lines as they leave the process."""

import asyncio
import gc
import json
import logging
import warnings
from collections.abc import Iterator
from contextvars import copy_context
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

import pytest
import structlog

from tests.support.restored_logs import restored_logs
from worker.domain.trace import TRACEPARENT
from worker.logs import configure_logs

SECRET = "s3cret-password"


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    """Leave logging as it was found."""
    with restored_logs():
        yield


def _fail() -> None:
    raise ValueError(SECRET)


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


class TestJson:
    """One object a line."""

    def test_lines_of_our_own_name_time_level_event_and_logger(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The rest are the keys of the event."""
        configure_logs(form="json")
        structlog.get_logger("worker.x").info("job.completed", recipients=2)
        (line,) = _lines(capsys)
        moment = datetime.strptime(line.pop("timestamp"), "%Y-%m-%dT%H:%M:%S.%f%z")
        assert timedelta(0) == moment.utcoffset()
        assert line == {
            "event": "job.completed",
            "level": "info",
            "logger": "worker.x",
            "service.name": "iton-worker",
            "service.version": version("iton-worker"),
            "recipients": 2,
        }

    def test_lines_of_a_traced_job_name_its_trace(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Those of libraries too; other lines have no such keys."""
        configure_logs(form="json")
        structlog.get_logger("a").info("x")
        context = copy_context()
        context.run(TRACEPARENT.set, f"00-{'a' * 32}-{'1' * 16}-01")
        context.run(structlog.get_logger("a").info, "y")
        context.run(logging.getLogger("b").warning, "z")
        untraced, *traced = _lines(capsys)
        assert "trace_id" not in untraced
        assert [("a" * 32, "1" * 16)] * 2 == [(line["trace_id"], line["span_id"]) for line in traced]

    def test_any_value_makes_a_line_of_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Odd types, quotes, line breaks, characters that are no characters."""
        configure_logs(form="json")
        values = {"a": ValueError('"'), "b": "\ud800\n", "c": {1: {2, 3}}, "d": b"\x00", "e": [None, True]}
        structlog.get_logger("a").info("x", **values)
        (line,) = _lines(capsys)
        assert {
            "a": "<ValueError>",
            "b": "\ud800\n",
            "c": {"1": [2, 3]},
            "d": "b'\\x00'",
            "e": [None, True],
        } == {name: line[name] for name in values}

    def test_lines_of_libraries_look_the_same(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The standard logging goes through the same processors."""
        configure_logs(form="json", secrets=[SECRET])
        logging.getLogger("somebody").warning("lost %s", SECRET)
        (line,) = _lines(capsys)
        assert (line["event"], line["level"], line["logger"]) == ("lost ***", "warning", "somebody")

    def test_lines_below_the_level_are_off(self, capsys: pytest.CaptureFixture[str]) -> None:
        """For structlog and the standard logging alike."""
        configure_logs(form="json", level="warning")
        structlog.get_logger("a").info("x")
        logging.getLogger("a").info("x")
        assert _lines(capsys) == []

    def test_http_clients_are_quiet_at_info(self, capsys: pytest.CaptureFixture[str]) -> None:
        """They would name whole URLs."""
        configure_logs(form="json", level="info")
        logging.getLogger("httpx").info("GET https://gateway/?password=x")
        assert _lines(capsys) == []

    def test_at_debug_they_speak_and_are_redacted(self, capsys: pytest.CaptureFixture[str]) -> None:
        """No credential, whatever the level."""
        configure_logs(form="json", level="debug", secrets=[SECRET])
        logging.getLogger("aiohttp.web").info("GET https://gateway/?password=%s&to=919876543210", SECRET)
        (line,) = _lines(capsys)
        assert line["event"] == "GET https://gateway/?password=***&to=91********10"

    def test_tracebacks_say_who_failed_where_and_no_word_of_it(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """An exception's words are whatever the failing code had in hand."""
        configure_logs(form="json")
        try:
            try:
                _fail()
            except ValueError as error:
                raise KeyError(SECRET) from error
        except KeyError:
            structlog.get_logger("a").exception("job.failed")
            logging.getLogger("b").exception("failed")
        for line in _lines(capsys):
            assert SECRET not in str(line)
            first, second = line["exception"].split("\n\n")
            assert "in _fail" in first
            assert first.endswith("\nValueError")
            assert second.endswith("\nKeyError")

    async def test_a_task_that_nobody_asked_about_shows_no_word_of_its_error(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The event loop lists the task and its exception below its sentence."""
        gc.collect()  # what other tests have left would be told here
        configure_logs(form="json")

        async def fail() -> None:
            _fail()

        task = asyncio.ensure_future(fail())
        await asyncio.wait({task})
        del task
        gc.collect()
        (line,) = _lines(capsys)
        assert line["event"] == "Task exception was never retrieved"
        assert line["exception"].endswith("\nValueError")
        assert SECRET not in str(line)

    def test_an_object_is_its_kind_without_its_place_in_memory(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Nobody can read it, and each line would be another one."""
        configure_logs(form="json")
        structlog.get_logger("a").info("x", a=object(), b=[logging.NullHandler()], c=ValueError(SECRET))
        logging.getLogger("b").warning("lost %r", object())
        own, foreign = _lines(capsys)
        assert ("<object>", ["<NullHandler (NOTSET)>"], "<ValueError>") == (own["a"], own["b"], own["c"])
        assert foreign["event"] == "lost <object>"

    def test_warnings_become_lines(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A library's warning is a line as well."""
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            configure_logs(form="json")
            warnings.warn("old", UserWarning, stacklevel=1)
            logging.captureWarnings(capture=False)
        assert _lines(capsys)[0]["logger"] == "py.warnings"


class TestConsole:
    """Readable lines for people."""

    def test_is_redacted_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Event, keys and traceback."""
        configure_logs(form="console", secrets=[SECRET])
        try:
            _fail()
        except ValueError:
            structlog.get_logger("a").exception("job.failed", note=SECRET)
        captured = capsys.readouterr().err
        assert "job.failed" in captured
        assert "ValueError" in captured
        assert SECRET not in captured

    def test_json_is_the_choice_without_a_terminal(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Where nobody watches, machines read."""
        configure_logs()
        structlog.get_logger("a").info("x")
        assert _lines(capsys)[0]["event"] == "x"


class TestTrouble:
    """A log line is never a reason to fail."""

    def test_a_closed_stream_loses_the_line_only(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No error reaches the caller."""

        class Closed:
            def write(self, _text: str) -> None:
                raise BrokenPipeError

            def isatty(self) -> bool:
                return False

            def flush(self) -> None:
                raise BrokenPipeError

        configure_logs(form="json")
        with monkeypatch.context() as patched:
            patched.setattr("sys.stderr", Closed())
            structlog.get_logger("a").info("x")
            logging.getLogger("b").warning("x")
        assert capsys.readouterr().err == ""

    def test_a_line_that_cannot_be_built_is_named_without_its_content(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A library's wrong format string shows neither its text nor its arguments."""
        configure_logs(form="json", secrets=[SECRET])
        logging.getLogger("b").warning("a number: %d", SECRET)
        (line,) = _lines(capsys)
        assert line == {"level": "error", "event": "log.failed", "logger": "b"}
