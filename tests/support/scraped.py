"""Metrics as a scraper reads them."""

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Scrape:
    """One answer of ``/metrics``.

    Attributes:
        text: the body.
    """

    text: str

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of the one series of these very labels, None if there is none."""
        return self.series(name).get(frozenset(labels.items()))

    def series(self, name: str) -> Mapping[frozenset[tuple[str, str]], float]:
        """Return every series of *name* by its labels."""
        samples = (one for family in text_string_to_metric_families(self.text) for one in family.samples)
        return {frozenset(one.labels.items()): float(one.value) for one in samples if one.name == name}

    def names(self) -> set[str]:
        """Return the name of every series: those of a histogram end in ``_bucket``, ``_sum``, ``_count``."""
        families = text_string_to_metric_families(self.text)
        return {one.name for family in families for one in family.samples}
