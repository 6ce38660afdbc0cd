"""For each alert, series that make it fire and series beside them that do not."""

from tests.support.promtool import Series
from tests.unit.observability.alert_series import (
    WHERE,
    Case,
    beside,
    bill,
    calls,
    flat,
    histogram,
    one,
    paused,
    rising,
    second,
    uncertain,
    uncertain_few,
)

_WAITING = one("queue_messages", flat(12), queue="send.urgent")
_NONE_WAIT = one("queue_messages", flat(0), queue="send")
_NONE_END = one("job_seconds_count", flat(7), lane="send")


def _in_hand(values: str) -> Series:
    """Jobs in hand of the lane ``send`` whose queue is empty."""
    return {**_NONE_WAIT, **one("jobs_in_flight", values, lane="send")}


CASES = (
    Case(
        "ItonWorkerStuck",
        {
            **_WAITING,
            **one("job_seconds_count", flat(7), lane="send.urgent"),
            **one("job_seconds_count", rising(9), lane="send"),
        },
        (
            {**_WAITING, **one("job_seconds_count", rising(1), lane="send.urgent")},
            {**_NONE_WAIT, **_NONE_END},
            # Outside the hours jobs are held, and none of them ends.
            {**one("queue_messages", flat(5), queue="send.held"), **_NONE_END},
            {**one("queue_messages", flat(5), queue="dead"), **_NONE_END},
            {**one("queue_messages", "NaN+0x100", queue="send"), **_NONE_END},
            # A slow gateway: jobs are in hand all the time, and one ends every nine minutes.
            {**_in_hand(flat(800)), **one("job_seconds_count", "0+0x8 1+0x8 2+0x8 3+0x8 4+0x8", lane="send")},
            # A job into an idle lane, which has taken 13 minutes so far.
            {**_in_hand("0+0x26 1+0x20"), **_NONE_END},
            # One job at a time, given back for a moment between two attempts.
            {**_in_hand("1+0x5 0 1+0x5 0 1+0x5 0 1+0x5 0 1+0x5 0 1+0x5 0 1+0x5 0"), **_NONE_END},
        ),
        also=(
            # Looks at tracked messages, and calls of the Web API, whose lanes have no other jobs.
            {
                **one("queue_messages", flat(5), queue="status.track"),
                **one("job_seconds_count", flat(7), lane="status.track"),
            },
            {**one("queue_messages", flat(5), queue="api"), **one("job_seconds_count", flat(7), lane="api")},
            # All that was published is in hand, and hangs.
            {**_in_hand(flat(800)), **_NONE_END},
            # The same in a worker that lost its broker and cannot tell the queue's length.
            {**_in_hand(flat(800)), **one("queue_messages", "NaN+0x100", queue="send"), **_NONE_END},
            # The other deployment's progress in the same lane is its own.
            {
                **_in_hand(flat(800)),
                **_NONE_END,
                **beside({**_in_hand(flat(5)), **one("job_seconds_count", rising(9), lane="send")}),
            },
        ),
    ),
    Case(
        "ItonWorkerJobHangs", one("oldest_job_seconds", "0+60x100"), (one("oldest_job_seconds", flat(1500)),)
    ),
    paused("ItonWorkerCredentialsRefused", "credentials"),
    paused("ItonWorkerCreditsExhausted", "credits"),
    paused("ItonWorkerLedgerAway", "ledger"),
    Case(
        "ItonWorkerBreakerOpen",
        one("breaker_open", flat(1), command="sendSMS"),
        (
            one("breaker_open", flat(0), command="sendSMS"),
            one("breaker_open", "0+0x39 1+0x9", command="account"),
        ),
    ),
    Case(
        "ItonWorkerUrgentSlow",
        histogram("end_to_end_seconds", 10, 90, bound="15", lane="send.urgent"),
        (
            histogram("end_to_end_seconds", 1, 99, bound="15", lane="send.urgent"),
            histogram("end_to_end_seconds", 10, 90, bound="15", lane="send"),
        ),
    ),
    Case(
        "ItonWorkerBulkBacklog",
        {
            # Three hours' work at a job a second.
            **one("queue_messages", flat(10_800), queue="send"),
            **one("job_seconds_count", rising(60), lane="send"),
        },
        (
            {
                **one("queue_messages", flat(3600), queue="send"),
                **one("job_seconds_count", rising(60), lane="send"),
            },
            # Nothing ends: that is ItonWorkerStuck.
            {**one("queue_messages", flat(10_800), queue="send"), **_NONE_END},
            {
                **one("queue_messages", flat(10_800), queue="send.urgent"),
                **one("job_seconds_count", rising(60), lane="send.urgent"),
            },
            # The other lane's pace is not this one's, nor is the other deployment's.
            {
                **one("queue_messages", flat(3600), queue="send"),
                **one("job_seconds_count", rising(60), lane="send"),
                **one("job_seconds_count", rising(1), lane="send.parts"),
                **beside(one("job_seconds_count", rising(1), lane="send")),
            },
            {
                **one("queue_messages", "NaN+0x100", queue="send"),
                **one("job_seconds_count", rising(60), lane="send"),
            },
            # A campaign that came in ten minutes ago.
            {
                **one("queue_messages", "0+0x30 10800+0x20", queue="send"),
                **one("job_seconds_count", rising(60), lane="send"),
            },
        ),
        also=(
            {
                **one("queue_messages", flat(10_800), queue="send.parts"),
                **one("job_seconds_count", rising(60), lane="send.parts"),
            },
        ),
    ),
    Case(
        "ItonWorkerBulkWait",
        histogram("queue_wait_seconds", 10, 90, bound="3600", lane="send"),
        (
            histogram("queue_wait_seconds", 1, 99, bound="3600", lane="send"),
            histogram("queue_wait_seconds", 10, 90, bound="3600", lane="send.urgent"),
        ),
    ),
    uncertain("ItonWorkerUncertain", few=0.5, many=2),
    uncertain("ItonWorkerUncertainMany", 5, 20, uncertain_few(1), uncertain_few(8)),
    Case(
        "ItonWorkerDeadLettersGrow",
        one("dead_letters_total", "0+0x35 1+0x10", reason="not_json"),
        (
            one("dead_letters_total", flat(12), reason="not_json"),
            one("dead_letters_total", "0 1+0x60", reason="not_json"),
        ),
    ),
    Case(
        "ItonWorkerDeadLettersKept",
        one("queue_messages", flat(3), queue="dead"),
        (
            one("queue_messages", flat(0), queue="dead"),
            one("queue_messages", "0+0x10 3+0x150", queue="dead"),
        ),
        steps=50,
        step=30,
    ),
    Case(
        "ItonWorkerUnroutedResults",
        one("queue_messages", flat(1), queue="results.unrouted"),
        (
            one("queue_messages", flat(0), queue="results.unrouted"),
            one("queue_messages", flat(9), queue="dead"),
        ),
    ),
    Case("ItonWorkerCrashes", one("crashes_total", "0+0x35 2+0x10"), (one("crashes_total", flat(2)),)),
    Case(
        "ItonWorkerGatewayErrors",
        {
            **one("gateway_calls_total", rising(90), command="sendSMS", class_="ok"),
            **one("gateway_calls_total", rising(10), command="sendSMS", class_="permanent"),
        },
        (
            {
                **one("gateway_calls_total", rising(90), command="sendSMS", class_="ok"),
                **one("gateway_calls_total", rising(1), command="sendSMS", class_="permanent"),
            },
            {
                **one("gateway_calls_total", rising(90), command="sendSMS", class_="ok"),
                **one("gateway_calls_total", rising(20), command="sendSMS", class_="cancelled"),
            },
        ),
    ),
    Case(
        "ItonWorkerGatewaySlow",
        histogram("gateway_call_seconds", 10, 90, bound="10", command="sendSMS"),
        (histogram("gateway_call_seconds", 1, 99, bound="10", command="sendSMS"),),
    ),
    Case(
        "ItonWorkerCallsLimited",
        calls(limit="8+0x9 1+0x40", in_flight=flat(1), floor=1),
        (
            calls(limit=flat(8), in_flight=flat(8), floor=1),
            # Nobody wants to call.
            calls(limit=flat(4), in_flight=flat(0), floor=4),
            # The limit is fixed: there is nothing to which it could fall.
            calls(limit=flat(4), in_flight=flat(4), floor=0),
            calls(limit="8+0x35 1+0x9", in_flight=flat(1), floor=1),
            # Another worker of the deployment is served as before.
            {
                **calls(limit=flat(1), in_flight=flat(1), floor=1),
                **second(one("gateway_calls_limit", flat(8))),
            },
        ),
    ),
    Case(
        "ItonWorkerCreditsLow",
        {**one("credits_remaining", flat(99)), **one("credits_low_threshold", flat(100))},
        (
            {**one("credits_remaining", flat(100)), **one("credits_low_threshold", flat(100))},
            {**one("credits_remaining", flat(0)), **one("credits_low_threshold", flat(0))},
            {**one("credits_remaining", "NaN+0x100"), **one("credits_low_threshold", flat(100))},
        ),
    ),
    Case(
        "ItonWorkerCreditsRunOut",
        one("credits_remaining", "5000-20x200"),
        (
            one("credits_remaining", "50000-20x200"),
            one("credits_remaining", flat(0)),
            one("credits_remaining", "1000+20x200"),
            one("credits_remaining", "NaN+0x150"),
        ),
        # A worker that was restarted, and had not asked yet.
        also=(one("credits_remaining", "5000-20x89 NaN+0x1 3160-20x100"),),
        steps=120,
    ),
    Case(
        "ItonWorkerCreditsPart",
        # Of a hundred texts ten go out twice.
        bill(predicted=rising(100), spent=rising(110)),
        (
            bill(predicted=rising(100), spent=rising(100)),
            # A burst right before the six hours, read within them.
            bill(predicted="0+0x26 9000+0x130", spent="0+0x28 9000+0x130"),
            # A burst that nobody has had the time to read.
            bill(predicted="0+0x99 9000+0x60", spent=flat(0)),
            # What nobody knows may have been spent.
            bill(predicted=rising(100), spent=rising(110), uncertain=rising(10)),
            # A top-up hides what was spent meanwhile.
            {
                **bill(predicted=rising(100), spent=rising(90)),
                **one("credits_added_total", "0+0x60 5000+0x90"),
            },
            # Nobody reads the balance.
            bill(predicted=rising(100), spent=flat(0), asked=flat(0)),
            # Two workers: each counts what it sends, one what is paid.
            {
                **bill(predicted=rising(60), spent=rising(100)),
                **second(bill(predicted=rising(40), spent=flat(0))),
            },
        ),
        steps=100,
        step=5,
        also=(
            # The gateway charges less than it takes.
            bill(predicted=rising(100), spent=rising(50)),
            # One double in quiet hours.
            bill(predicted=flat(0), spent="0+0x60 20+0x90"),
        ),
    ),
    Case(
        "ItonWorkerGone",
        one("ready", "1+0x20 stale"),
        (
            one("ready", flat(0)),
            one("ready", flat(1)),
            # One that was taken away for good is forgotten after three days.
            one("ready", "1+0x5 stale"),
        ),
        # Two days after the last worker it still says so.
        steps=45,
        step=120,
    ),
    Case(
        "ItonWorkerConsumerDown",
        one("consumer_up", flat(0), lane="send"),
        (
            one("consumer_up", flat(1), lane="send"),
            {
                **one("consumer_up", flat(0), lane="send"),
                f'iton_worker_consumer_up{{{WHERE},instance="b:8080",lane="send"}}': flat(1),
            },
        ),
    ),
    Case("ItonWorkerPublishingDown", one("publisher_up", flat(0)), (one("publisher_up", flat(1)),)),
    Case(
        "ItonWorkerPublishesFail",
        one("publishes_total", rising(1), exchange="send", result="returned"),
        (
            one("publishes_total", rising(1), exchange="send", result="confirmed"),
            one("publishes_total", flat(8), exchange="send", result="failed"),
        ),
    ),
    Case(
        "ItonWorkerNotReady",
        {**one("ready", flat(0)), **one("draining", flat(0))},
        (
            {**one("ready", flat(1)), **one("draining", flat(0))},
            {**one("ready", flat(0)), **one("draining", flat(1))},
        ),
    ),
    Case(
        "ItonWorkerLedgerSlow",
        histogram("ledger_seconds", 10, 90, bound="0.25", operation="swap"),
        (histogram("ledger_seconds", 1, 99, bound="0.25", operation="swap"),),
    ),
    Case(
        "ItonWorkerStarved",
        histogram("loop_lag_seconds", 20, 40, bound="0.25"),
        (histogram("loop_lag_seconds", 2, 58, bound="0.25"),),
    ),
    Case(
        "ItonWorkerFilesRunOut",
        {
            f'process_open_fds{{{WHERE},instance="a:8080"}}': flat(900),
            f'process_max_fds{{{WHERE},instance="a:8080"}}': flat(1024),
            **one("build_info", flat(1), version="1"),
        },
        (
            {
                f'process_open_fds{{{WHERE},instance="a:8080"}}': flat(100),
                f'process_max_fds{{{WHERE},instance="a:8080"}}': flat(1024),
                **one("build_info", flat(1), version="1"),
            },
            {
                'process_open_fds{job="somebody-else",instance="c:1"}': flat(900),
                'process_max_fds{job="somebody-else",instance="c:1"}': flat(1024),
                **one("build_info", flat(1), version="1"),
            },
        ),
    ),
)
