"""The table of failure codes."""

import ast
import re
from pathlib import Path

from schemas import FailureCode

ROOT = Path(__file__).parents[3]
# They name codes and raise none.
TABLES = {"schemas/failures.py", "schemas/examples.py", "worker/client/dead_filter.py"}


def _raised() -> set[str]:
    """Every code that the product's own code names: as a member, or as the word itself."""
    found: set[str] = set()
    for path in (*ROOT.glob("worker/**/*.py"), *ROOT.glob("schemas/*.py")):
        if str(path.relative_to(ROOT)) in TABLES:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.Attribute) and node.attr in FailureCode.__members__:
                found.add(FailureCode[node.attr].value)
    return found


def _documented() -> list[str]:
    """The reasons in the tables of the page about dead letters."""
    page = (ROOT / "docs" / "dead-letters.md").read_text()
    return re.findall(r"^\| `([a-z0-9_]+)` \|", page.partition("## Reasons")[2], re.MULTILINE)


class TestFailureCode:
    """What programs compare and people read."""

    def test_is_a_plain_string_to_programs(self) -> None:
        """It can be compared with, and written as, its code."""
        assert FailureCode("reply_lost") is FailureCode.REPLY_LOST
        assert f"{FailureCode.REPLY_LOST}" == "reply_lost"

    def test_every_code_says_what_it_means_and_what_to_do(self) -> None:
        """A sentence each, and no code twice."""
        for code in FailureCode:
            assert re.fullmatch(r"[a-z][a-z0-9_]*", code.value)
            assert code.name.lower() == code.value
            assert code.meaning.endswith(".")
            assert code.remedy.endswith(".")
        assert len(FailureCode) == len({code.meaning for code in FailureCode})

    def test_what_may_have_been_sent_says_so(self) -> None:
        """The remedy of an uncertain outcome is never simply to send again."""
        for code in (FailureCode.REPLY_LOST, FailureCode.NOT_IN_REPLY, FailureCode.WORKER_LOST):
            assert "may have been sent" in code.meaning

    def test_every_code_is_raised_somewhere(self) -> None:
        """Nobody programs for what never comes."""
        assert sorted({code.value for code in FailureCode} - _raised()) == []

    def test_every_documented_reason_is_a_code_with_its_meaning(self) -> None:
        """The page says the same as the table of codes."""
        page = (ROOT / "docs" / "dead-letters.md").read_text()
        documented = _documented()
        assert len(documented) > 20
        for reason in documented:
            assert f"| `{reason}` | {FailureCode(reason).meaning} |" in page
