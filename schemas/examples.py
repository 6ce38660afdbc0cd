"""Examples of what the worker publishes, for the AsyncAPI document; those of jobs stand in their models."""

from typing import Any, Final

from schemas.channels import DeadHeader

_ERROR: Final = {
    "loc": ["recipents"],
    "msg": "`recipents` is no field of a send job: did you mean `recipients`?",
    "type": "unknown_field",
}
_MISSING: Final = (
    "`message_ids` is missing from the status job: give an array of 1 to 10,000 message ids, each a string."
)
_NOT_ALLOWED: Final = (
    "`path` begins with none of the segments that the worker's setting ITON_WEB_API_PATHS lists (credentials)"
    ": ask the operator to list them, or correct the path."
)
_NO_TARGET: Final = {
    "loc": ["target"],
    "msg": "`target` is missing from the cancel job: give the job_id of a send job, a string of 1 to 128 of "
    "A-Z a-z 0-9 . _ : -.",
    "type": "missing",
}
_UNREACHABLE: Final = {"code": "gateway_unreachable", "detail": "the gateway cannot be reached"}

EXAMPLES: Final[dict[str, list[dict[str, Any]]]] = {
    "SendResult": [
        {
            "job_id": "order-1841",
            "part": 1,
            "parts": 1,
            "status": "partial",
            "recipients": [
                {
                    "recipient": "919876543210",
                    "outcome": "accepted",
                    "message_id": "532073f7e4b05199d2c3d812",
                },
                {"recipient": "919032728149", "outcome": "dnd"},
                {
                    "recipient": "12",
                    "outcome": "invalid",
                    "error": {"code": "invalid_number", "detail": "too short"},
                },
            ],
            "counts": {"accepted": 1, "dnd": 1, "invalid": 1},
            "encoding": "gsm7",
            "segments": 1,
            "metadata": {"order": 1841},
        }
    ],
    "SendRejected": [
        {
            "job_id": "order-1842",
            "part": 1,
            "parts": 1,
            "status": "rejected",
            "errors": [_ERROR],
            "recipients": [],
            "counts": {},
            "metadata": {},
        }
    ],
    "DeliveryResult": [
        {
            "job_id": "poll-7",
            "part": 1,
            "parts": 1,
            "status": "pending",
            "messages": [
                {
                    "message_id": "5320729be4b05199d2c3d80f",
                    "found": True,
                    "sender": "itonXXXX",
                    "sent_at": "2013-03-12T20:13:39+05:30",
                    "text": "Hello",
                    "recipients": [
                        {"recipient": "919876543210", "status": "delivered", "raw_status": "DELIVIRED"}
                    ],
                },
                {"message_id": "ffffffffffffffffffffffff", "found": False, "recipients": []},
            ],
            "metadata": {},
        }
    ],
    "TrackedResult": [
        {
            "job_id": "order-1841",
            "track": 1,
            "status": "final",
            "messages": [
                {
                    "message_id": "532073f7e4b05199d2c3d812",
                    "found": True,
                    "sender": "itonXXXX",
                    "sent_at": "2013-03-12T20:13:39+05:30",
                    "text": "Your order is on its way.",
                    "recipients": [
                        {"recipient": "919876543210", "status": "delivered", "raw_status": "DELIVIRED"}
                    ],
                },
                {
                    "message_id": "532073f7e4b05199d2c3d813",
                    "found": False,
                    "recipients": [
                        {
                            "recipient": "919876543211",
                            "status": "unknown",
                            "raw_status": "",
                            "error": {
                                "code": "tracking_ended",
                                "detail": "no final status within WORKER_TRACK_LIMIT",
                            },
                        }
                    ],
                },
            ],
            "metadata": {"order": 1841},
        }
    ],
    "DeliveryRejected": [
        {
            "job_id": "poll-8",
            "part": 1,
            "parts": 1,
            "status": "rejected",
            "errors": [
                {
                    "loc": ["message_ids"],
                    "msg": _MISSING,
                    "type": "missing",
                }
            ],
            "messages": [],
            "metadata": {},
        }
    ],
    "DeliveryFailed": [
        {
            "job_id": "poll-9",
            "part": 1,
            "parts": 1,
            "status": "failed",
            "messages": [],
            "error": _UNREACHABLE,
            "metadata": {},
        }
    ],
    "AccountResult": [
        {"job_id": "balance-2026-03-01", "status": "balance", "remaining_credits": 417, "metadata": {}}
    ],
    "AccountLow": [
        {"job_id": None, "status": "low", "remaining_credits": 17, "threshold": 100, "metadata": {}}
    ],
    "AccountRejected": [{"job_id": None, "status": "rejected", "errors": [_ERROR], "metadata": {}}],
    "AccountFailed": [
        {"job_id": "balance-2026-03-02", "status": "failed", "error": _UNREACHABLE, "metadata": {}}
    ],
    "ApiResult": [
        {
            "job_id": "push-key-7",
            "status": "done",
            "http_status": 200,
            "reply": {"id": "532073f7e4b05199d2c3d901"},
            "metadata": {},
        }
    ],
    "ApiFailed": [
        {
            "job_id": "push-key-8",
            "status": "failed",
            "http_status": 404,
            "error": {"code": "rejected_by_gateway", "detail": "HTTP 404: no such channel"},
            "metadata": {},
        }
    ],
    "ApiUncertain": [
        {
            "job_id": "push-key-9",
            "status": "uncertain",
            "error": {"code": "reply_lost", "detail": "the reply was lost (ReadError)"},
            "metadata": {},
        }
    ],
    "ApiRejected": [
        {
            "job_id": "push-key-10",
            "status": "rejected",
            "errors": [{"loc": ["path"], "msg": _NOT_ALLOWED, "type": "path_not_allowed"}],
            "metadata": {},
        }
    ],
    "CancelResult": [
        {"job_id": "stop-order-1841", "target": "order-1841", "status": "recorded", "metadata": {}},
        {"job_id": "stop-order-1840", "target": "order-1840", "status": "too_late", "metadata": {}},
    ],
    "CancelRejected": [
        {"job_id": "stop-order-1842", "status": "rejected", "errors": [_NO_TARGET], "metadata": {}}
    ],
    "CancelFailed": [
        {
            "job_id": "stop-order-1843",
            "target": "order-1843",
            "status": "failed",
            "error": {"code": "retries_exhausted", "detail": "a ledger entry cannot be read (KeyError)"},
            "metadata": {},
        }
    ],
}

DEAD_HEADERS: Final = {
    DeadHeader.REASON: "retries_exhausted",
    DeadHeader.DETAIL: "the gateway cannot be reached",
    DeadHeader.ATTEMPTS: 4,
    DeadHeader.QUEUE: "iton.send",
    DeadHeader.TIME: "2026-03-01T12:05:00.000Z",
}
