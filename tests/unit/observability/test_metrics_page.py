"""The list of metrics in the documentation, held against a live registry."""

import re
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

from scripts.metrics_table import PAGE, with_tables
from worker.domain.messages import Lane
from worker.metrics import Metrics
from worker.metrics.catalogue import CATALOGUE
from worker.metrics.spec import Spec

_ROW = re.compile(r"^\| `(iton_worker_\w+)` \| (\w+) \| (.+?) \| (.*) \|$", re.MULTILINE)
_PART_OF_A_HISTOGRAM = re.compile(r"_(bucket|sum|count)$")


def _exposed() -> Iterator[tuple[str, str, str]]:
    """Name, type and help of every metric on a fresh ``/metrics``, as Prometheus would read them."""
    for family in text_string_to_metric_families(Metrics("1.2.3").text().decode()):
        if family.name.startswith("iton_worker_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield name, family.type, family.documentation


def _type(spec_kind: str) -> str:
    return "gauge" if spec_kind == "info" else spec_kind


class TestPage:
    """``docs/metrics.md``."""

    def test_its_tables_are_current(self) -> None:
        """They are made from the catalogue: ``python -m scripts.metrics_table write``."""
        text = PAGE.read_text()
        assert with_tables(text) == text

    def test_it_says_what_the_lanes_are(self) -> None:
        """Each by its name, but for those that only hold what waits for the hours."""
        (said,) = re.findall(r"^- \*\*Lanes\*\* (.*?)A large job", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        assert {f"`{lane}`" for lane in Lane if not lane.is_held} - set(
            re.findall(r"`[\w.]+`", said)
        ) == set()

    def test_it_lists_what_is_exposed_and_nothing_else(self) -> None:
        """Name, type and meaning of each are those of a live registry."""
        listed = {(name, _type(kind), meaning) for name, kind, meaning, _ in _ROW.findall(PAGE.read_text())}
        assert set(_exposed()) == listed

    def test_every_metric_it_speaks_of_exists(self) -> None:
        """Also those in the text and in the expressions."""
        exposed = {name for name, _, _ in _exposed()}
        spoken_of = set(re.findall(r"\biton_worker_\w+", PAGE.read_text()))
        histograms = {name for name, kind, _ in _exposed() if kind == "histogram"}
        unknown = {
            name for name in spoken_of - exposed if _PART_OF_A_HISTOGRAM.sub("", name) not in histograms
        }
        assert set() == unknown


class TestCatalogue:
    """Names as Prometheus wants them."""

    def test_counters_end_in_total_and_times_in_seconds(self) -> None:
        """And nothing else does."""

        def well_named(spec: Spec) -> bool:
            timed = spec.buckets and spec.buckets[-1] not in {10, 100}
            return spec.name.endswith("_total") is (spec.kind == "counter") and (
                not timed or spec.name.endswith("_seconds")
            )

        assert [] == [spec.name for spec in CATALOGUE if not well_named(spec)]

    def test_each_is_explained(self) -> None:
        """By a sentence without its full stop."""
        assert [] == [spec.name for spec in CATALOGUE if not spec.meaning or spec.meaning.endswith(".")]
