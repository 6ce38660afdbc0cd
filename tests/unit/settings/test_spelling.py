"""Variables that nearly are settings."""

import pytest

from worker.settings import settings_table
from worker.settings.spelling import misspelt

KNOWN = [row.variable for row in settings_table()]


class TestMisspelt:
    """Which unknown variables are reported, and with which name."""

    @pytest.mark.parametrize(
        ("given", "meant"),
        [
            ("ITON_PASWORD", "ITON_PASSWORD"),
            ("ITON_USER_NAME", "ITON_USERNAME"),
            ("WORKER_PREFECH", "WORKER_PREFETCH"),
            ("AMQP_PERFIX", "AMQP_PREFIX"),
            ("AMPQ_URL", "AMQP_URL"),
            ("LOG_LEVLE", "LOG_LEVEL"),
            ("HEALTHPORT", None),
            ("HEALTH_PROT", "HEALTH_PORT"),
            ("LEDGER_ULR", "LEDGER_URL"),
            ("worker_prefech", "WORKER_PREFETCH"),
            ("ITON-PASSWORD", "ITON_PASSWORD"),
            ("ledger.url", "LEDGER_URL"),
            ("ITON_TIMEOUT ", "ITON_TIMEOUT"),
        ],
    )
    def test_near_misses_get_the_right_name(self, given: str, meant: str | None) -> None:
        """A slip of the finger is reported with the name that was meant."""
        expected = {given: meant} if meant else {}
        assert expected == misspelt({given: "x"}, KNOWN)

    @pytest.mark.parametrize("given", ["WORKER_COLOUR", "ITON_SHOE_SIZE"])
    def test_our_own_prefixes_know_no_strangers(self, given: str) -> None:
        """Under WORKER_ and ITON_ every unknown name is a fault."""
        assert {given: None} == misspelt({given: "x"}, KNOWN)

    @pytest.mark.parametrize(
        ("given", "value"),
        [
            ("AMQP_HEARTBEAT_MODE", "x"),
            ("LOG_DESTINATION", "x"),
            ("PATH", "/bin"),
            ("iton-tls.crt", ""),
            ("ITON_WORKER_SERVICE_HOST", "10.0.0.1"),
            ("ITON_WORKER_SERVICE_PORT_HTTP", "80"),
            ("ITON_WORKER_PORT", "tcp://10.0.0.1:80"),
            ("WORKER_POOL_PORT_80_TCP_ADDR", "10.0.0.1"),
            ("HEALTH_PORT_80_TCP", "tcp://10.0.0.1:80"),
            *((name, "x") for name in KNOWN),
        ],
    )
    def test_others_are_left_alone(self, given: str, value: str) -> None:
        """Other programs' variables and Kubernetes' service links are none of our business."""
        assert not misspelt({given: value}, KNOWN)
