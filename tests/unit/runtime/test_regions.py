"""Whose numbers the settings accept."""

from pathlib import Path

import pytest

from worker.bootstrap.rules import numbering_of
from worker.settings import SettingsError, load_settings


class TestRegions:
    """``WORKER_ALLOWED_REGIONS``."""

    def test_one_without_phone_numbers_is_refused_by_name(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """With UK for GB each British number would be invalid, and nobody would say why."""
        monkeypatch.setenv("WORKER_ALLOWED_REGIONS", "IN,UK")
        settings = load_settings(credentials=False, env_file=tmp_path / "none")
        with pytest.raises(SettingsError, match=r"^WORKER_ALLOWED_REGIONS names a region .* or GB"):
            numbering_of(settings)

    def test_all_others_are_accepted(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Any that the library of phone numbers knows."""
        monkeypatch.setenv("WORKER_ALLOWED_REGIONS", "IN,gb,US")
        settings = load_settings(credentials=False, env_file=tmp_path / "none")
        assert {"IN", "GB", "US"} == numbering_of(settings).allowed_regions
