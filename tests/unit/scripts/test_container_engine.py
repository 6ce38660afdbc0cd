"""Where the image's tests get an engine and its base from."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts import base_image
from scripts.base_image import BaseMissingError, default_base, engine_with_base
from scripts.container_engine import Engine, EngineFailedError, EngineMissingError, private_engine


def engine_of(folder: Path, script: str) -> Engine:
    """Return an engine whose client is a shell *script*."""
    client = folder / "docker"
    client.write_text(f"#!/bin/sh\n{script}\n")
    client.chmod(0o755)
    return Engine(client, os.environ)


class TestEngine:
    """`Engine`: the client, and what becomes of its words."""

    def test_it_returns_what_was_printed(self, tmp_path: Path) -> None:
        """Without the end of the last line."""
        assert "ps --all" == engine_of(tmp_path, 'echo "$@"')("ps", "--all")

    def test_a_failure_tells_what_the_client_said(self, tmp_path: Path) -> None:
        """The command by its name, the exit code, the words."""
        engine = engine_of(tmp_path, "echo no such image >&2; exit 3")
        with pytest.raises(EngineFailedError, match=r"docker run ended with 3:\nno such image"):
            engine("run", "it")

    def test_one_that_hangs_is_given_up(self, tmp_path: Path) -> None:
        """After the time that was given."""
        with pytest.raises(subprocess.TimeoutExpired):
            engine_of(tmp_path, "exec sleep 60")("pull", timeout=0.1)


class TestPrivateEngine:
    """`private_engine`."""

    def test_without_root_it_says_what_to_do(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Both ways out are named."""
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        with pytest.raises(EngineMissingError, match=r"Start Docker .*sudo make"), private_engine(tmp_path):
            pass


class TestEngineWithBase:
    """`engine_with_base`."""

    @pytest.fixture
    def private(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
        """Put an engine in the place of a private one, and of the stand-in's making nothing."""
        own = tmp_path / "own"
        own.mkdir()
        engine = engine_of(own, "exit 1")

        @contextmanager
        def started() -> Iterator[Engine]:
            yield engine

        monkeypatch.setattr(base_image, "private_engine", started)
        monkeypatch.setattr(base_image, "_ensure_stand_in", lambda *_: None)
        return engine

    def test_one_that_can_fetch_the_base_is_taken(
        self, private: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The real base is better than a stand-in."""
        theirs = engine_of(tmp_path, '[ "$1" = pull ]')
        monkeypatch.setattr(base_image, "engine_that_answers", lambda: theirs)
        with engine_with_base() as found:
            assert theirs is found
            assert private is not found

    def test_one_that_cannot_is_left_alone(
        self, private: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No stand-in goes under the official name into an engine that is not ours."""
        theirs = engine_of(tmp_path, f'echo "$@" >> {tmp_path}/asked; exit 1')
        monkeypatch.setattr(base_image, "engine_that_answers", lambda: theirs)
        with engine_with_base() as found:
            assert private is found
        asked = [line.split()[0] for line in (tmp_path / "asked").read_text().splitlines()]
        assert ["image", "pull"] == asked

    def test_a_base_that_is_not_debian_s_python_has_no_stand_in(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It would have to be guessed what is in it."""

        @contextmanager
        def started() -> Iterator[Engine]:
            yield engine_of(tmp_path, "exit 1")

        monkeypatch.setattr(base_image, "private_engine", started)
        monkeypatch.setattr(base_image, "engine_that_answers", lambda: None)
        monkeypatch.setattr(base_image, "default_base", lambda: "alpine:3.22")
        with pytest.raises(BaseMissingError, match=r"alpine:3\.22 is not of the form"), engine_with_base():
            pass

    def test_the_default_is_the_dockerfile_s(self) -> None:
        """Read from where it stands."""
        assert default_base().startswith("python:3.")
