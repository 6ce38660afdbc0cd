"""Message ids that do not stand where the document has them: they are nowhere else."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.sent_ids import loose_of
from worker.iton.bodies import decoded
from worker.iton.readings import Reading
from worker.iton.sent import read_send

ANIL, BINA = "919876543210", "919032728149"
FIRST, SECOND = "532073f7e4b05199d2c3d812", "532073f7e4b05199d2c3d813"
ONE = f'{{"message_id": {{"{FIRST}": "{ANIL}"}}}}'
TWO = f'{{"message_id": {{"{FIRST}": "{ANIL}", "{SECOND}": "{BINA}"}}}}'
BOTH = {ANIL: (FIRST,), BINA: (SECOND,)}
SENTENCE = f"Success Your MessageId is {FIRST}"


def read(body: str) -> Reading[dict[str, tuple[str, ...]]] | None:
    """Read *body* as the reply to a call of two numbers."""
    return read_send(decoded(body.encode()), [ANIL, BINA])


class TestAround:
    """Servers put something around their replies."""

    @pytest.mark.parametrize(
        "body",
        [
            f"<html><head><title>SMS</title></head><body>{TWO}</body></html>",
            f"<pre>{html.escape(TWO)}</pre>",
            f"<br />\n<b>Warning</b>: {{x}} in <b>/a.php</b> on line <b>3</b><br />\n{TWO}",
            f"{TWO}<!-- 0.3 s -->",
            f"{TWO}\0",
            f"\ufeff\ufeff{TWO}",
            f"\r\n\ufeff{TWO}",
            f")]}}',\n{TWO}",
            f"callback({TWO});",
            f"/* {{ */ {TWO}",
            f"'{TWO}'",
            f"5d\r\n{TWO}\r\n0",
            f"{TWO}}}",
            TWO[:-1],
            f"{ONE}\n{ONE.replace(FIRST, SECOND).replace(ANIL, BINA)}",
            f"Success Your MessageId is {TWO}",
            TWO.replace('"', "'") + ";",
        ],
    )
    def test_a_map_is_found_in_it(self, body: str) -> None:
        """Its ids are those of the numbers that it names."""
        reading = read(body)
        assert reading is not None
        assert reading.value == BOTH

    @pytest.mark.parametrize(
        "around",
        [
            "<p>{}</p>",
            "<html><head><title>ITON</title></head><body>\n{}</body></html>",
            '<?xml version="1.0"?><string xmlns="http://tempuri.org/">{}</string>',
            "{}<br/>",
            "{}\0",
            "\ufeff\ufeff{}",
            "'{}'",
            "{};",
        ],
    )
    def test_the_sentence_is_read_where_nothing_else_is_said(self, around: str) -> None:
        """Markup says nothing."""
        assert read(around.format(SENTENCE)) == Reading({ANIL: (FIRST,), BINA: (FIRST,)})

    @pytest.mark.parametrize(
        "body",
        [
            f"{SENTENCE}\nRemaining_Credits: 416",
            f"<h1>Error</h1>{SENTENCE}",
            f'<h1>Error</h1>{{"message_id": "{FIRST}"}}',
            f'Error: {{"message_id": "{FIRST}"}}',
        ],
    )
    def test_beside_other_words_an_id_for_all_is_doubtful(self, body: str) -> None:
        """They may say anything."""
        assert read(body) == Reading({}, doubtful=(FIRST,))

    @given(st.text(alphabet='{}[]<>/&;"=: aS1\n', max_size=60))
    def test_any_text_is_survived(self, text: str) -> None:
        """Around a map as well."""
        assert read(text) is None or text
        reading = read_send(decoded(f"{text}\n{TWO}".encode()), [ANIL, BINA])
        assert reading is None or reading.value == BOTH or any(mark in text for mark in '{["')

    @pytest.mark.parametrize(
        "text", ["{" * 20_000, '{"a":' * 3_000, "<a" * 20_000, '{"' * 9_000, "{=" * 9_000]
    )
    def test_nonsense_is_given_up_soon(self, text: str) -> None:
        """Nothing is found in it."""
        assert read(text) is None


class TestShapes:
    """Other forms of a map of numbers."""

    @pytest.mark.parametrize(
        "body",
        [
            f"[{TWO}]",
            f'{{"status": "success", "data": {TWO}}}',
            f'[{{"{FIRST}": "{ANIL}"}}, {{"{SECOND}": "{BINA}"}}]',
            f'{{"message_id": [{{"{FIRST}": "{ANIL}"}}, {{"{SECOND}": "{BINA}"}}]}}',
            f'{{"message_id": "{{\\"{FIRST}\\": \\"{ANIL}\\", \\"{SECOND}\\": \\"{BINA}\\"}}"}}',
            f'{{"message_id": {{"{FIRST}": {{"to": "{ANIL}"}}, "{SECOND}": [{{"to": {BINA}}}]}}}}',
            f'{{"message_id": {{"{ANIL}": "{FIRST}", "{BINA}": ["{SECOND}"]}}}}',
            f'{{"{ANIL}": "{FIRST}", "{BINA[2:]}": "{SECOND}"}}',
            f'{{"{ANIL}": {{"message_id": "{FIRST}"}}, "{BINA}": {{"message_id": "{SECOND}"}}}}',
            f'[{{"message_id": "{FIRST}", "to": "{ANIL}"}}, {{"message_id": "{SECOND}", "to": {BINA}}}]',
            f'{{"x": [{{"messageId": "{FIRST}", "to": {ANIL}}}, {{"messageId": "{SECOND}", "to": {BINA}}}]}}',
            f"{{message_id={{{FIRST}={ANIL}, {SECOND}={BINA}}}}}",
            f"Success Your MessageId is {{{FIRST}={ANIL}, {SECOND}={BINA}}}",
        ],
    )
    def test_each_id_goes_to_its_number(self, body: str) -> None:
        """However they are nested, and also the other way round."""
        reading = read(body)
        assert reading is not None
        assert reading.value == BOTH

    @pytest.mark.parametrize(
        "phones",
        [
            f"{ANIL} {BINA}",
            f"{ANIL}/{BINA}",
            f"[{ANIL}, {BINA}]",
            "(+91) 98765 43210, tel:+91-9032728149",
            "+91\u00a098765\u00a043210;91.90327.28149",
        ],
    )
    def test_numbers_are_read_however_they_are_joined_and_spelt(self, phones: str) -> None:
        """One id may be that of several."""
        reading = read(f'{{"message_id": {{"{FIRST}": "{phones}"}}}}')
        assert reading is not None
        assert reading.value == {ANIL: (FIRST,), BINA: (FIRST,)}

    def test_an_id_beside_a_number_is_that_number_s(self) -> None:
        """And nobody else's."""
        assert read(f'{{"message_id": "{FIRST}", "to": "{ANIL}"}}') == Reading({ANIL: (FIRST,)})

    @pytest.mark.parametrize("wrapped", ['{{"response": {}}}', "[{}]", '{{"a": {{"b": [{}]}}}}'])
    def test_one_id_in_all_of_the_reply_is_everybody_s(self, wrapped: str) -> None:
        """Wherever it stands."""
        body = wrapped.format(f'{{"message_id": "{FIRST}"}}')
        assert read(body) == Reading({ANIL: (FIRST,), BINA: (FIRST,)})

    @pytest.mark.parametrize(
        "body",
        [
            f"Success Your MessageId is {FIRST},{SECOND}",
            f"Success Your MessageId is {FIRST}, {SECOND}.",
            f'{{"message_id": "{FIRST},{SECOND}"}}',
            f'[{{"message_id": "{FIRST}"}}, {{"message_id": "{SECOND}"}}]',
        ],
    )
    def test_several_ids_are_the_only_number_s_and_of_several_numbers_doubtful(self, body: str) -> None:
        """Nobody can say whose each one is, and they are told all the same."""
        assert read_send(decoded(body.encode()), [ANIL]) == Reading({ANIL: (FIRST, SECOND)})
        assert read(body) == Reading({}, doubtful=(FIRST, SECOND))

    @pytest.mark.parametrize(
        "body",
        [
            f'{{"error": "Invalid mobile numbers", "1": "{ANIL}"}}',
            f'{{"error": "Invalid mobile numbers", "number1": "{ANIL}"}}',
            f'{{"status": "error", "0": "{ANIL}", "1": "{BINA}"}}',
            f'{{"mobile_2": "{ANIL}", "text": "x"}}',
            f'{{"{ANIL}": "INVALID-NUMBER-102", "{BINA}": 651}}',
            f'{{"{ANIL}": true}}',
        ],
    )
    def test_no_id_is_made_of_a_place_in_a_list_or_a_code(self, body: str) -> None:
        """A refusal would be accepted."""
        reading = read(body)
        assert reading is None or not reading.value

    def test_a_short_id_beside_words_of_a_failure_is_doubtful(self) -> None:
        """A long one is not: the words may be those of the text."""
        for name, counts in (("7", False), ("E102", False), (FIRST, True), ("8624389", True)):
            reading = read(f'{{"message_id": "{name}", "message": "Invalid Sender ID"}}')
            expected = Reading({ANIL: (name,), BINA: (name,)}) if counts else Reading({}, doubtful=(name,))
            assert reading == expected

    def test_an_id_beside_a_failure_of_its_own_is_doubtful(self) -> None:
        """The other one is not."""
        failed = f'{{"message_id": "{FIRST}", "to": "{ANIL}", "status": "failed"}}'
        assert read(f'{{"data": [{failed}]}}') == Reading({}, doubtful=(FIRST,))
        good = f'{{"message_id": "{SECOND}", "to": "{BINA}", "status": "ok"}}'
        assert read(f"[{failed}, {good}]") == Reading({BINA: (SECOND,)})


class TestNobodys:
    """Ids of whom a reply does not say whose they are."""

    @pytest.mark.parametrize(
        "said",
        [
            "null",
            '""',
            "[]",
            "true",
            '"91XXXXXXX210"',
            f'{{"{ANIL}": "SUBMITTED"}}',
            '{"status": "queued"}',
        ],
    )
    def test_an_id_beside_which_no_number_stands_is_told(self, said: str) -> None:
        """It is nobody's, and it is nowhere else."""
        reading = read(f'{{"message_id": {{"{FIRST}": {said}}}}}')
        assert reading is not None
        assert ({}, (FIRST,)) == (reading.value, reading.doubtful)

    def test_ids_that_one_key_joins_are_told(self) -> None:
        """Nobody can say whose each one is."""
        reading = read(f'{{"message_id": {{"{FIRST},{SECOND}": "{ANIL},{BINA}"}}}}')
        assert reading == Reading({}, doubtful=(FIRST, SECOND))

    def test_one_beside_another_id_that_has_its_number_is_told_as_well(self) -> None:
        """The recipient whom the reply leaves out may have it."""
        reading = read(f'{{"message_id": {{"{FIRST}": "{ANIL}", "{SECOND}": null}}}}')
        assert reading is not None
        assert ({ANIL: (FIRST,)}, (SECOND,)) == (reading.value, loose_of(reading.value))

    @pytest.mark.parametrize("key", [ANIL, BINA[2:], "1", "error", "E102"])
    def test_a_number_or_a_code_is_none(self, key: str) -> None:
        """What stands beside it is a refusal."""
        reading = read(f'{{"message_id": {{"{key}": "Invalid"}}}}')
        assert reading is not None
        assert ({}, ()) == (reading.value, reading.doubtful)

    def test_a_stranger_s_id_is_ignored(self) -> None:
        """It is known whose it is."""
        assert read(f'{{"message_id": {{"{FIRST}": "919000000001"}}}}') == Reading({}, unasked=1)

    def test_every_sentence_names_its_id(self) -> None:
        """A sentence for each number, say."""
        body = f"{SENTENCE}\n{SENTENCE.replace(FIRST, SECOND)}\n"
        assert read(body) == Reading({}, doubtful=(FIRST, SECOND))
