"""Options whose values are a closed set, and names that are given twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import AccountJob, SendJob
from schemas.channels import JobKind
from schemas.failures import FailureCode
from tests.support.restored_logs import restored_logs
from worker.cli import submit
from worker.cli.app import main
from worker.cli.dead_options import KINDS
from worker.cli.usage import none_of

ONE = ["submit", "--dry-run", "--to", "919876543210", "--text", "x"]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Start each test in an empty folder, without the machine's secrets."""
    monkeypatch.setenv("WORKER_SECRETS_DIR", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    with restored_logs():
        yield


class TestClosedSets:
    """What is none of them is refused, with what was probably meant."""

    @pytest.mark.parametrize(
        ("arguments", "meant"),
        [
            (["dead", "list", "--reason", "text_to_long"], "text_too_long"),
            (["dead", "list", "--counts", "--reason", "Retries-Exhausted"], "retries_exhausted"),
            (["dead", "replay", "--reason", "deliverylimit"], "delivery_limit"),
            (["dead", "purge", "--reason", "not_json", "--reason", "not_utf"], "not_utf8"),
            (["dead", "export", "--kind", "acount"], "account"),
            (["dead", "lst"], "list"),
            ([*ONE, "--category", "promo"], "promotional"),
            ([*ONE, "--dnd", "skipp"], "skip"),
            ([*ONE, "--on-uncertain", "resent"], "resend"),
            (["submit", "--kind", "sned"], "send"),
            (["sumbit"], "submit"),
            (["schema", "send"], "send-job"),
            (["schema", "send-reslut"], "send-result"),
            (["simulate-gateway", "--set", "reply_form=txet"], "text"),
            (["simulate-gateway", "--set", "latncy=1"], "latency"),
        ],
    )
    def test_a_typo_is_refused_with_what_was_meant(
        self, arguments: list[str], meant: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Exit code 2, and nothing on stdout: no empty list that looks like an answer."""
        assert main(arguments) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert f"id you mean {meant}?" in captured.err.replace("'", "")

    def test_what_is_like_none_of_them_is_answered_with_the_list(self) -> None:
        """There is nothing to guess."""
        assert none_of("zzz", ["a1", "b2"]) == "zzz is none of a1, b2"

    def test_every_reason_of_a_dead_letter_can_be_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The worker's own, and those of a broker that dead-lettered by itself."""
        monkeypatch.setenv("AMQP_URL", "amqp://127.0.0.1:1/")
        for reason in (*(code.value for code in FailureCode), "rejected", "expired", "maxlen"):
            assert main(["dead", "list", "--reason", reason]) == 1  # there is no broker to ask

    def test_the_sets_are_those_of_the_contract(self) -> None:
        """They are written twice, so that the help need not load the models."""
        assert [kind.value for kind in JobKind] == list(KINDS)
        known = SendJob.model_json_schema()["properties"]
        assert [*submit.CATEGORY, None] == known["category"]["enum"]
        assert [*submit.ON_UNCERTAIN, None] == known["on_uncertain"]["enum"]
        assert list(submit.DND) == known["dnd"]["anyOf"][0]["enum"]


class TestRepeatedNames:
    """A name with two values would lose one of them."""

    @pytest.mark.parametrize(
        ("arguments", "name"),
        [
            ([*ONE, "--metadata", "x=1", "--metadata", "x=2"], "x"),
            ([*ONE, "--metadata", "x=1", "--metadata", "x=1"], "x"),
            ([*ONE, "--param", "template_id=1", "--param", "template_id=2"], "template_id"),
            (["simulate-gateway", "--set", "latency=1", "--set", "latency=2"], "latency"),
        ],
    )
    def test_is_refused(self, arguments: list[str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
        """With its name."""
        assert main(arguments) == 2
        assert f"{name} is given twice: give it once" in capsys.readouterr().err


class TestWords:
    """Errors are told in our words, not in the validation library's."""

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["results", "--count", "0"], "--count: must be at least 1"),
            (["results", "--count", "x"], "--count: must be a whole number"),
            (["results", "--timeout", "-1"], "--timeout: must be at least 0"),
            (["dead", "list", "--limit", "1.5"], "--limit: must be a whole number"),
            (["simulate-gateway", "--port", "70000"], "--port: must be at most 65535"),
            (["simulate-gateway", "--set", "latency=soon"], "latency: must be a number"),
            (["submit", "--kind", "account", "--text", "x"], "`text` is no field of an account job"),
        ],
    )
    def test_are_plain(self, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
        """One clause, after the option's name."""
        assert main(arguments) == 2
        shown = capsys.readouterr().err
        assert words in shown
        for jargon in ("Value error", "Input should", "Extra inputs", "unable to parse", "pydantic"):
            assert jargon not in shown
        assert AccountJob.model_fields  # the model that refuses the last one
