"""Who goes next."""

from dataclasses import dataclass

from worker.admission.line import Line
from worker.ports import Command


@dataclass(frozen=True)
class Who:
    """Somebody in the line."""

    name: str
    command: Command
    urgent: bool = False
    patient: bool = False


class TestLine:
    """Urgent ones, the others, then those who look at tracked messages."""

    def test_patient_ones_go_behind_all_others(self) -> None:
        """Whoever came first; each kind in the order of its coming."""
        line: Line[Who] = Line()
        look = Who("look", Command.STATUS, patient=True)
        status, bulk = Who("status", Command.STATUS), Who("bulk", Command.SEND)
        urgent, later = (
            Who("urgent", Command.SEND, urgent=True),
            Who("later look", Command.STATUS, patient=True),
        )
        for who in (look, status, bulk, later, urgent):
            line.enter(who)
        order = []
        while (who_is_next := line.first(lambda _: True)) is not None:
            line.leave(who_is_next)
            order.append(who_is_next.name)
        assert ["urgent", "status", "bulk", "look", "later look"] == order
        assert 0 == line.length
