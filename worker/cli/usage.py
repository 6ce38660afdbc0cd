"""What is wrong with the words of a command, in one line, and options whose values are a closed set."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from worker.cli.terminal import output_errors

Known = Callable[[], Iterable[str]]

_SHORT_LIST = 8
_HINT = re.compile(r"^Invalid value(?: for )?'?(.*?)'?(?: \(env var: '\w+'\))?: ", re.DOTALL)


class Command(TyperCommand):
    """A command whose help shows no type beside flags, which take no value, and tells of a full disk.

    An option that takes one value is taken once: the library lets the last one win, without a word.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer keeps these types to itself
        """Take the command's words.

        Raises:
            typer.BadParameter: an option that takes one value has more.
            TyperException: any other fault, with the command whose help shows how it goes.
        """
        try:
            _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        except TyperException as error:
            error.ctx = getattr(error, "ctx", None) or ctx  # type: ignore[attr-defined]  # its usage errors have one
            raise
        _refuse_repeats(order, ctx)
        return super().parse_args(ctx, args)

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - typer keeps these types to itself
        """Return the options, flags without a type."""
        return _without_types_of_flags(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - typer keeps these types to itself
        """Write the help."""
        with output_errors():
            super().format_help(ctx, formatter)


class Group(TyperGroup):
    """The same for a name in front of commands."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - as above
        """Return the options, flags without a type."""
        return _without_types_of_flags(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - typer keeps these types to itself
        """Write the help."""
        with output_errors():
            super().format_help(ctx, formatter)


def _refuse_repeats(given: Iterable[Any], ctx: Any) -> None:  # noqa: ANN401 - as above
    seen: set[Any] = set()
    for option in given:
        single = option.param_type_name == "option" and not (option.is_flag or option.multiple)
        if single and option.name in seen:
            raise typer.BadParameter("is given more than once: give it once", ctx=ctx, param=option)
        seen.add(option.name)


def _without_types_of_flags(options: list[Any]) -> list[Any]:
    for option in options:
        if getattr(option, "is_flag", False) and option.metavar is None:
            option.metavar = ""
    return options


def one_of(*values: str, known: Known | None = None) -> Callable[[str], str]:
    """Return a parser of an option that takes nothing but *values*, or what *known* returns."""

    def parse(given: str) -> str:
        allowed = list(known() if known else values)
        if given not in allowed:
            raise typer.BadParameter(none_of(given, allowed))
        return given

    return parse


def job_id_of(given: str) -> str:
    """Take what can be the id of a job: no worker knows another, and no result has one.

    Raises:
        typer.BadParameter: it cannot.
    """
    from schemas.checks import ID_PATTERN  # noqa: PLC0415 - the help must not wait for it

    if not re.fullmatch(ID_PATTERN, given):
        raise typer.BadParameter(f"{given} is no job id: 1 to 128 of A-Z a-z 0-9 . _ : -")
    return given


def none_of(given: str, known: Iterable[str]) -> str:
    """Say that *given* is none of *known*, and what was probably meant, or else what there is."""
    from worker.domain.plain_words import closest  # noqa: PLC0415 - the help must not wait for it

    names = list(known)
    meant = closest(given, names)
    listed = ", ".join(names)
    if meant is None:
        return f"{given} is none of {listed}"
    among = listed if len(names) <= _SHORT_LIST else f"the {len(names)} there are"
    return f"{given} is none of {among}; did you mean {meant}?"


def pairs_of(given: Iterable[str] | None, option: str) -> dict[str, str]:
    """Split NAME=VALUE, each name once.

    Raises:
        typer.BadParameter: another form, or a name that comes twice: one of its values would be lost.
    """
    pairs: dict[str, str] = {}
    for pair in given or ():
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            raise typer.BadParameter(f"{pair} is no NAME=VALUE", param_hint=option)
        if name in pairs:
            raise typer.BadParameter(f"{name} is given twice: give it once", param_hint=option)
        pairs[name] = value
    return pairs


def usage_lines(error: TyperException) -> list[str]:
    """Say what is wrong with a command's words, and where its help is."""
    words = _words(error)
    if not words:  # the help itself was the answer
        return []
    path = getattr(getattr(error, "ctx", None), "command_path", None) or "iton-worker"
    return [words, f"`{path} --help` shows how it goes"]


def _words(error: TyperException) -> str:
    message = error.format_message().strip()
    found = _HINT.match(message)
    if not found:
        return " ".join(message.split()).rstrip(".")
    return f"{found[1]}: {_plainly(error, message[found.end() :])}".removeprefix(": ")


def _plainly(error: TyperException, message: str) -> str:
    """Take our own words as they are, and put the validation library's into ours."""
    from pydantic import ValidationError  # noqa: PLC0415 - the help must not wait for it

    from worker.domain.plain_words import in_words  # noqa: PLC0415 - as above

    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return " ".join(message.split())
    return in_words(cause.errors(include_url=False)[0])
