"""The sample campaign of the demo."""

from schemas import Outcome
from scripts.demo import campaign
from tests.support import made_results
from worker.domain.recipients import distinct


class TestCampaign:
    """``examples/campaign.csv``."""

    def test_it_shows_what_can_happen(self) -> None:
        """Plain, repeated, badly written and DND-listed numbers, and a text in Hindi."""
        rows = campaign.rows()
        names = [row.recipient for row in rows]
        sorted_out = distinct(names, campaign.INDIA)
        assert 35 < len(rows) < 50
        assert len(sorted_out.order) < len(names)
        assert sorted_out.invalid
        assert any(name.endswith("00") for name in sorted_out.valid)
        assert any(not row.text.isascii() for row in rows)

    def test_every_spelling_finds_its_outcome(self) -> None:
        """Results carry digits with country code, the file what somebody typed."""
        row = campaign.Row("(0) 98765-43228", "text", "promotional", "sale")
        result = made_results.dnd("919876543228")
        assert result == row.outcome({("sale", "919876543228"): result})

    def test_what_is_no_number_is_found_as_it_was_written(self) -> None:
        """Results keep the producer's spelling of those."""
        row = campaign.Row("12", "text", "promotional", "sale")
        result = made_results.because("12", Outcome.INVALID, "invalid_number", "too short")
        assert result == row.outcome({("sale", "12"): result})

    def test_the_large_job_is_what_it_says(self) -> None:
        """Every recipient is a distinct, valid number."""
        job = campaign.large_job("large-1")
        assert campaign.LARGE == len(distinct(job.recipients, campaign.INDIA).valid)
