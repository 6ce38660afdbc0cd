"""Which ledger a command means that takes two of them."""

import os

from worker.bootstrap.adapters import ledger_at
from worker.client.ledger_moving import Store
from worker.domain.errors import LedgerUnavailableError
from worker.ledger import AnyLedger, MemoryLedger, SqliteLedger
from worker.settings import Settings, SettingsError
from worker.settings.urls import password_in

_OF_VARIABLE = "env:"


def store_at(given: str, option: str, settings: Settings) -> Store:
    """Return the store that *given* names, the value of *option*: a URL, or ``env:`` and a variable's name.

    ``env:LEDGER_URL`` is the setting, wherever it comes from.

    Raises:
        SettingsError: it names none, or is a URL with a password, which all users of the machine could read.
    """
    name = given.removeprefix(_OF_VARIABLE)
    if name == given:
        if password_in(given):
            raise SettingsError(
                f"{option} has a password, which every user of the machine can read on a command line; put "
                f"the URL into a variable and write {option} env:NAME"
            )
        return _open(given, option, settings)
    if name == "LEDGER_URL":
        return _open(settings.ledger.url.get_secret_value(), option, settings)
    if name not in os.environ:
        raise SettingsError(f"{option} names the variable {name}, which is not set; export it, with the URL")
    return _open(os.environ[name], option, settings)


def insist_on_readable(ledger: AnyLedger) -> Store:
    """Return the ledger of the setting for a command that only reads.

    Raises:
        SettingsError: nobody but its process can see it.
        LedgerUnavailableError: the file is not there, and must not be made for a look.
    """
    if isinstance(ledger, MemoryLedger):
        raise SettingsError("LEDGER_URL is memory://, which only its own process can look into")
    insist_on_there(ledger, "LEDGER_URL")
    return ledger


def insist_on_there(ledger: AnyLedger | Store, option: str) -> None:
    """Return unless *ledger*, which *option* names, is a file that is not there.

    Its first use would make it, and a mistyped name would be taken for a ledger without entries.

    Raises:
        LedgerUnavailableError: there is no such file.
    """
    if isinstance(ledger, SqliteLedger) and not ledger.is_there:
        raise LedgerUnavailableError(
            "ledger_absent", f"there is no ledger at {option}: no worker has used it yet, or it is another's"
        )


def _open(url: str, option: str, settings: Settings) -> Store:
    ledger = ledger_at(url, settings, label=option)
    if isinstance(ledger, MemoryLedger):
        raise SettingsError(
            f"{option} is memory://, which holds nothing of another process; name another ledger"
        )
    return ledger
