"""What stands around a value, by mistake or not: one rule for every source."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from worker.settings import Settings, SettingsError, load_settings, settings_table

Give = Callable[[str, str], None]


def _shown(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


GIVEN: dict[str, tuple[str, Callable[[Settings], object]]] = {
    "AMQP_URL": ("amqp://u:p@broker/v", lambda all_: all_.broker.url.get_secret_value()),
    "AMQP_PREFIX": ("sms", lambda all_: all_.broker.prefix),
    "AMQP_DECLARE": ("false", lambda all_: str(all_.broker.declare).lower()),
    "ITON_BASE_URL": ("https://sms/", lambda all_: all_.gateway.base_url),
    "ITON_USERNAME": ("someone", lambda all_: all_.gateway.username.get_secret_value()),
    "ITON_PASSWORD": ("hush hush", lambda all_: all_.gateway.password.get_secret_value()),
    "ITON_API_TOKEN": ("t0ken", lambda all_: _shown(all_.gateway.api_token)),
    "ITON_TIMEOUT": ("7.5", lambda all_: str(all_.gateway.timeout)),
    "ITON_ALLOWED_PARAMS": ("a,b", lambda all_: ",".join(all_.gateway.allowed_params)),
    "WORKER_GATEWAY_METHOD": ("POST", lambda all_: all_.gateway.method),
    "WORKER_GATEWAY_TEXT_PARAM": ("text", lambda all_: all_.gateway.text_param),
    "WORKER_GATEWAY_TIMEZONE": ("Asia/Dhaka", lambda all_: all_.gateway.timezone),
    "WORKER_DEFAULT_SENDER": ("ITONXX", lambda all_: all_.sending.default_sender),
    "WORKER_DEFAULT_REGION": ("IN", lambda all_: all_.sending.default_region),
    "WORKER_RETRY_DELAYS": ("5,60", lambda all_: ",".join(map(str, all_.retry.delays))),
    "LEDGER_URL": ("redis://redis/0", lambda all_: all_.ledger.url.get_secret_value()),
    "HEALTH_HOST": ("127.0.0.1", lambda all_: all_.process.health_host),
    "HEALTH_PORT": ("9090", lambda all_: str(all_.process.health_port)),
    "LOG_LEVEL": ("debug", lambda all_: all_.process.log_level),
}
CREDENTIALS = {"ITON_USERNAME", "ITON_PASSWORD"}
SECRETS = {"AMQP_URL", "ITON_USERNAME", "ITON_PASSWORD", "ITON_API_TOKEN", "LEDGER_URL"}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start with the account alone, in .env, which everything else wins over."""
    for row in settings_table():
        monkeypatch.delenv(row.variable, raising=False)
    monkeypatch.setenv("WORKER_SECRETS_DIR", f"{tmp_path}/secrets\n")
    (tmp_path / "secrets").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["environment", ".env", "secret file"])
def give(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Give:
    """Provide a function that sets a variable, in one of the three sources."""

    def environment(name: str, value: str) -> None:
        monkeypatch.setenv(name, value)

    def dotenv(name: str, value: str) -> None:
        written = value.replace("\\", "\\\\").replace('"', '\\"')
        with (tmp_path / ".env").open("a", newline="") as file:
            file.write(f'{name}="{written}"\n')

    def secret(name: str, value: str) -> None:
        (tmp_path / "secrets" / name.lower()).write_bytes(value.encode())

    ways: dict[str, Give] = {"environment": environment, ".env": dotenv, "secret file": secret}
    give = ways[request.param]
    give("ITON_USERNAME", "someone")
    give("ITON_PASSWORD", "hush hush")
    return give


def _read(settings: Settings) -> dict[str, object]:
    return {name: read(settings) for name, (_, read) in GIVEN.items()}


def _line() -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


class TestLineBreaks:
    """Kubernetes secrets made with ``echo``, files of Windows editors."""

    @pytest.mark.parametrize("written", ["{}\n", "{}\r\n", "{}\n\n", "\ufeff{}", "\ufeff{}\r\n"])
    def test_line_breaks_behind_and_a_mark_in_front_are_cut_everywhere_alike(
        self, give: Give, written: str
    ) -> None:
        """Of every kind of setting, whatever source it comes from."""
        for variable, (value, _) in GIVEN.items():
            give(variable, written.format(value))
        settings = load_settings()
        assert {name: value for name, (value, _) in GIVEN.items()} == _read(settings)

    def test_a_dotenv_file_may_begin_with_a_byte_order_mark(self, tmp_path: Path) -> None:
        """Its first line is a setting all the same."""
        lines = b"\xef\xbb\xbfITON_USERNAME=someone\r\nITON_PASSWORD=hush\r\n"
        (tmp_path / ".env").write_bytes(lines)
        settings = load_settings()
        assert "someone" == settings.gateway.username.get_secret_value()
        assert "hush" == settings.gateway.password.get_secret_value()

    @pytest.mark.parametrize("variable", ["ITON_PASSWORD", "ITON_USERNAME"])
    def test_nothing_but_a_line_break_is_nothing(self, give: Give, variable: str) -> None:
        """The variable counts as absent."""
        give(variable, "\r\n")
        assert _line().startswith(f"{variable} is not set")


class TestBlanks:
    """At either end."""

    def test_blanks_around_a_value_are_no_part_of_it(self, give: Give) -> None:
        """No URL, number or name has any."""
        others = {name: value for name, (value, _) in GIVEN.items() if name not in CREDENTIALS}
        for variable, value in others.items():
            give(variable, f"  {value} \n")
        found = _read(load_settings())
        assert others == {name: found[name] for name in others}

    def test_those_of_a_password_are(self, give: Give) -> None:
        """In every source: nobody but its owner knows."""
        give("ITON_PASSWORD", " hush \n")
        assert " hush " == load_settings().gateway.password.get_secret_value()

    @pytest.mark.parametrize("variable", ["ITON_PASSWORD", "ITON_USERNAME"])
    def test_nothing_but_blanks_is_nothing(self, give: Give, variable: str) -> None:
        """Nobody's password is a blank: it was left out."""
        give(variable, "  \n")
        assert _line().startswith(f"{variable} is not set")


class TestOthers:
    """Characters that nobody sees, and quotes."""

    @pytest.mark.parametrize(
        ("variable", "char", "name"),
        [
            ("ITON_PASSWORD", "\u200b", "U+200B ZERO WIDTH SPACE"),
            ("ITON_PASSWORD", "\u00a0", "U+00A0 NO-BREAK SPACE"),
            ("ITON_USERNAME", "\t", "U+0009 TAB"),
            ("ITON_USERNAME", "\x07", "U+0007 a control character"),
            ("WORKER_DEFAULT_SENDER", "\u202c", "U+202C POP DIRECTIONAL FORMATTING"),
            ("AMQP_URL", "\u200b", "U+200B ZERO WIDTH SPACE"),
            ("LEDGER_URL", "\u2060", "U+2060 WORD JOINER"),
            ("ITON_BASE_URL", "\u00ad", "U+00AD SOFT HYPHEN"),
        ],
    )
    def test_at_the_end_of_a_value_they_are_refused_by_name(
        self, give: Give, variable: str, char: str, name: str
    ) -> None:
        """The line names variable and character, and shows no secret."""
        value, _ = GIVEN[variable]
        give(variable, value + char)
        line = _line()
        assert line.startswith(f"{variable} ")
        assert name in line
        assert variable not in SECRETS or value not in line

    @pytest.mark.parametrize("quote", ['"', "'"])
    @pytest.mark.parametrize(
        "variable", ["AMQP_URL", "ITON_PASSWORD", "WORKER_DEFAULT_SENDER", "ITON_TIMEOUT"]
    )
    def test_quotes_around_a_value_are_refused(self, give: Give, variable: str, quote: str) -> None:
        """Docker's --env-file keeps them; the password would be another one."""
        value, _ = GIVEN[variable]
        give(variable, f"{quote}{value}{quote}\n")
        line = _line()
        assert line.startswith(f"{variable} is in quotes")
        assert value not in line

    def test_a_quote_inside_is_part_of_it(self, give: Give) -> None:
        """Or at one end."""
        give("ITON_PASSWORD", "\"it's")
        assert "\"it's" == load_settings().gateway.password.get_secret_value()
