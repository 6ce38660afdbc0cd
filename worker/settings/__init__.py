"""Settings: read once at the start, each checked, frozen. Only the composition root hands them on."""

from worker.settings.errors import SettingsError
from worker.settings.gateway import GatewaySettings
from worker.settings.loading import Settings, load_settings
from worker.settings.sections import (
    BrokerSettings,
    CreditSettings,
    LedgerSettings,
    ProcessSettings,
    RetrySettings,
    SendingSettings,
    TrackSettings,
)
from worker.settings.table import SettingRow, settings_table

__all__ = [
    "BrokerSettings",
    "CreditSettings",
    "GatewaySettings",
    "LedgerSettings",
    "ProcessSettings",
    "RetrySettings",
    "SendingSettings",
    "SettingRow",
    "Settings",
    "SettingsError",
    "TrackSettings",
    "load_settings",
    "settings_table",
]
