"""The command line without a broker: help, usage, settings, input."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.restored_logs import restored_logs
from worker.cli.app import main
from worker.settings import settings_table

_COST = "gsm7 in 1 segment; 2 credits at the most"
COMMANDS = [
    *("run", "submit", "cancel", "results", "topology", "check", "simulate-gateway", "schema"),
    *("dead", "job", "ledger"),
]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Start each test without settings of the machine it runs on, and with a wide screen."""
    for row in settings_table():
        monkeypatch.delenv(row.variable, raising=False)
    monkeypatch.setenv("WORKER_SECRETS_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.chdir(tmp_path)
    with restored_logs():
        yield


class TestHelp:
    """What a newcomer reads."""

    def test_names_every_command_and_the_exit_codes(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The page of the whole."""
        assert main(["--help"]) == 0
        shown = capsys.readouterr().out
        assert [command for command in COMMANDS if command not in shown] == []
        assert "Exit codes: 0" in shown

    @pytest.mark.parametrize(
        "command",
        [
            *([one] for one in COMMANDS),
            ["dead", "list"],
            ["dead", "show"],
            ["job", "show"],
            ["ledger", "move"],
        ],
    )
    def test_of_each_command_has_examples(
        self, command: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Except the group, which lists its commands."""
        assert main([*command, "--help"]) == 0
        assert ("iton-worker " + " ".join(command)) in capsys.readouterr().out

    def test_no_command_takes_a_password(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Options are seen in the process list."""
        for command in COMMANDS:
            main([command, "--help"])
        shown = capsys.readouterr().out.lower()
        assert "--password" not in shown
        assert "--username" not in shown
        assert "--url" not in shown

    def test_the_version_is_printed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Name and number."""
        assert main(["--version"]) == 0
        assert capsys.readouterr().out.startswith("iton-worker ")


class TestUsage:
    """Wrong arguments end with 2."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ["nope"],
            ["run", "--nope"],
            ["submit"],
            ["submit", "--csv", "a", "--jsonl", "b"],
            ["submit", "--csv", "a", "--to", "1"],
            ["submit", "--jsonl", "a", "--text", "x"],
            ["submit", "--kind", "account", "--urgent"],
            ["submit", "--to", "1", "--param", "x"],
            ["submit", "--kind", "cancel", "--job-id", "a"],
            ["cancel"],
            ["cancel", "a", "b"],
            ["cancel", "a", "--metadata", "x"],
            ["job", "show"],
            ["job", "list", "--state", "nope"],
            ["job", "list", "--limit", "0"],
            ["results", "--take"],
            ["results", "--unrouted", "--take", "--job-id", "a"],
            ["submit", "--to"],
            ["submit", "--to", "1", "--text", "a", "--text", "b"],
            ["submit", "--yes=1"],
            ["dead", "list", "--limit", "1", "--limit", "2"],
            ["dead", "list", "--older-than", "9999999d"],
            ["dead", "list", "--older-than", "2h", "--newer-than", "1h"],
            ["dead", "purge", "--yes", "--older-than", "60m", "--newer-than", "1h"],
            ["dead", "show", "1", "--json", "--body"],
            ["job", "show", "a b"],
            ["results", "--job-id", "order-1841/1"],
            ["schema", "send-job", "--output", "x"],
            ["schema", "--prefix", "a b"],
            ["schema", "nope"],
            ["simulate-gateway", "--set", "nope"],
            ["simulate-gateway", "--set", "nope=1"],
            ["simulate-gateway", "--set", "latency=soon"],
            ["simulate-gateway", "--set", "password=x"],
        ],
    )
    def test_is_refused(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """With what is wrong and where the help is, a line each, on stderr and nothing on stdout."""
        assert main(arguments) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        wrong, remedy = captured.err.splitlines()
        assert wrong.startswith("iton-worker: ")
        path = " ".join(arguments[:2] if arguments[0] in {"dead", "job"} else arguments[:1])
        shown = "iton-worker" if arguments == ["nope"] else f"iton-worker {path}"
        assert remedy == f"iton-worker: `{shown} --help` shows how it goes"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["submit", "--to", "1", "--text", "a", "--text", "b"], "--text: is given more than once"),
            (["dead", "list", "--older-than", "9999999d"], "--older-than: nothing is as old as that"),
            (
                ["dead", "replay", "--older-than", "2d", "--newer-than", "1d"],
                "--newer-than: goes with a shorter --older-than only: no letter is both",
            ),
            (["results", "--job-id", "a b"], "--job-id: a b is no job id: 1 to 128 of A-Z a-z 0-9 . _ : -"),
            (["schema", "--prefix", "a b"], "--prefix: must be 1 to 100 of A-Z a-z 0-9 . _ : -; iton, say"),
        ],
    )
    def test_names_the_option(
        self, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Which value would be lost, or is none."""
        assert main(arguments) == 2
        assert capsys.readouterr().err.startswith(f"iton-worker: {words}")

    def test_a_repeated_flag_does_no_harm(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Nothing is lost by it, nor by options that may be given again."""
        words = [
            "--to",
            "9876543210",
            "--to",
            "9876543211",
            "--text",
            "a",
            "--metadata",
            "a=1",
            "--metadata",
            "b=2",
        ]
        assert main(["submit", *words, "--dry-run", "--dry-run"]) == 0
        assert "2 distinct" in capsys.readouterr().err


class TestSettings:
    """A wrong setting is one line and exit code 2."""

    @pytest.mark.parametrize("command", [["run"], ["topology"], ["dead", "list"], ["results"]])
    def test_stops_every_command(self, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """The line names the variable."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("AMQP_URL", "http://u:hush-hush@broker/")
            assert main(command) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert "AMQP_URL" in captured.err
        assert "hush-hush" not in captured.err

    def test_run_wants_credentials(self, capsys: pytest.CaptureFixture[str]) -> None:
        """And says which variable is missing."""
        assert main(["run"]) == 2
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert "ITON_USERNAME" in captured.err

    def test_check_reports_them_as_a_finding(self, capsys: pytest.CaptureFixture[str]) -> None:
        """In the form that was asked for."""
        assert main(["check", "--json"]) == 2
        finding = json.loads(capsys.readouterr().out)
        assert (finding["part"], finding["ok"]) == ("settings", False)
        assert "ITON_USERNAME" in finding["detail"]


class TestTopology:
    """What is printed of it."""

    def test_is_json_for_scripts(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Queues with their arguments, under the prefix."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("AMQP_PREFIX", "sms")
            assert main(["topology", "--json"]) == 0
        queues = {queue["name"]: queue for queue in json.loads(capsys.readouterr().out)["queues"]}
        assert queues["sms.send"]["arguments"]["x-queue-type"] == "quorum"

    def test_is_a_table_for_people(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A line a thing, none of it cut where no terminal is."""
        assert main(["topology"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split() == ["WHAT", "NAME", "TYPE", "OR", "KEY", "MORE"]
        assert any(line.startswith("queue     iton.send.urgent ") and "x-overflow" in line for line in lines)


class TestSchema:
    """The documents of the contract."""

    def test_are_listed_printed_and_written(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """By name, with or without the endings."""
        assert main(["schema"]) == 0
        assert "send-job.schema.json" in capsys.readouterr().out.splitlines()
        assert main(["schema", "send-job"]) == 0
        printed = capsys.readouterr().out
        assert "recipients" in json.loads(printed)["properties"]
        assert main(["schema", "--output", str(tmp_path / "out")]) == 0
        assert (tmp_path / "out" / "send-job.schema.json").read_text() == printed


class TestSubmitWithoutBroker:
    """What happens before anything is published."""

    def test_a_dry_run_prints_ids_and_a_summary(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Ids to stdout, the summary to stderr."""
        numbers = ["--to", "919876543210,+91 98765 43210", "--to", "919876543211"]
        assert main(["submit", "--dry-run", *numbers, "--text", "x", "--job-id", "j"]) == 0
        captured = capsys.readouterr()
        assert captured.out == "j\n"
        assert captured.err.splitlines() == [
            f"iton-worker: 1 job to 3 recipients: 2 distinct, none invalid; {_COST}",
            "iton-worker: nothing published",
        ]

    def test_a_dry_run_in_json_is_one_object(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With every job."""
        arguments = [
            "submit",
            "--dry-run",
            "--json",
            "--kind",
            "status",
            "--message-id",
            "a",
            "--job-id",
            "j",
        ]
        assert main(arguments) == 0
        summary = json.loads(capsys.readouterr().out)
        assert summary["jobs"] == [{"job_id": "j", "routing_key": "status", "entries": 1}]
        assert (summary["published"], summary["dry_run"], summary["error"]) == (0, True, None)

    def test_wrong_input_is_named_line_by_line(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """Exit code 2: nothing was done."""
        (tmp_path / "a.jsonl").write_text('{"recipents": ["1"], "text": "x"}\nnope\n')
        assert main(["submit", "--jsonl", "a.jsonl"]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert lines[0].startswith("iton-worker: line 1: `recipents` is no field")
        assert lines[-1].startswith("iton-worker: line 2: ")

    def test_a_broker_that_is_down_is_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With what to do; the password is not in it."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("AMQP_URL", "amqp://guest:hush-hush@127.0.0.1:1/")
            assert main(["submit", "--to", "919876543210", "--text", "x"]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        _, trouble, remedy = captured.err.splitlines()
        assert "127.0.0.1:1 cannot be reached: connection refused: job cli-" in trouble
        assert trouble.endswith(" is not published")
        assert "repeat the command with --job-id cli-" in remedy
        assert "hush-hush" not in captured.err

    def test_every_part_that_is_down_is_a_line_of_check(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Broker and gateway refuse connections; the ledger works."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("AMQP_URL", "amqp://guest:guest@127.0.0.1:1/")
            patched.setenv("ITON_BASE_URL", "http://127.0.0.1:1/")
            patched.setenv("ITON_USERNAME", "someone")
            patched.setenv("ITON_PASSWORD", "hush-hush")
            patched.setenv("LEDGER_URL", "memory://")
            assert main(["check"]) == 1
        captured = capsys.readouterr()
        words = [line.split()[:2] for line in captured.out.splitlines()]
        assert words == [
            ["ok", "settings"],
            ["failed", "broker"],
            ["failed", "topology"],
            ["failed", "gateway"],
            ["ok", "ledger"],
        ]
        assert "memory, for one process" in captured.out
        assert "hush-hush" not in captured.out + captured.err

    @pytest.mark.parametrize("command", ["check", "run"])
    def test_a_ledger_that_pods_do_not_share_ends_it_at_once(
        self, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Where the pods must share one and LEDGER_URL is missing: code 2, and one line that names it."""
        settings = {"ITON_USERNAME": "someone", "ITON_PASSWORD": "hush-hush", "WORKER_SHARED_LEDGER": "true"}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        assert main([command]) == 2
        captured = capsys.readouterr()
        (line,) = (captured.out + captured.err).splitlines()
        assert "LEDGER_URL means a SQLite file" in line


class TestSimulator:
    """The stand-in's options."""

    def test_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With default and meaning."""
        assert main(["simulate-gateway", "--list"]) == 0
        assert any(line.startswith("latency ") for line in capsys.readouterr().out.splitlines())

    @pytest.mark.parametrize("host", ["192.0.2.1", "nobody.invalid", "a" * 70])
    def test_an_address_of_others_is_one_line(self, capsys: pytest.CaptureFixture[str], host: str) -> None:
        """With the remedy; another port would be none."""
        assert main(["simulate-gateway", "--host", host]) == 1
        assert "it is no address of this machine; choose another with --host\n" in capsys.readouterr().err

    def test_a_port_that_cannot_be_had_is_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With the remedy."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            assert main(["simulate-gateway", "--port", str(taken.getsockname()[1])]) == 1
        assert "choose another port with --port" in capsys.readouterr().err
