"""From arguments and files to jobs."""

import json
import re
from pathlib import Path

import pytest

from schemas.channels import JobKind
from worker.client.asking import Asked, read_asked
from worker.client.prepared import InputError, ReadJobs
from worker.settings import Settings, load_settings


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Default settings, whatever the machine's environment holds."""
    monkeypatch.setenv("WORKER_SECRETS_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("ITON_ALLOWED_PARAMS", "templateId")
    return load_settings(credentials=False, env_file=tmp_path / "none.env")


def _bodies(found: ReadJobs) -> list[dict[str, object]]:
    return [json.loads(job.body) for job in found.jobs]


class TestArguments:
    """One job from arguments."""

    def test_becomes_a_job_with_an_id_of_its_own(self, settings: Settings) -> None:
        """Without an id or a campaign each run is another job."""
        asked = Asked(fields={"recipients": ["919876543210"], "text": "Hi"})
        first, second = (read_asked(asked, settings).jobs[0] for _ in range(2))
        assert first.job_id != second.job_id
        assert first.job_id.startswith("cli-")
        assert (first.routing_key, first.entries) == ("send", 1)

    def test_keeps_its_id_within_a_campaign(self, settings: Settings) -> None:
        """With a campaign's name the same content is the same job."""
        asked = Asked(campaign="spring sale", fields={"recipients": ["919876543210"], "text": "Hi"})
        first, second = (read_asked(asked, settings).jobs[0] for _ in range(2))
        assert first == second
        assert first.job_id.startswith("spring-sale-")

    def test_takes_the_lane_and_the_kind(self, settings: Settings) -> None:
        """Urgent, status and account jobs have keys of their own."""
        fields = {"recipients": ["919876543210"], "text": "Hi"}
        asked = [
            Asked(urgent=True, fields=fields),
            Asked(kind=JobKind.STATUS, fields={"message_ids": ["a1", "b2"]}),
            Asked(kind=JobKind.ACCOUNT),
        ]
        jobs = [read_asked(one, settings).jobs[0] for one in asked]
        assert [(job.routing_key, job.entries) for job in jobs] == [
            ("send.urgent", 1),
            ("status", 2),
            ("account", 0),
        ]

    @pytest.mark.parametrize(
        ("field", "value", "option"),
        [
            ("text", "\udcff", "--text"),
            ("recipients", ["919876543210", "\udcff"], "--to"),
            ("expires_at", "\udcff", "--expires-at"),
            ("params", {"templateId": "\udcff"}, "--param"),
            ("metadata", {"\udcff": "1"}, "--metadata"),
        ],
    )
    def test_an_option_that_is_no_text_is_named(
        self, settings: Settings, field: str, value: object, option: str
    ) -> None:
        """A terminal of another encoding typed it; nobody has typed the body whose bytes were counted."""
        fields = {"recipients": ["919876543210"], "text": "Hi", field: value}
        with pytest.raises(InputError) as caught:
            read_asked(Asked(fields=fields), settings)
        assert caught.value.faults == (f"{option} holds bytes that are no UTF-8: write it in UTF-8",)

    @pytest.mark.parametrize(
        ("variables", "words"),
        [
            ({}, "api jobs are switched off in this worker: ask the operator to set ITON_WEB_API_URL"),
            ({"ITON_WEB_API_URL": "https://web/"}, "ITON_WEB_API_PATHS lists (none)"),
            ({"ITON_WEB_API_URL": "https://web/", "ITON_WEB_API_PATHS": "media"}, "lists (media)"),
        ],
        ids=["off", "none", "others"],
    )
    def test_a_call_of_the_web_api_is_checked_as_the_worker_would(
        self, variables: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """What it would reject is not published, and not called valid."""
        monkeypatch.setenv("WORKER_SECRETS_DIR", str(tmp_path / "none"))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        settings = load_settings(credentials=False, env_file=tmp_path / "none.env")
        jobs = tmp_path / "jobs.jsonl"
        jobs.write_text('{"method": "GET", "path": "credentials"}\n')
        with pytest.raises(InputError, match=re.escape(words)):
            read_asked(Asked(kind=JobKind.API, jsonl=jobs), settings)
        monkeypatch.setenv("ITON_WEB_API_URL", "https://web/")
        monkeypatch.setenv("ITON_WEB_API_PATHS", "media,credentials")
        settings = load_settings(credentials=False, env_file=tmp_path / "none.env")
        assert read_asked(Asked(kind=JobKind.API, jsonl=jobs), settings).jobs[0].routing_key == "api"

    def test_is_checked_as_the_worker_would(self, settings: Settings) -> None:
        """What the worker would reject is not published."""
        with pytest.raises(InputError, match="`text` is missing"):
            read_asked(Asked(fields={"recipients": ["919876543210"]}), settings)


class TestCsv:
    """A campaign out of a CSV file."""

    def _read(self, path: Path, content: str, settings: Settings, **fields: object) -> ReadJobs:
        path.write_text(content, encoding="utf-8")
        return read_asked(Asked(csv=path, fields=fields), settings)

    def _faults(self, path: Path, content: str, settings: Settings) -> tuple[str, ...]:
        with pytest.raises(InputError) as caught:
            self._read(path, content, settings)
        return caught.value.faults

    def test_rows_with_the_same_text_are_one_job(self, tmp_path: Path, settings: Settings) -> None:
        """In the order of their first rows; the id starts with the file's name."""
        found = self._read(tmp_path / "may.csv", "recipient,text\n1,A\n2,B\n3,A\n", settings)
        assert [body["recipients"] for body in _bodies(found)] == [["1", "3"], ["2"]]
        assert all(job.job_id.startswith("may-") for job in found.jobs)

    def test_a_second_reading_gives_the_same_jobs(self, tmp_path: Path, settings: Settings) -> None:
        """So a campaign that was killed can be run again."""
        content = "recipient,text\n1,A\n2,B\n"
        first = self._read(tmp_path / "a.csv", content, settings)
        assert first == self._read(tmp_path / "a.csv", content, settings)

    def test_options_stand_in_for_empty_cells(self, tmp_path: Path, settings: Settings) -> None:
        """And for columns that are absent."""
        found = self._read(tmp_path / "a.csv", "to,sender\n1,ABC\n2,\n", settings, text="T", sender="XYZ")
        assert [(body["text"], body["sender"]) for body in _bodies(found)] == [("T", "ABC"), ("T", "XYZ")]

    def test_spreadsheets_are_read_as_they_save(self, tmp_path: Path, settings: Settings) -> None:
        """Byte order mark, semicolons, capitals in the header, blank lines, line breaks in a text."""
        content = '\ufeffPhone;Text\r\n1;"two\nlines"\r\n;\r\n\r\n2;"two\nlines"\r\n'
        (body,) = _bodies(self._read(tmp_path / "a.csv", content, settings))
        assert (body["recipients"], body["text"]) == (["1", "2"], "two\nlines")

    def test_the_text_is_left_as_it_is(self, tmp_path: Path, settings: Settings) -> None:
        """Blanks around it are part of the registered template."""
        (body,) = _bodies(self._read(tmp_path / "a.csv", "to,text,sender\n1, Hi , ABC \n", settings))
        assert (body["text"], body["sender"]) == (" Hi ", "ABC")

    def test_some_rows_may_be_followed(self, tmp_path: Path, settings: Settings) -> None:
        """As their cells say; an empty one leaves it to the option."""
        content = "to,text,track\n1,A,yes\n2,B,no\n3,C,\n"
        found = self._read(tmp_path / "may.csv", content, settings, track=True)
        assert [body["track"] for body in _bodies(found)] == [True, False, True]

    def test_params_metadata_and_urgent_have_columns(self, tmp_path: Path, settings: Settings) -> None:
        """Rows of the urgent lane are jobs of their own."""
        content = "to,text,params.templateId,metadata.city,urgent\n1,T,77,Pune,yes\n2,T,77,Pune,no\n"
        found = self._read(tmp_path / "a.csv", content, settings)
        assert [job.routing_key for job in found.jobs] == ["send.urgent", "send"]
        assert [body["params"] for body in _bodies(found)] == [{"templateId": "77"}] * 2
        assert _bodies(found)[0]["metadata"] == {"city": "Pune"}

    def test_too_many_recipients_become_several_jobs(self, tmp_path: Path, settings: Settings) -> None:
        """Each number stays in one of them, however it is spelt."""
        rows = [f"{9_876_500_000 + number}" for number in range(100_001)]
        content = "\n".join(["to,text", *(f"{row},T" for row in [*rows, "+919876500000"])])
        found = self._read(tmp_path / "a.csv", content, settings)
        assert [job.entries for job in found.jobs] == [100_000, 1]

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            ("", "line 1: is empty: write a header line with a column `recipient` there"),
            ("\nto,text\n1,A\n", "line 1: is empty: write a header line with a column `recipient` there"),
            ("text\nA\n", "line 1: has no column with the recipients: call one `recipient`"),
            (
                "to,text,\n1,A,\n",
                "line 1: has a column without a name: name it, or take it out of every line",
            ),
            ("+91 98765 43210,A\n", "line 1: is no header: write one above it, with a column `recipient`"),
            (
                "9876543210\n9876543211\n",
                "line 1: is no header: write one above it, with a column `recipient`",
            ),
            ("recipient,text\n", "the file holds no row: write a header line, then a line a recipient"),
            ("recipient,txt\n1,A\n", "line 1: has an unknown column `txt`: did you mean `text`?"),
            ("to,phone\n1,2\n", "line 1: has more than one column `recipient`: keep one"),
            ("to,text\n1,A\n,B\n", "line 3: has no recipient: write one, or take the line out"),
            (
                "to,text\n1,A,B\n",
                "line 2: has 3 cells where the header has 2: put quotes around a text with commas",
            ),
            ("to,urgent\n1,maybe\n", "line 2: has something other than yes or no in the column `urgent`"),
            ("to,track\n1,maybe\n", "line 2: has something other than yes or no in the column `track`"),
        ],
    )
    def test_faults_name_the_line_and_the_remedy(
        self, tmp_path: Path, settings: Settings, content: str, fault: str
    ) -> None:
        """Nothing is published then."""
        assert self._faults(tmp_path / "a.csv", content, settings)[0] == fault

    def test_a_fault_of_a_job_names_the_first_of_its_lines(self, tmp_path: Path, settings: Settings) -> None:
        """As do the worker's own words."""
        faults = self._faults(
            tmp_path / "a.csv", "to,text,category\n1,A,service\n2,A,news\n3,A,news\n", settings
        )
        assert len(faults) == 1
        assert faults[0].startswith("line 3: `category`")

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            (b"to,text\n1,caf\xe9\n", "line 2: is not UTF-8 (byte 0xe9): "),
            (b"to,text\n" + b"1,A\n" * 5_000 + b"2,caf\xe9\n" + b"1,A\n" * 9, "line 5002: is not UTF-8 "),
            (b'to,text\r1,"two\rlines"\r2,\xff\r', "line 4: is not UTF-8 (byte 0xff): "),
            (b"to,text\r\n1,A\r\n2,\xe0\xa4\r\n", "line 3: is not UTF-8 (byte 0xe0): "),
            ("to,text\n1,A\n".encode("utf-16"), "the file is UTF-16, not UTF-8: "),
            ("to,text\n1,A\n".encode("utf-16-le"), "the file is UTF-16, not UTF-8: "),
            (b"to,text\n1,A\n2,B\x00\n", "line 3: holds a NUL byte, which is no text: "),
            (b"PK\x03\x04\x14\x00", "the file is a spreadsheet, or another archive: "),
        ],
    )
    def test_bytes_that_are_no_text_are_one_sentence_with_their_line(
        self, tmp_path: Path, settings: Settings, content: bytes, fault: str
    ) -> None:
        """Wherever in the file they are; guessing an encoding would alter the text."""
        (tmp_path / "a.csv").write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_asked(Asked(csv=tmp_path / "a.csv", fields={}), settings)
        (line,) = caught.value.faults
        assert line.startswith(fault)
        assert "codec" not in line

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            ("to|text\n1|A\n", "line 1: has `|` between the cells: put a comma, a semicolon or a tab there"),
            ("Phone | Text\n1 | A\n", "line 1: has `|` between the cells: put a comma, "),
            ("to:text\n1:A\n", "line 1: has `:` between the cells: "),
            ("to|params.a,b\n1|A\n", "line 1: has `|` between the cells: "),
            ("phone (mobile)\n1\n", "line 1: has an unknown column `phone (mobile)`: "),
            ("recipient*\n1\n", "line 1: has an unknown column `recipient*`: did you mean `recipient`?"),
            (
                "to;text\n1;A;B\n",
                "line 2: has 3 cells where the header has 2: put quotes around a text with sem",
            ),
            (
                "to\ttext\n1\n",
                "line 2: has 1 cell where the header has 2: write empty cells as well, with tabs",
            ),
            ('to,text\n1,A\n2,"B\n3,C\n', "line 3: opens a quote that nothing closes: "),
            ('to,text\n1,"A\nB"\n2,"C"D\n', "line 4: has a quote in the middle of a cell: "),
            ('to,text\n1,"' + "A" * 200_000 + '"\n', "line 2: has a cell of more than 131,072 characters: "),
            ("to,text\n1," + "A" * 200_000 + "\n", "line 2: has a cell of more than 131,072 characters: "),
            ('to,text\n1,"A\nB"\n,C\n', "line 4: has no recipient: "),
        ],
    )
    def test_a_file_in_another_form_is_told_by_its_line(
        self, tmp_path: Path, settings: Settings, content: str, fault: str
    ) -> None:
        """The line on which the row begins, and the sign that stands between the cells."""
        assert self._faults(tmp_path / "a.csv", content, settings)[0].startswith(fault)

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_commas_semicolons_and_tabs_are_read(
        self, tmp_path: Path, settings: Settings, delimiter: str
    ) -> None:
        """With a byte order mark, or without."""
        for mark in ("", "\ufeff"):
            content = f"{mark}to{delimiter}text\n1{delimiter}A\n"
            (body,) = _bodies(self._read(tmp_path / "a.csv", content, settings))
            assert (body["recipients"], body["text"]) == (["1"], "A")

    def test_a_missing_file_is_named(self, tmp_path: Path, settings: Settings) -> None:
        """With the system's reason."""
        with pytest.raises(InputError, match=r"none\.csv cannot be read: no such file"):
            read_asked(Asked(csv=tmp_path / "none.csv"), settings)

    @pytest.mark.parametrize("form", ["csv", "jsonl"])
    def test_a_file_that_fails_while_it_is_read_is_named(self, settings: Settings, form: str) -> None:
        """As a disk or a share does; the system's own example opens, and gives nothing."""
        with pytest.raises(InputError, match=r"/proc/self/mem cannot be read: input/output error$"):
            read_asked(Asked(**{form: Path("/proc/self/mem")}), settings)  # type: ignore[arg-type]


class TestJsonLines:
    """A job a line."""

    def _read(self, path: Path, *lines: str) -> Asked:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return Asked(jsonl=path)

    def test_each_line_is_a_job(self, tmp_path: Path, settings: Settings) -> None:
        """Ids that are given stay; others are made of the content, whatever the order of keys."""
        asked = self._read(
            tmp_path / "a.jsonl",
            '{"job_id": "mine", "recipients": ["1"], "text": "A"}',
            "",
            '{"recipients": ["1"], "text": "A"}',
        )
        first, second = read_asked(asked, settings).jobs
        assert first.job_id == "mine"
        other = self._read(tmp_path / "a.jsonl", '{"text": "A", "recipients": ["1"]}')
        assert read_asked(other, settings).jobs[0].job_id == second.job_id

    def test_a_repeated_line_counts_once(self, tmp_path: Path, settings: Settings) -> None:
        """It is the same job, and would be the same to the worker."""
        line = '{"recipients": ["1"], "text": "A"}'
        found = read_asked(self._read(tmp_path / "a.jsonl", line, line), settings)
        assert (len(found.jobs), found.repeated, found.entries) == (1, 1, 1)

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("nope", "line 2: is not JSON: write one whole JSON object a line"),
            ('{"recipients": ["1"],', "line 2: is not JSON: write one whole JSON object a line"),
            ("[]", "line 2: is JSON but not an object: write one job a line"),
            ('{"recipents": ["1"], "text": "A"}', "did you mean `recipients`"),
            (
                '{"job_id": "x", "recipients": ["1"], "text": "B"}',
                "has the job_id of line 1 and other content",
            ),
        ],
    )
    def test_faults_name_the_line(self, tmp_path: Path, settings: Settings, line: str, words: str) -> None:
        """And the remedy, in the worker's own words."""
        asked = self._read(tmp_path / "a.jsonl", '{"job_id": "x", "recipients": ["1"], "text": "A"}', line)
        with pytest.raises(InputError) as caught:
            read_asked(asked, settings)
        assert caught.value.faults[0].startswith("line 2: ")
        assert words in caught.value.faults[0]

    def test_windows_editors_are_read_as_they_save(self, tmp_path: Path, settings: Settings) -> None:
        """A byte order mark is no content; UTF-16 is refused in one sentence."""
        line = '{"recipients": ["1"], "text": "A"}\r\n'
        (tmp_path / "a.jsonl").write_text(f"\ufeff{line}", encoding="utf-8")
        assert len(read_asked(Asked(jsonl=tmp_path / "a.jsonl"), settings).jobs) == 1
        (tmp_path / "a.jsonl").write_text(line * 3, encoding="utf-16")
        with pytest.raises(InputError, match="the file is UTF-16") as caught:
            read_asked(Asked(jsonl=tmp_path / "a.jsonl"), settings)
        assert len(caught.value.faults) == 1

    def test_bytes_that_are_no_text_are_told_as_in_a_csv(self, tmp_path: Path, settings: Settings) -> None:
        """And all such lines."""
        line = b'{"recipients": ["1"], "text": "caf\xe9"}\n'
        (tmp_path / "a.jsonl").write_bytes(b"\n" + line * 2)
        with pytest.raises(InputError) as caught:
            read_asked(Asked(jsonl=tmp_path / "a.jsonl"), settings)
        remedy = "is not UTF-8: save it as plain text in UTF-8 (in a spreadsheet: CSV UTF-8)"
        assert caught.value.faults == (f"line 2: {remedy}", f"line 3: {remedy}")

    def test_faults_stop_at_twenty(self, tmp_path: Path, settings: Settings) -> None:
        """A wrong file does not fill the screen; that it stopped is said."""
        with pytest.raises(InputError) as caught:
            read_asked(self._read(tmp_path / "a.jsonl", *["nope"] * 50), settings)
        assert len(caught.value.faults) == 20 + 1
        assert "there may be more: these are the first 20" == caught.value.faults[-1]

    def test_an_empty_file_is_refused(self, tmp_path: Path, settings: Settings) -> None:
        """Nothing to publish is a mistake."""
        with pytest.raises(InputError, match="holds no job"):
            read_asked(self._read(tmp_path / "a.jsonl", ""), settings)
