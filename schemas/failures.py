"""Every error code of the contract, with what it means and what to do about it.

The codes appear as ``error.code`` of a recipient or a failed result, as ``errors[].type`` of a rejected
one, and as the header ``x-iton-reason`` of a dead letter. Programs compare codes; the words beside them
(``detail``, ``msg``) are for people and may change. A later version may add codes.
"""

from enum import StrEnum
from typing import Self


class FailureCode(StrEnum):
    """A code in snake_case.

    Attributes:
        meaning: one sentence on what happened.
        remedy: one sentence on what to do about it.
    """

    meaning: str
    remedy: str

    def __new__(cls, code: str, meaning: str = "", remedy: str = "") -> Self:
        """Make the member: a string that carries two sentences. Looking one up takes the code alone."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        member.remedy = remedy
        return member

    # The body of a job cannot be read.
    TOO_LARGE = (
        "too_large",
        "The body is larger than the worker reads (8 MiB).",
        "Split the job into several.",
    )
    NOT_UTF8 = (
        "not_utf8",
        "The body is not UTF-8, or starts with a byte order mark.",
        "Encode the body as UTF-8 without a byte order mark.",
    )
    NOT_JSON = (
        "not_json",
        "The body is not JSON.",
        "Send one JSON object, made by a JSON library.",
    )
    NOT_AN_OBJECT = (
        "not_an_object",
        "The body is JSON, but not an object.",
        "Send one JSON object a message; a list of jobs is one message each.",
    )
    DUPLICATE_KEY = (
        "duplicate_key",
        "An object names the same key twice, so one of the two values would be lost.",
        "Give every key once.",
    )
    TOO_DEEP = (
        "too_deep",
        "Arrays or objects are nested deeper than 32 levels.",
        "Flatten the metadata, or send it as a string.",
    )
    NUMBER_OUT_OF_RANGE = (
        "number_out_of_range",
        "A number is NaN, Infinity or too large for other JSON readers.",
        "Send such a value as a string, or leave it out.",
    )
    INVALID_UNICODE = (
        "invalid_unicode",
        "A string holds half of a surrogate pair, which is no character.",
        "Send the whole character, as UTF-8 or as two escapes in a row.",
    )
    # A field of a job is wrong.
    MISSING = ("missing", "A field that the job needs is absent.", "Add the field.")
    UNKNOWN_FIELD = (
        "unknown_field",
        "A field is none of the contract; a typo must not send to nobody.",
        "Correct the name, or move the value into metadata.",
    )
    WRONG_TYPE = (
        "wrong_type",
        "A value has another JSON type than its field.",
        "Send the type that the message names; nothing is converted.",
    )
    WRONG_LENGTH = (
        "wrong_length",
        "A string, array or object is too short or too long.",
        "Keep to the limits that the message names.",
    )
    WRONG_VALUE = (
        "wrong_value",
        "A value has the right type, but is none that the field allows.",
        "Send one of the values, or the form, that the message names.",
    )
    RESERVED_PARAM = (
        "reserved_param",
        "A name in params is one that the worker itself gives to the gateway.",
        "Leave it out; the job has a field of its own for what is the producer's to say.",
    )
    PARAMS_NOT_ALLOWED = (
        "params_not_allowed",
        "A name in params is not listed in the worker's setting ITON_ALLOWED_PARAMS.",
        "Ask the operator to list the name, or leave it out.",
    )
    PATH_NOT_ALLOWED = (
        "path_not_allowed",
        "The path of an api job begins with no segments that the setting ITON_WEB_API_PATHS lists.",
        "Ask the operator to list them, or correct the path.",
    )
    TEXT_TOO_LONG = (
        "text_too_long",
        "The text needs more segments than the worker's setting allows.",
        "Shorten the text, or ask the operator to raise the limit.",
    )
    UNICODE_REQUIRED = (
        "unicode_required",
        "The job says unicode: false, but the text has characters outside the GSM alphabet.",
        "Leave unicode out, or take these characters out of the text.",
    )
    UNSUPPORTED = (
        "unsupported",
        "The job asks for something that this version of the worker cannot do.",
        "Leave the field out, or run a version that can.",
    )
    # The job as a whole is refused or given up.
    INVALID_JOB = (
        "invalid_job",
        "The job was rejected; the result's errors name each field.",
        "Correct the job and publish it again.",
    )
    JOB_ID_CONFLICT = (
        "job_id_conflict",
        "A job with the same job_id and other content was taken before; that one is untouched.",
        "Give every job an id of its own, and keep the content when you publish one again.",
    )
    RETRIES_EXHAUSTED = (
        "retries_exhausted",
        "The gateway could not be reached, or refused for the moment, until the retries were used up.",
        "Nothing was sent: publish the job again under a new job_id, or replay the dead letter.",
    )
    INTERNAL_ERROR = (
        "internal_error",
        "The worker met a fault of its own while it worked on the job.",
        "Look for the job in the worker's log, and report the fault.",
    )
    FORGOTTEN = (
        "forgotten",
        "The job was replayed and the ledger no longer knows it, so nobody can tell who was sent to before.",
        "Look into its earlier results; a replay with --force sends the whole job once more.",
    )
    # A recipient was not sent to, for a reason known before the call.
    INVALID_NUMBER = (
        "invalid_number",
        "The entry cannot be a phone number.",
        "Correct the number.",
    )
    DND_UNVERIFIED = (
        "dnd_unverified",
        "The gateway said nothing about the number on the DND list, so it was not sent to.",
        "Send again later, or exempt the job by category or dnd if it is lawfully exempt.",
    )
    EXPIRED = (
        "expired",
        "expires_at passed before the call; nothing was sent.",
        "Send a new job if the message still matters.",
    )
    CANCELLED = (
        "cancelled",
        "The job was cancelled before the call; nothing was sent.",
        "Send a new job, under a job_id of its own, if the message is wanted after all.",
    )
    TRACKING_ENDED = (
        "tracking_ended",
        "The message has no final status, and WORKER_TRACK_LIMIT is over.",
        "Treat it as not known; a status job asks once more.",
    )
    OUTSIDE_HOURS = (
        "outside_hours",
        "The hours for such texts begin again only when expires_at has passed; nothing was sent.",
        "Send a new job with a later expires_at if the message still matters.",
    )
    # The gateway refused.
    REJECTED_BY_GATEWAY = (
        "rejected_by_gateway",
        "The gateway understood the request and refused it; detail quotes its words.",
        "Correct what the gateway names; the same request would be refused again.",
    )
    SENDER_REFUSED = (
        "sender_refused",
        "The gateway refused the sender ID.",
        "Use a sender ID that is registered and approved for the account.",
    )
    NUMBER_REFUSED = (
        "number_refused",
        "The gateway refused a phone number of the call.",
        "Correct the number.",
    )
    TEXT_REFUSED = (
        "text_refused",
        "The gateway refused the text.",
        "Make the text equal to the template that is registered for it.",
    )
    # The gateway, or the account, could not be used: nothing was sent.
    GATEWAY_UNREACHABLE = (
        "gateway_unreachable",
        "No connection to the gateway could be made.",
        "Nothing was sent; the worker tries again by itself.",
    )
    GATEWAY_BUSY = (
        "gateway_busy",
        "The gateway asked to come back later.",
        "Nothing was sent; the worker tries again by itself.",
    )
    CREDENTIALS_REFUSED = (
        "credentials_refused",
        "The gateway refused the account's user name, password or address.",
        "Jobs wait; the operator must correct the credentials or have the account unblocked.",
    )
    CREDITS_EXHAUSTED = (
        "credits_exhausted",
        "The account has no credits left.",
        "Jobs wait; the operator must buy credits.",
    )
    # It may have been sent, and nobody can say.
    REPLY_LOST = (
        "reply_lost",
        "The request went out and no reply came back: the message may have been sent.",
        "Treat it as possibly sent; send again only where a double does no harm.",
    )
    REPLY_UNREADABLE = (
        "reply_unreadable",
        "The gateway's reply could not be understood: the message may have been sent.",
        "Treat it as possibly sent; ask the gateway's support with the time of the call.",
    )
    GATEWAY_ERROR = (
        "gateway_error",
        "The gateway answered with a fault of its own after it had the request.",
        "Treat a message as possibly sent; a status or account job may simply be repeated.",
    )
    NOT_IN_REPLY = (
        "not_in_reply",
        "The gateway's reply left this number out: the message may have been sent.",
        "Treat it as possibly sent.",
    )
    WORKER_LOST = (
        "worker_lost",
        "The worker died or froze during the call: the message may have been sent.",
        "Wait for a result with revision 2 (it follows if the reply turns up); else treat it as sent.",
    )
