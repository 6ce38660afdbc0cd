"""The switches of the stand-in, without a socket."""

import json

import pytest
from pydantic import ValidationError

from worker.simulator import Control, SimulatorOptions
from worker.simulator.wire import Call

SEND = Call({"cmd": "sendSMS", "username": "demo", "password": "demo", "to": "919876543210", "message": "Hi"})


class TestControl:
    """Reading and changing."""

    def test_options_change_one_by_one(self) -> None:
        """The balance stays what it is unless it is named."""
        control = Control(SimulatorOptions(balance=10))
        control.gateway.answer(SEND)

        control.change(reply_form="text")
        kept = control.gateway.balance
        control.change(balance=3)

        assert (9, 3) == (kept, control.gateway.balance)
        assert "Success" in control.gateway.answer(SEND).body.decode()

    def test_a_wrong_setting_changes_nothing(self) -> None:
        """Neither does a right one beside it."""
        control = Control(SimulatorOptions())

        with pytest.raises(ValidationError):
            control.change(reply_form="text", lattency=3)

        assert "map" == control.options.reply_form

    def test_reset_forgets_everything(self) -> None:
        """Sends, faults, counters and changed options."""
        control = Control(SimulatorOptions(balance=10))
        control.change(password="other")
        control.add_fault(kind="drop")
        control.gateway.answer(SEND)

        control.reset()

        fresh = Control(SimulatorOptions(balance=10)).state()
        assert fresh == control.state()
        assert "demo" == control.options.password

    def test_the_state_is_json(self) -> None:
        """And so are the other answers; settings hide the secrets."""
        control = Control(SimulatorOptions(password="hush", token="hush"))
        control.add_fault(kind="drop", times=2)

        shown = json.dumps(
            [control.state(), control.settings(), control.send_page(0, 10), control.times_sent()]
        )

        assert "hush" not in shown
        assert [{"id": 1, "applied": 0, "kind": "drop", "times": 2}] == control.state()["faults"]

    def test_sends_and_times_can_be_read(self) -> None:
        """Each send with its ids, each pair with its count."""
        control = Control(SimulatorOptions())
        control.gateway.answer(SEND)
        control.gateway.answer(SEND)

        page = control.send_page(1, 10)

        assert (1, 2) == (len(page["sends"]), page["next"])
        assert [{"to": "919876543210", "message": "Hi", "times": 2}] == control.times_sent(at_least=2)
        assert [] == control.times_sent(to="919876543211")
        assert 2 == len(control.sends)
