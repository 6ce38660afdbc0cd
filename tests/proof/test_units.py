"""Changes of entries of tracked messages, held against the model."""

from dataclasses import replace

import pytest

from proof.transitions import NotInModelError
from proof.units import check_unit, table
from tests.support.checked_ledger import Changes
from worker.domain.tracking import Result, Tracked, Unit, encode_unit

ONE, TWO = Tracked("id-1", ("919800000001",), 1), Tracked("id-2", ("919800000002",), 1)
BEGUN = Unit(1, "n1", open=(ONE,))
LOOKED = BEGUN.at(2, "n2", step=1)
ENDED = BEGUN.recorded(["id-1"], [Result(1, "{}")])
TOLD = ENDED.at(2, "", step=1)


class TestWhatTheCodeDoes:
    """Changes as the handler makes them."""

    @pytest.mark.parametrize(
        ("name", "before", "after"),
        [
            ("BEGIN", None, BEGUN),
            ("ON", BEGUN, LOOKED),
            ("RECORD", BEGUN, ENDED),
            ("RECORD", None, ENDED),
            ("JOIN", ENDED, ENDED.with_more([TWO])),
            ("ON", ENDED, TOLD),
            ("ON", TOLD, TOLD.with_more([TWO]).at(3, "n3", step=0)),
        ],
    )
    def test_it_has_its_name(self, name: str, before: Unit | None, after: Unit) -> None:
        """By which a run counts it."""
        assert name == check_unit(before, after)

    def test_each_row_is_read(self) -> None:
        """One that is not would be refused to the code."""
        assert {"BEGIN", "JOIN", "RECORD", "ON"} == set(table().values())
        assert 11 == len(table())


class TestWhatItMustNotDo:
    """Each would lose a message, or end it twice."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            pytest.param(TOLD, BEGUN.at(3, "n3", step=0), id="open again"),
            pytest.param(BEGUN, Unit(2, "n2", open=(TWO,)), id="a message is lost"),
            pytest.param(BEGUN, replace(BEGUN, ended=("id-1",)), id="open and ended"),
            pytest.param(ENDED, replace(ENDED, unpublished=()), id="results dropped without a look"),
            pytest.param(BEGUN, replace(TOLD, unpublished=()), id="ended and not recorded"),
            pytest.param(LOOKED, BEGUN, id="a look back"),
            pytest.param(TOLD, replace(TOLD, look=3, results=0), id="results go back"),
            pytest.param(ENDED, replace(ENDED, look=2), id="a look further with results to tell"),
            pytest.param(BEGUN, LOOKED.at(2, "", step=1), id="nothing brings the next look"),
        ],
    )
    def test_it_is_refused(self, before: Unit, after: Unit) -> None:
        """Whatever the rest of the entry says."""
        with pytest.raises(NotInModelError):
            check_unit(before, after)

    def test_it_is_noted_where_the_entries_of_runs_are(self) -> None:
        """With the key."""
        changes = Changes()
        changes.note("track//job/1/f", encode_unit(LOOKED), encode_unit(BEGUN))
        changes.note("track//job/1/f", encode_unit(BEGUN), encode_unit(LOOKED))
        assert ["track//job/1/f: the looks or the results of a unit go back"] == changes.wrong
        assert {"ON of tracked messages": 1} == changes.made
