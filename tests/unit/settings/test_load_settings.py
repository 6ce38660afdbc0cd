"""Settings from the environment, .env and secret files."""

from pathlib import Path

import pytest

from worker.settings import SettingsError, load_settings, settings_table

CREDENTIALS = {"ITON_USERNAME": "someone", "ITON_PASSWORD": "hush-hush"}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start each test without settings of the machine it runs on."""
    for row in settings_table():
        monkeypatch.delenv(row.variable, raising=False)
    monkeypatch.setenv("WORKER_SECRETS_DIR", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with the two required variables."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def _line() -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


class TestWords:
    """``WORKER_STATUS_WORDS``."""

    def test_they_are_read_however_they_are_written(self, environment: pytest.MonkeyPatch) -> None:
        """Spaces around them, cases, the same one twice; a word may have an equals sign."""
        environment.setenv("WORKER_STATUS_WORDS", " no route = Failed, NO-ROUTE=failed,a=b=PENDING ")
        assert ("NO-ROUTE=failed", "A=B=pending") == load_settings().gateway.status_words


@pytest.mark.usefixtures("environment")
class TestDefaults:
    """What holds when only the account is set."""

    def test_are_those_of_the_contract(self) -> None:
        """Broker, prefix, ledger, gateway and health port are as the contract says."""
        settings = load_settings()
        assert settings.broker.url.get_secret_value() == "amqp://guest:guest@localhost:5672/"
        assert settings.broker.prefix == "iton"
        assert settings.broker.declare is True
        assert settings.gateway.base_url == "https://sms.iton.in/ItonSMSAPI/smsService/api/"
        assert settings.ledger.url.get_secret_value() == "sqlite:///iton-ledger.db"
        assert settings.process.health_port == 8080
        assert settings.process.drain_timeout == 25
        assert settings.retry.delays == (5, 30, 120, 600)

    def test_stand_in_the_table(self) -> None:
        """The table has every variable once, with a default and a meaning."""
        rows = settings_table()
        assert len({row.variable for row in rows}) == len(rows)
        assert all(row.default and row.meaning for row in rows)
        by_name = {row.variable: row.default for row in rows}
        assert by_name["ITON_PASSWORD"] == "required"
        assert by_name["WORKER_RETRY_DELAYS"] == "5,30,120,600"
        assert by_name["AMQP_DECLARE"] == "true"
        assert by_name["ITON_API_TOKEN"] == "unset"

    def test_hold_for_empty_variables(self, environment: pytest.MonkeyPatch) -> None:
        """An empty variable, as a chart may leave it, counts as absent."""
        environment.setenv("ITON_TIMEOUT", "")
        environment.setenv("ITON_API_TOKEN", "")
        settings = load_settings()
        assert settings.gateway.timeout == 20
        assert settings.gateway.api_token is None


@pytest.mark.usefixtures("environment")
class TestRetention:
    """The ledger must know a job for as long as it may be on its way."""

    @pytest.mark.parametrize(
        ("age", "delays", "least"),
        [
            ("86400", "5,30,120,600", 87_000),
            ("86400", "5,30,3600", 90_000),
            ("7200", "5", 7_205),
            ("4000", "86400", 90_400),
        ],
    )
    def test_it_is_as_long_as_retries(
        self, environment: pytest.MonkeyPatch, age: str, delays: str, least: int
    ) -> None:
        """The line names the variable and the smallest value, which is accepted."""
        environment.setenv("WORKER_RETRY_MAX_AGE", age)
        environment.setenv("WORKER_RETRY_DELAYS", delays)
        environment.setenv("WORKER_LEDGER_RETENTION", str(least - 1))
        line = _line()
        assert line.startswith("WORKER_LEDGER_RETENTION ")
        assert f"at least {least} " in line
        environment.setenv("WORKER_LEDGER_RETENTION", str(least))
        assert least == load_settings().ledger.retention

    @pytest.mark.parametrize(
        ("hours", "least"),
        [("10:00-21:00", 141_000), ("00:00-23:59", 94_260), ("22:00-02:00,12:00-13:00", 130_200)],
    )
    def test_it_is_as_long_as_a_night(self, environment: pytest.MonkeyPatch, hours: str, least: int) -> None:
        """In which a job may be held; and two hours, for clocks that are put back."""
        environment.setenv("WORKER_PROMOTIONAL_HOURS", hours)
        environment.setenv("WORKER_LEDGER_RETENTION", str(least - 1))
        line = _line()
        assert line.startswith("WORKER_LEDGER_RETENTION ")
        assert f"at least {least}," in line
        environment.setenv("WORKER_LEDGER_RETENTION", str(least))
        assert least == load_settings().ledger.retention

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("WORKER_PROMOTIONAL_HOURS", "always", "HH:MM-HH:MM"),
            ("WORKER_PROMOTIONAL_HOURS", "10:00-25:00", "HH:MM-HH:MM"),
            ("WORKER_PROMOTIONAL_HOURS", ",", "names no hours"),
            ("WORKER_PROMOTIONAL_HOURS", "10:00-21:00,20:00-22:00", "overlap"),
            ("WORKER_PROMOTIONAL_HOURS", "10:00-10:00", "ends where it begins"),
            ("WORKER_HOURS_TIMEZONE", "Asia/Atlantis", "no time zone"),
            ("WORKER_HOURS_TIMEZONE", "Asia", "no time zone"),
            ("WORKER_HOURS_TIMEZONE", "../../etc/passwd", "no time zone"),
            ("WORKER_SEND_AFTER_LIMIT", "-1", "seconds"),
            ("WORKER_SEND_AFTER_LIMIT", "7d", "seconds"),
        ],
    )
    def test_times_that_are_none_are_refused_by_name(
        self, environment: pytest.MonkeyPatch, name: str, value: str, words: str
    ) -> None:
        """With what to write."""
        environment.setenv(name, value)
        line = _line()
        assert line.startswith(f"{name} ")
        assert words in line

    @pytest.mark.parametrize(
        ("name", "instead"),
        [("WORKER_HOLD_LIMIT", "wait in their queues"), ("WORKER_MIN_PREFETCH", "WORKER_PREFETCH says")],
    )
    def test_a_setting_that_lost_its_meaning_is_refused_with_what_replaces_it(
        self, environment: pytest.MonkeyPatch, name: str, instead: str
    ) -> None:
        """It is no typing mistake, and must not go unnoticed."""
        environment.setenv(name, "600")
        line = _line()
        assert line.startswith(f"{name} ")
        assert instead in line

    def test_it_is_not_looked_at_beside_another_fault(self, environment: pytest.MonkeyPatch) -> None:
        """Which may be the reason for it."""
        environment.setenv("WORKER_LEDGER_RETENTION", "3600")
        environment.setenv("WORKER_RETRY_MAX_AGE", "long")
        assert _line().startswith("WORKER_RETRY_MAX_AGE ")


@pytest.mark.usefixtures("environment")
class TestSources:
    """Where values come from."""

    def test_lists_are_split_at_commas(self, environment: pytest.MonkeyPatch) -> None:
        """Spaces and a trailing comma do not matter."""
        environment.setenv("ITON_ALLOWED_PARAMS", "template_id, entity_id,")
        environment.setenv("WORKER_ALLOWED_REGIONS", "in,np")
        settings = load_settings()
        assert settings.gateway.allowed_params == ("template_id", "entity_id")
        assert settings.sending.allowed_regions == ("IN", "NP")

    def test_words_are_read_in_any_case(self, environment: pytest.MonkeyPatch) -> None:
        """Methods, levels and formats need no exact case."""
        environment.setenv("WORKER_GATEWAY_METHOD", "post")
        environment.setenv("LOG_LEVEL", "DEBUG")
        environment.setenv("LOG_FORMAT", "JSON")
        settings = load_settings()
        assert settings.gateway.method == "POST"
        assert (settings.process.log_level, settings.process.log_format) == ("debug", "json")

    @pytest.mark.parametrize(
        ("written", "host"),
        [
            ("", None),
            ("*", None),
            ("::", None),
            ("[::]", None),
            ("0.0.0.0", "0.0.0.0"),  # noqa: S104 - IPv4 alone is a choice
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]", "::1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
        ],
    )
    def test_a_health_host_is_an_address_or_all(
        self, environment: pytest.MonkeyPatch, written: str, host: str | None
    ) -> None:
        """In brackets or without."""
        environment.setenv("HEALTH_HOST", written)
        assert load_settings().process.health_host == host

    def test_a_dotenv_file_serves(self, tmp_path: Path) -> None:
        """What the environment lacks comes from .env."""
        (tmp_path / ".env").write_text("AMQP_PREFIX=sms\nITON_USERNAME=from-file\n")
        settings = load_settings()
        assert settings.broker.prefix == "sms"
        assert settings.gateway.username.get_secret_value() == "someone"

    def test_secret_files_serve_in_any_case(self, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Each file of the secrets directory is a variable; the newline at its end is not part of it."""
        secrets = tmp_path / "mounted"
        secrets.mkdir()
        (secrets / "iton_password").write_text("from-file\n")
        (secrets / "AMQP_URL").write_text("amqp://u:p@broker/\n")
        (secrets / "kubernetes.io").mkdir()
        environment.delenv("ITON_PASSWORD")
        environment.setenv("WORKER_SECRETS_DIR", str(secrets))
        settings = load_settings()
        assert settings.gateway.password.get_secret_value() == "from-file"
        assert settings.broker.url.get_secret_value() == "amqp://u:p@broker/"

    def test_a_dotenv_file_may_name_the_secrets_directory(
        self, environment: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """WORKER_SECRETS_DIR itself may stand in .env."""
        secrets = tmp_path / "elsewhere"
        secrets.mkdir()
        (secrets / "ITON_PASSWORD").write_text("from-file")
        (tmp_path / ".env").write_text(f"WORKER_SECRETS_DIR={secrets}\n")
        environment.delenv("ITON_PASSWORD")
        environment.delenv("WORKER_SECRETS_DIR")
        assert load_settings().gateway.password.get_secret_value() == "from-file"

    def test_rules_are_json(self, environment: pytest.MonkeyPatch) -> None:
        """The reply rules come as a list of objects."""
        environment.setenv("WORKER_GATEWAY_RULES", '[{"pattern": "quota", "class": "account"}]')
        assert load_settings().gateway.rules == ({"pattern": "quota", "class": "account"},)


class TestWrongSettings:
    """Each fault is one line with the variable and the remedy."""

    @pytest.mark.parametrize(
        ("variable", "value", "words"),
        [
            ("AMQP_URL", "http://broker/", "amqp://USER:PASSWORD@HOST:5672/VHOST"),
            ("AMQP_URL", "amqp://", "names no host"),
            ("AMQP_URL", "amqp://u:p/w@broker/", "percent-encoded"),
            ("AMQP_URL", "amqp://u:p\\w@broker/", "percent-encoded"),
            ("AMQP_URL", "amqp://u:p[]w@broker/", "percent-encoded"),
            ("AMQP_URL", "amqp://u:p[w@broker/", "[ ]"),
            ("AMQP_URL", "amqp://u:p@broker/?heartbeat=abc", "wrong heartbeat"),
            ("AMQP_URL", "amqp://u:p@broker/?heartbeat=", "wrong heartbeat"),
            ("AMQP_URL", "amqp://u:p@broker/?timeout=1m&heartbeat=5", "wrong timeout"),
            ("AMQP_URL", "amqp://u:p@broker/?auth=kerberos", "plain or external"),
            ("AMQP_URL", "amqp://u:p@bad broker/", "cannot be one"),
            ("AMQP_URL", "amqp://u:p\nw@broker/", "line break"),
            ("AMQP_URL", "amqp://u:p@broker/\udcff", "no UTF-8"),
            ("AMQP_PREFIX", "a b", "1 to 100 of A-Z"),
            ("AMQP_PREFIX", "amq.x", "broker keeps"),
            ("AMQP_DECLARE", "perhaps", "must be true or false"),
            ("ITON_BASE_URL", "sms.iton.in", "https://HOST/PATH/"),
            ("ITON_BASE_URL", "https:///x", "names no host"),
            ("ITON_BASE_URL", "https://me:you@sms.iton.in/", "must hold no credentials"),
            ("ITON_BASE_URL", "https://sms.iton.in/?cmd=x", "before the ?"),
            ("ITON_BASE_URL", "https://sms.iton.in/?", "before the ?"),
            ("ITON_BASE_URL", "https://sms.iton.in/#", "before the ?"),
            ("ITON_BASE_URL", "http://bad host/", "cannot be one"),
            ("ITON_BASE_URL", "http://a..b/", "cannot be one"),
            ("ITON_BASE_URL", "http://host\x01/", "control character"),
            ("ITON_BASE_URL", "http://h\udcff/", "no UTF-8"),
            ("ITON_WEB_API_URL", "api.iton.in", "https://HOST/PATH/"),
            ("ITON_WEB_API_URL", "https://me:you@api.iton.in/", "use ITON_API_TOKEN"),
            ("ITON_WEB_API_URL", "https://api.iton.in/?x=1", "before the ?"),
            ("ITON_WEB_API_URL", "https://api.iton.in/?", "before the ?"),
            ("ITON_WEB_API_URL", "https://api.iton.in/a b", "without spaces"),
            ("ITON_WEB_API_PATHS", "credentials,/media", "first segments of paths"),
            ("ITON_WEB_API_PATHS", "credentials/..", "first segments of paths"),
            ("ITON_USERNAME", "an\udcffa", "no UTF-8"),
            ("ITON_PASSWORD", "hush\udcff", "no UTF-8"),
            ("ITON_API_TOKEN", "two\nlines", "visible ASCII"),
            ("ITON_API_TOKEN", "é", "visible ASCII"),
            ("ITON_API_TOKEN", "a\x01b", "visible ASCII"),
            ("ITON_API_TOKEN", "a b", "visible ASCII"),
            ("ITON_TIMEOUT", "0", "more than 0"),
            ("ITON_TIMEOUT", "nan", "finite"),
            ("ITON_TIMEOUT", "soon", "must be a number"),
            ("ITON_RATE_LIMIT", "-1", "at least 0"),
            ("ITON_ALLOWED_PARAMS", "a&b", "parameter names"),
            ("ITON_ALLOWED_PARAMS", "password", "fills itself"),
            ("LEDGER_URL", "postgres://db/", "sqlite:///PATH"),
            ("LEDGER_URL", "sqlite://ledger.db", "three slashes"),
            ("LEDGER_URL", "postgresql://u:pw@/db", "names no host"),
            ("LEDGER_URL", "postgresql://u:pw@host", "names no database"),
            ("LEDGER_URL", "postgresql://u:p/w@host/db", "percent-encoded"),
            ("LEDGER_URL", "redis://", "names no host"),
            ("LEDGER_URL", "redis://:pw@bad host/0", "cannot be one"),
            ("LEDGER_URL", "sqlite:///:memory:", "names no file"),
            ("LEDGER_URL", "sqlite:///data/", "name of a file"),
            ("LEDGER_URL", "memory://x", "nothing behind"),
            ("WORKER_GATEWAY_TEXT_PARAM", "to", "fills itself"),
            ("HEALTH_HOST", "here", "must be an IP address"),
            ("HEALTH_HOST", "127.0.0.1:8080", "must be an IP address"),
            ("HEALTH_HOST", "10.0.0.256", "must be an IP address"),
            ("HEALTH_PORT", "70000", "65535"),
            ("HEALTH_PORT", "tcp://10.0.0.1:80", "enableServiceLinks"),
            ("LOG_LEVEL", "loud", "'debug'"),
            ("LOG_LEVEL", "warn", "did you mean warning?"),
            ("LOG_FORMAT", "jsn", "did you mean json?"),
            ("WORKER_GATEWAY_METHOD", "PSOT", "did you mean POST?"),
            ("WORKER_PREFETCH", "0", "at least 1"),
            ("WORKER_DEFAULT_REGION", "India", "two-letter"),
            ("WORKER_DEFAULT_REGION", "US", "one of WORKER_ALLOWED_REGIONS"),
            ("WORKER_GATEWAY_TIMEZONE", "Asia/Nowhere", "tz database"),
            ("WORKER_GATEWAY_RULES", "{", "is not JSON"),
            ("WORKER_GATEWAY_RULES", "[" * 100_000, "is not JSON"),
            ("WORKER_GATEWAY_RULES", f'[{{"error": {"[" * 300}{"]" * 300}}}]', "is nested too deeply"),
            ("LOG_LEVEL", "\udcff", "must be text in UTF-8"),
            ("AMQP_URL", "amqp://u:p@h/?hearbeat=5", "did you mean heartbeat?"),
            ("AMQP_URL", "amqps://u:p@h/?cacertfile=/ca.pem", "did you mean cafile?"),
            ("AMQP_URL", "amqps://u:p@h/?no_verify_sll=1", "did you mean no_verify_ssl?"),
            ("WORKER_GATEWAY_RULES", "{}", "JSON list"),
            ("WORKER_GATEWAY_PROXY", "proxy.example.com:3128", "another form"),
            ("WORKER_GATEWAY_PROXY", "socks5://proxy:1080", "http://USER:PASSWORD@HOST:PORT"),
            ("WORKER_GATEWAY_PROXY", "http://joe:s3cret@", "names no host"),
            ("WORKER_GATEWAY_PROXY", "http://joe:s3cret@proxy:3128/path", "end behind the port"),
            ("WORKER_GATEWAY_PROXY", "http://joe:s3cret@proxy:3128?", "end behind the port"),
            ("WORKER_GATEWAY_PROXY", "http://joe:s3cret@proxy:3128/#", "end behind the port"),
            ("WORKER_GATEWAY_PROXY", "http://jo%3Ae:s3cret@proxy:3128", "colon"),
            ("WORKER_GATEWAY_CA_FILE", "/nowhere/ca.pem", "(No such file or directory)"),
            ("WORKER_GATEWAY_CA_FILE", "/", "(Is a directory)"),
            ("WORKER_GATEWAY_CA_FILE", __file__, "holds no certificate"),
            ("WORKER_RETRY_DELAYS", "30,5", "rising"),
            ("WORKER_RETRY_DELAYS", "5,x", "must be a whole number"),
            ("WORKER_TRACK_DELAYS", "0", "1 to 20 whole seconds"),
            ("WORKER_TRACK_DELAYS", "30,-1", "1 to 20 whole seconds"),
            ("WORKER_TRACK_DELAYS", "86401", "1 to 20 whole seconds"),
            ("WORKER_TRACK_DELAYS", ",", "1 to 20 whole seconds"),
            ("WORKER_TRACK_DELAYS", ",".join(["1"] * 21), "1 to 20 whole seconds"),
            ("WORKER_TRACK_DELAYS", "1.5", "must be a whole number"),
            ("WORKER_TRACK_LIMIT", "0", "must be at least 1"),
            ("WORKER_TRACK_LIMIT", "two days", "must be a whole number"),
            ("WORKER_STATUS_WORDS", "PARKED", "WORD=STATUS"),
            ("WORKER_STATUS_WORDS", "=failed", "WORD=STATUS"),
            ("WORKER_STATUS_WORDS", "PARKED=", "another status"),
            ("WORKER_STATUS_WORDS", "PARKED=parked", "another status"),
            ("WORKER_STATUS_WORDS", "PARKED=unknown", "another status"),
            ("WORKER_STATUS_WORDS", "no route=failed,NO_ROUTE=expired", "two statuses"),
            ("WORKER_URGENT_CALLS", "800", "less than WORKER_MAX_CALLS"),
            ("WORKER_MIN_CALLS", "801", "not be more than WORKER_MAX_CALLS"),
        ],
    )
    def test_name_the_variable_and_the_remedy(
        self, environment: pytest.MonkeyPatch, variable: str, value: str, words: str
    ) -> None:
        """The line starts with the variable and says what would be right."""
        environment.setenv(variable, value)
        line = _line()
        assert line.startswith(variable + " ")
        assert words in line
        assert "\n" not in line
        assert "s3cret" not in line

    @pytest.mark.parametrize(
        ("url", "kind"),
        [
            ("", "a SQLite file"),  # the default: the key is missing in the Secret
            ("sqlite:////data/ledger.db", "a SQLite file"),
            ("memory://", "memory"),
            ("unix://:s3cret@/redis.sock", "a Redis behind a socket"),
        ],
    )
    def test_a_ledger_that_pods_cannot_share_is_refused_where_they_must(
        self, environment: pytest.MonkeyPatch, url: str, kind: str
    ) -> None:
        """A ledger of each pod's own would send texts twice; the line names LEDGER_URL and what to write."""
        environment.setenv("WORKER_SHARED_LEDGER", "true")
        environment.setenv("LEDGER_URL", url)
        line = _line()
        assert line.startswith(f"LEDGER_URL means {kind}")
        assert "set LEDGER_URL to redis://HOST:PORT/DB" in line
        assert "s3cret" not in line

    @pytest.mark.parametrize(
        "url",
        [
            "redis://redis/0",
            "REDISS://:s3cret@redis:6380/0",
            "postgresql://worker:s3cret@one:5432,two/db?sslmode=verify-full",
        ],
    )
    def test_a_server_can_be_shared(self, environment: pytest.MonkeyPatch, url: str) -> None:
        """With TLS or without; what it is can be told without its URL."""
        environment.setenv("WORKER_SHARED_LEDGER", "true")
        environment.setenv("LEDGER_URL", url)
        assert load_settings().ledger.kind.endswith("for any number of workers")

    @pytest.mark.parametrize("name", ["body", "Body"])
    def test_no_job_may_give_the_text_another_time(self, environment: pytest.MonkeyPatch, name: str) -> None:
        """In any case of its letters: which of the two a gateway takes is not known."""
        environment.setenv("WORKER_GATEWAY_TEXT_PARAM", "body")
        environment.setenv("ITON_ALLOWED_PARAMS", f"template,{name}")
        assert _line().startswith("ITON_ALLOWED_PARAMS must not name the parameter with the text")

    def test_missing_credentials_are_named(self) -> None:
        """Several faults are still one line: the first, and the names of the others."""
        line = _line()
        assert line.startswith("ITON_USERNAME is not set")
        assert line.endswith("(and 1 more: ITON_PASSWORD)")

    def test_the_web_api_needs_a_token(self, environment: pytest.MonkeyPatch) -> None:
        """It serves nobody without one; the commands that make no call need none."""
        environment.setenv("ITON_WEB_API_URL", "https://api.iton.in/v1")
        with pytest.raises(SettingsError, match=r"^ITON_API_TOKEN is not set, and ITON_WEB_API_URL needs it"):
            load_settings()
        assert load_settings(credentials=False).web_api.url == "https://api.iton.in/v1"
        environment.setenv("ITON_API_TOKEN", "t0ken")
        environment.setenv("ITON_WEB_API_PATHS", "credentials, v2/media")
        assert load_settings().web_api.paths == ("credentials", "v2/media")

    def test_credentials_may_be_left_out_where_no_call_is_made(self) -> None:
        """Commands that only talk to the broker need no ITON account."""
        assert load_settings(credentials=False).gateway.username.get_secret_value() == ""

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("ITON_PASSWORD", "a\x01 b\n\u2028é"),
            ("ITON_BASE_URL", "http://münchen.example/a b/"),
            ("ITON_BASE_URL", "http://[::1]:8080/"),
            ("ITON_BASE_URL", "http://sms_gateway.default.svc.cluster.local./"),
            ("AMQP_URL", "amqps://u:p@10.0.0.1:5671/v?heartbeat=0&timeout=5&cafile=/ca.pem&auth=EXTERNAL"),
            ("LEDGER_URL", "sqlite:////data files/iton ledger.db"),
        ],
    )
    def test_what_can_be_used_is_none(
        self, environment: pytest.MonkeyPatch, variable: str, value: str
    ) -> None:
        """Control characters in a password can be sent, spaces in a path as well."""
        environment.setenv(variable, value)
        load_settings()

    def test_never_quote_a_value(self, environment: pytest.MonkeyPatch) -> None:
        """A password in the wrong place stays out of the message, its representation and its causes."""
        environment.setenv("AMQP_URL", "http://u:s3cret-value@broker/")
        environment.setenv("ITON_TIMEOUT", "s3cret-value")
        with pytest.raises(SettingsError) as caught:
            load_settings()
        assert "s3cret-value" not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"

    @pytest.mark.usefixtures("environment")
    def test_a_bad_dotenv_line_is_named(self, tmp_path: Path) -> None:
        """A line that the parser would skip with a warning is an error."""
        (tmp_path / ".env").write_text("AMQP_PREFIX=sms\nthis is no setting\n")
        assert _line() == ".env: line 2 cannot be read; write NAME=value, quotes closed"

    def test_an_unreadable_secret_file_is_an_error(
        self, environment: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Bytes that are no text do not pass for a password."""
        secrets = tmp_path / "mounted"
        secrets.mkdir()
        (secrets / "ITON_API_TOKEN").write_bytes(b"\xff\xfe")
        environment.setenv("WORKER_SECRETS_DIR", str(secrets))
        assert _line().startswith("WORKER_SECRETS_DIR: a file in ")

    def test_a_directory_that_cannot_be_looked_for_is_an_error(self, environment: pytest.MonkeyPatch) -> None:
        """As where one above it is somebody else's: its secrets do not count as absent."""
        environment.setenv("WORKER_SECRETS_DIR", f"/{'x' * 300}")
        assert _line().endswith("cannot be listed; let this user read it, or name another")


class TestSecrets:
    """What the logs must hide."""

    def test_are_the_account_and_the_passwords_of_the_urls(self, environment: pytest.MonkeyPatch) -> None:
        """User name apart, everything secret is listed."""
        environment.setenv("ITON_API_TOKEN", "tok-tok-tok")
        environment.setenv("AMQP_URL", "amqp://u:broker%2Fpw@h/")
        environment.setenv("LEDGER_URL", "redis://:ledgerpw@h/0")
        environment.setenv("WORKER_GATEWAY_PROXY", "http://u:proxypw@h:3128")
        settings = load_settings()
        assert settings.secrets() == ("hush-hush", "tok-tok-tok", "broker%2Fpw", "ledgerpw", "proxypw")
        assert "proxypw" not in repr(settings)
        assert settings.names() == ("someone",)

    @pytest.mark.parametrize("password", ["p[w", "p]w", "p[]w", "p\u2100w", "p\uff05w", "p:w"])
    @pytest.mark.parametrize("shared", ["true", "false"])
    def test_those_of_postgresql_may_have_what_other_urls_must_not(
        self, environment: pytest.MonkeyPatch, password: str, shared: str
    ) -> None:
        """Whatever its library reads, without a parser's error that would quote the password."""
        environment.setenv("WORKER_SHARED_LEDGER", shared)
        environment.setenv("LEDGER_URL", f"postgresql://u:{password}@h1:1,[::1]:2/db?sslmode=require")
        settings = load_settings()
        assert password in settings.secrets()
        assert "a PostgreSQL, for any number of workers" == settings.ledger.kind

    @pytest.mark.usefixtures("environment")
    def test_are_not_in_the_representation(self) -> None:
        """Printing the settings shows no credential."""
        shown = repr(load_settings())
        assert "hush-hush" not in shown
        assert "someone" not in shown
        assert "guest:guest" not in shown
