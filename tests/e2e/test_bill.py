"""What was sent and what the account paid for it."""

import re
from collections.abc import Callable
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.support.line import Line, wait_settled
from tests.support.results_side import numbers
from tests.support.worker_process import PASSWORD, USERNAME, wait_until

TEXTS = ("Short.", "x" * 161, "€" * 81, "नमस्ते", "न" * 71, "😀" * 68)
DOUBLE = "x" * 161  # two segments


def credits_of(line: Line) -> dict[str, float]:
    """What the worker's metrics say of credits."""
    found = re.findall(r"^iton_worker_credits_(\w+) (\S+)$", line.worker.get("/metrics")[1], re.MULTILINE)
    return {name: float(value) for name, value in found}


class TestBill:
    """Predicted and spent."""

    def test_they_are_equal_and_a_double_shows_at_the_next_reading(
        self, own_line: Callable[..., Line]
    ) -> None:
        """Over texts of all lengths, to many, with those whom nothing is sent to."""
        line = own_line(WORKER_CREDITS_INTERVAL=1)
        wait_until(lambda: credits_of(line)["remaining"] == 1_000_000, "the balance is read")
        jobs = [
            line.producer.send([*numbers(count), "12", "919876543200"], text, dnd="filter")
            for text in TEXTS
            for count in (1, 7, 130)
        ]
        for job_id in jobs:
            line.collector.whole(job_id)
        wait_settled(line)
        paid = line.gateway.state()["sent"]["segments"]
        assert paid > 1_500
        wait_until(lambda: credits_of(line)["spent_total"] == paid, "the balance is read again")
        assert (paid, 0, 0) == tuple(
            credits_of(line)[name]
            for name in ("spent_predicted_total", "spent_uncertain_total", "added_total")
        )
        asked = {"cmd": "sendSMS", "username": USERNAME, "password": PASSWORD, "to": "919876543210"}
        urlopen(f"{line.gateway.url}?{urlencode({**asked, 'message': DOUBLE, 'uniCode': 0})}").close()  # noqa: S310 - http
        readings = line.gateway.calls("account")

        def seen() -> bool:
            calls = line.gateway.calls("account")
            spent = credits_of(line)["spent_total"]
            # With a second reading begun, the first one behind the double is over.
            assert spent == paid + 2 or calls < readings + 2, "not in the next reading"
            return bool(spent == paid + 2)

        wait_until(seen, "the double is seen")
        assert paid == credits_of(line)["spent_predicted_total"]
        # A lost reply may have cost something: it is in a count of its own.
        line.gateway.fault(command="sendSMS", kind="drop", when="after", times=1)
        line.collector.whole(line.producer.send(numbers(3), DOUBLE))
        wait_until(lambda: credits_of(line)["spent_total"] == paid + 2 + 6, "the balance is read again")
        known = credits_of(line)
        assert (paid, 6) == (known["spent_predicted_total"], known["spent_uncertain_total"])
