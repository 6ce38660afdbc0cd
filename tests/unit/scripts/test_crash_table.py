"""How ``docs/crash-table.md`` is made from the tests."""

from pathlib import Path

import pytest

from scripts.crash_table import marked as marks
from scripts.crash_table.__main__ import main
from scripts.crash_table.marked import Row, WrongRowError, kills, marked
from scripts.crash_table.page import PAGE, with_tables
from tests.support.chaos_rows import ON_SERVERS, ROWS

KILL = Row("send/before-call-1", ("before the call", "`calling`", "uncertain"), ("tests/a.py::A::test_b",))
OTHER = Row("freeze/idle", ("idle", "another one works"), ("tests/a.py::A::test_c", "tests/a.py::A::test_d"))
TABLES = """\
Prose.
<!-- rows send/* | dies | holds | comes -->
of yesterday
<!-- end of rows -->
More.
<!-- rows freeze/idle | freezes | meanwhile -->
<!-- end of rows -->
"""


class TestPage:
    """Prose by hand, tables from rows."""

    def test_it_is_current(self) -> None:
        """``make lint`` asks the same."""
        assert 0 == main(["check"])

    def test_every_kill_has_its_row_at_its_own_case(self) -> None:
        """Also the ledgers that it is played on."""
        text = PAGE.read_text()
        assert [] == [row.id for row in ROWS if f"test_killed[{row.id}]`" not in text]
        for kind in ("redis", "postgresql"):
            assert [] == [row.id for row in ON_SERVERS if f"test_killed_with_{kind}[{row.id}]`" not in text]

    def test_a_table_holds_the_rows_that_its_comment_asks_for(self) -> None:
        """The prose stays, and to write again changes nothing."""
        written = with_tables(TABLES, [OTHER, KILL])
        assert "| id | dies | holds | comes | test |\n| --- | --- | --- | --- | --- |\n" in written
        last = (
            "| `freeze/idle` | idle | another one works | `tests/a.py::A::test_c` `tests/a.py::A::test_d` |\n"
        )
        assert last in written
        assert written.startswith("Prose.\n")
        assert "\nMore.\n" in written
        assert "yesterday" not in written
        assert written == with_tables(written, [OTHER, KILL])

    @pytest.mark.parametrize(
        ("rows", "words"),
        [
            ([KILL], "asks for freeze/idle"),
            ([KILL, OTHER, Row("broker/cut", ("cut", "goes on"), ("t",))], "has no table for broker/cut"),
            ([KILL, Row("freeze/idle", ("idle",), ("t",))], "freeze/idle: the table has the columns"),
            ([KILL, OTHER, KILL], "two rows have the id send/before-call-1"),
        ],
    )
    def test_what_does_not_fit_is_named(self, rows: list[Row], words: str) -> None:
        """No row is left out silently, and no table is empty."""
        with pytest.raises(WrongRowError, match=words):
            with_tables(TABLES, rows)


class TestMarked:
    """``@pytest.mark.row`` at tests."""

    def test_a_row_is_what_its_tests_say(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its words stand at one of them; the other ones name it alone."""
        self.put(
            tmp_path,
            monkeypatch,
            "import pytest\n"
            "class TestA:\n"
            "    @pytest.mark.row('a/1', 'one', 'two ' 'halves')\n"
            "    def test_first(self): ...\n"
            "    @pytest.mark.row('a/1')\n"
            "    @pytest.mark.slow\n"
            "    async def test_second(self): ...\n",
        )
        tests = ("test_it.py::TestA::test_first", "test_it.py::TestA::test_second")
        assert [Row("a/1", ("one", "two halves"), tests)] == marked(tmp_path)

    @pytest.mark.parametrize(
        ("second", "words"),
        [("'a/1', 'other'", "two tests say what a/1 is"), ("'a/2'", "no test says anything of a/2")],
    )
    def test_words_stand_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: str, words: str
    ) -> None:
        """Two could differ, and none says nothing."""
        lines = ("@pytest.mark.row('a/1', 'one')", "def test_a(): ...", f"@pytest.mark.row({second})")
        self.put(tmp_path, monkeypatch, "\n".join((*lines, "def test_b(): ...", "")))
        with pytest.raises(WrongRowError, match=words):
            marked(tmp_path)

    @staticmethod
    def put(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
        """Let *source* be the only test."""
        monkeypatch.setattr(marks, "ROOT", folder)
        (folder / "test_it.py").write_text(source)


class TestKills:
    """The words of kills."""

    def test_a_kill_without_words_is_named(self) -> None:
        """It would have no row."""
        with pytest.raises(WrongRowError, match="says nothing of send/before-breakfast"):
            list(kills(["send/before-breakfast"], []))

    def test_words_without_a_kill_are_named(self) -> None:
        """Their row would have no test."""
        with pytest.raises(WrongRowError, match=r"speaks of .*send/whole"):
            list(kills([row.id for row in ROWS if row.id != "send/whole"], []))
