"""The schema of the ledger's database: its text, its version, and the rights that working takes."""

import re
from functools import cache
from importlib.resources import files

VERSION = 1
"""Of the schema that this release makes. It works with any whose ``usable_by`` is not above it."""

_WORD = re.compile(r"[a-z_][a-z0-9_$]*")
_RIGHTS = """\
GRANT USAGE ON SCHEMA iton_worker TO {role};
GRANT SELECT ON iton_worker.version TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON iton_worker.entries TO {role};
GRANT SELECT, INSERT, UPDATE ON iton_worker.probes, iton_worker.rates TO {role};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA iton_worker TO {role};
"""


@cache
def script() -> str:
    """Return the SQL that makes the schema, or leaves it as it is."""
    return files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")


def rights(role: str) -> str:
    """Return the SQL that gives *role* what a worker needs, and no more."""
    quoted = role if _WORD.fullmatch(role) else '"' + role.replace('"', '""') + '"'
    return _RIGHTS.format(role=quoted)


def alone() -> str:
    """Return the SQL that has two who make the schema wait for each other; in front of the script."""
    return "SELECT pg_advisory_xact_lock(hashtext('iton_worker.schema'));\n"
