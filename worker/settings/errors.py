"""The one error of the settings."""

from worker.domain.errors import WorkerError


class SettingsError(WorkerError):
    """A setting is missing, wrong or misspelt.

    ``str(error)`` is exactly one line that names the variable, what is wrong and the remedy, and quotes no
    value: somebody may have put a password into the wrong variable.
    """

    def __init__(self, line: str) -> None:
        super().__init__("wrong_setting", " ".join(line.split()))

    def __str__(self) -> str:
        return self.detail
