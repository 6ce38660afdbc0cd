"""Names on the broker."""

import pytest

from schemas import channels
from schemas.channels import DeadHeader, JobKey, JobKind, ResultKind


class TestNames:
    """The table of the contract's section 2, and another prefix."""

    @pytest.mark.parametrize("prefix", ["iton", "staging.sms"])
    def test_every_name_starts_with_the_prefix(self, prefix: str) -> None:
        """Two installations share a broker by it."""
        assert f"{prefix}.jobs" == channels.jobs_exchange(prefix)
        assert f"{prefix}.dead" == channels.dead(prefix)
        assert f"{prefix}.results.unrouted" == channels.unrouted(prefix)
        assert [f"{prefix}.results.{name}" for name in ("send", "delivery", "account", "api", "cancel")] == [
            channels.results_exchange(kind, prefix) for kind in ResultKind
        ]
        assert [
            f"{prefix}.{name}" for name in ("send", "send.urgent", "status", "account", "api", "cancel")
        ] == [channels.work_queue(key, prefix) for key in JobKey]

    def test_the_default_prefix_is_iton(self) -> None:
        """As AMQP_PREFIX has it."""
        assert (
            channels.jobs_exchange(),
            channels.work_queue(JobKey.SEND_URGENT),
        ) == ("iton.jobs", "iton.send.urgent")

    def test_urgent_jobs_are_send_jobs(self) -> None:
        """Another lane, the same model."""
        assert [key.kind for key in JobKey] == [
            JobKind.SEND,
            JobKind.SEND,
            JobKind.STATUS,
            JobKind.ACCOUNT,
            JobKind.API,
            JobKind.CANCEL,
        ]

    def test_dead_letter_headers_are_those_of_the_contract(self) -> None:
        """Operators filter by them."""
        expected = {"x-iton-reason", "x-iton-detail", "x-iton-attempts", "x-iton-queue", "x-iton-time"}

        assert expected == set(DeadHeader)


class TestResultKeys:
    """Routing keys and properties of results."""

    def test_every_key_of_the_contract_can_be_made(self) -> None:
        """Kind and status, joined by a dot."""
        keys = [channels.result_key(kind, status) for kind in ResultKind for status in kind.statuses]

        assert keys == [
            *(
                "send.accepted",
                "send.partial",
                "send.uncertain",
                "send.failed",
                "send.expired",
                "send.cancelled",
                "send.rejected",
            ),
            *("delivery.final", "delivery.pending", "delivery.rejected", "delivery.failed"),
            *("account.balance", "account.low", "account.rejected", "account.failed"),
            *("api.done", "api.failed", "api.uncertain", "api.rejected"),
            *("cancel.recorded", "cancel.too_late", "cancel.rejected", "cancel.failed"),
        ]

    def test_a_status_of_another_kind_is_a_mistake(self) -> None:
        """Nobody would be bound to such a key."""
        with pytest.raises(ValueError, match="no status of a send result"):
            channels.result_key(ResultKind.SEND, "final")

    def test_types_carry_the_version(self) -> None:
        """The first number of the contract."""
        expected = [
            "send.result.v1",
            "delivery.result.v1",
            "account.result.v1",
            "api.result.v1",
            "cancel.result.v1",
        ]

        assert expected == [kind.message_type for kind in ResultKind]
