"""The protocol as a model: Spin visits every state of the small case."""

import re
from functools import cache

import pytest

from proof.cases import SMALL, VARIANTS, Variant
from proof.spin import MODEL, Found, search, variants

ROW = re.compile(r"^ +(?:unit_)?row\([A-Z]")
TABLES = {"protocol": "transitions.pml", "scheduled": "transitions.pml", "tracked": "units.pml"}


@cache
def found(name: str) -> Found:
    """What the search of a small case came to."""
    return search(SMALL[name])


class TestProtocol:
    """The protocol as it is meant."""

    @pytest.mark.parametrize("name", SMALL)
    def test_no_promise_is_broken_in_any_state(self, name: str) -> None:
        """Nor does a worker wait for ever."""
        result = found(name)
        assert (frozenset(), True) == (result.broken, result.complete), result.figures()

    @pytest.mark.parametrize("file", sorted(set(TABLES.values())))
    def test_every_change_that_is_allowed_is_needed(self, file: str) -> None:
        """A row that no run makes would let the code do what the model never does."""
        lines = (MODEL / file).read_text().splitlines()
        rows = {number for number, line in enumerate(lines, 1) if ROW.match(line)}
        searches = [name for name, case in SMALL.items() if not case.liveness and TABLES[case.model] == file]
        assert rows == frozenset().union(*(found(name).rows for name in searches))


class TestBrokenVariants:
    """Mistakes that somebody could make."""

    @pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
    def test_it_breaks_the_promise(self, variant: Variant) -> None:
        """Else the model would prove nothing."""
        assert variant.caught_by in search(variant.search).broken

    def test_all_of_them_are_searched(self) -> None:
        """None is written down and forgotten."""
        assert ["NOTHING", *(variant.name for variant in VARIANTS)] == list(variants())
        assert list(variants().values()) == list(range(len(VARIANTS) + 1))
