"""Where Helm comes from."""

import platform
from pathlib import Path

import pytest

from scripts import helm_tool
from scripts.uv_tool import SetUpError
from tests.support.chart import run_helm


class TestHelmTool:
    """The pinned program, or one that is named."""

    def test_it_is_the_pinned_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The same one everywhere."""
        monkeypatch.delenv("HELM", raising=False)
        assert run_helm("version", "--short").stdout.startswith(helm_tool.VERSION)

    def test_one_that_is_named_is_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another version, say."""
        monkeypatch.setenv("HELM", "/opt/helm4/helm")
        assert helm_tool.helm() == Path("/opt/helm4/helm")

    def test_elsewhere_it_says_what_to_do(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """The package holds a program for one platform."""
        monkeypatch.delenv("HELM", raising=False)
        monkeypatch.setattr(helm_tool, "PROGRAM", tmp_path / "helm")
        monkeypatch.setattr(platform, "machine", lambda: "riscv64")
        with pytest.raises(SetUpError, match="set HELM to its path"):
            helm_tool.helm()
