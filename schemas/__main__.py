"""``python -m schemas write|check|print``: the generated documents of the contract."""

import argparse
import sys
from pathlib import Path

from schemas import contract
from schemas.channels import DEFAULT_PREFIX


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when all is well, 1 when `check` found a difference, 2 for an unknown document."""
    options = _parser().parse_args(arguments)
    if options.command == "write":
        return _say([f"wrote {path}" for path in contract.write(options.directory, options.prefix)])
    if options.command == "check":
        drift = contract.check(options.directory, options.prefix)
        _say([*drift, "run: python -m schemas write"] if drift else ["all documents are current"])
        return 1 if drift else 0
    return _print(options.name, options.prefix)


def _print(name: str | None, prefix: str) -> int:
    documents = contract.documents(prefix)
    if name is None:
        return _say(list(documents))
    if name not in documents:
        sys.stderr.write(f"there is no document {name}; there are: {', '.join(documents)}\n")
        return 2
    sys.stdout.write(documents[name])
    return 0


def _say(lines: list[str]) -> int:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m schemas", description="JSON Schemas and the AsyncAPI document of the contract."
    )
    parser.add_argument(
        "--prefix", default=DEFAULT_PREFIX, help="of exchanges and queues (default: %(default)s)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command, purpose in (
        ("write", "write all documents"),
        ("check", "say which documents are out of date"),
    ):
        one = commands.add_parser(command, help=purpose)
        one.add_argument("directory", nargs="?", type=Path, default=contract.GENERATED)
    shown = commands.add_parser("print", help="print one document, or the names of all")
    shown.add_argument("name", nargs="?")
    return parser


if __name__ == "__main__":
    sys.exit(main())
