"""The AsyncAPI 3.0 document of the worker, drawn from the channels and the models."""

from typing import Any, Final

from schemas import channels
from schemas.channels import APP_ID, CONTENT_TYPE, DeadHeader, JobKey, JobKind, ResultKind
from schemas.examples import DEAD_HEADERS, EXAMPLES

Json = dict[str, Any]

BINDING: Final = "0.3.0"
SCHEMAS: Final = "#/components/schemas/{model}"
JOB_MODELS: Final = {
    JobKind.SEND: "SendJob",
    JobKind.STATUS: "StatusJob",
    JobKind.ACCOUNT: "AccountJob",
    JobKind.API: "ApiJob",
    JobKind.CANCEL: "CancelJob",
}
RESULT_MODELS: Final = {
    ResultKind.SEND: ("SendResult", "SendRejected"),
    ResultKind.DELIVERY: ("DeliveryResult", "TrackedResult", "DeliveryRejected", "DeliveryFailed"),
    ResultKind.ACCOUNT: ("AccountResult", "AccountLow", "AccountRejected", "AccountFailed"),
    ResultKind.API: ("ApiResult", "ApiFailed", "ApiUncertain", "ApiRejected"),
    ResultKind.CANCEL: ("CancelResult", "CancelRejected", "CancelFailed"),
}
_TRACEPARENT: Final = {
    "type": "object",
    "properties": {
        channels.TRACEPARENT_HEADER: {"type": "string", "description": "W3C trace context, if any."}
    },
}
_JOB_PROPERTIES: Final = {
    "message_id": "Stands in for job_id where the body has none.",
    "correlation_id": "Returned with every result of the job.",
    "reply_to": "A queue that gets a copy of every result, if there is such a queue.",
}
_RESULT_PROPERTIES: Final = {
    "content_type": CONTENT_TYPE,
    "delivery_mode": "2 (persistent)",
    "message_id": "JOB_ID/PART, the same on every re-publication, also of a higher revision, which replaces "
    "the result before it; of a rejection JOB_ID/rejected/HASH, or rejected/HASH without a job id; of a "
    "follow-up JOB_ID/track/N.",
    "correlation_id": "The job's, else its job_id.",
    "type": "send.result.v1, delivery.result.v1, account.result.v1, api.result.v1 or cancel.result.v1.",
    "timestamp": "When it was published.",
    "app_id": APP_ID,
}
_HOST: Final = {"default": "localhost", "description": "The broker's, of the worker's setting AMQP_URL."}
_VHOST: Final = {
    "default": "%2F",
    "description": "The virtual host, percent-encoded; RabbitMQ's default one is a slash.",
}
_SERVERS: Final = {
    name: {
        "host": f"{{host}}:{port}",
        "pathname": "/{vhost}",
        "protocol": protocol,
        "protocolVersion": "0.9.1",
        "description": description,
        "variables": {"host": _HOST, "vhost": _VHOST},
        "security": [{"$ref": "#/components/securitySchemes/login"}],
    }
    for name, protocol, port, description in (
        ("broker", "amqp", 5672, "The RabbitMQ that producers, workers and consumers share."),
        ("brokerTls", "amqps", 5671, "The same through TLS."),
    )
}
_LOGIN: Final = {"type": "userPassword", "description": "A user of the broker."}
_CORRELATION: Final = {
    "description": "A result is of the job whose job_id it has; where a job brings none, its AMQP message_id "
    "stands in. The AMQP property correlation_id of a job comes back with its results as well.",
    "location": "$message.payload#/job_id",
}
_DEAD_HEADERS: Final = {
    DeadHeader.REASON: {"type": "string", "description": "A failure code."},
    DeadHeader.DETAIL: {"type": "string", "description": "The reason for people."},
    DeadHeader.ATTEMPTS: {
        "type": "integer",
        "minimum": 0,
        "description": "Rounds of delayed retries before.",
    },
    DeadHeader.QUEUE: {"type": "string", "description": "The work queue that the job came from."},
    DeadHeader.TIME: {"type": "string", "description": "When the worker gave the job up."},
}


def document(version: str, prefix: str, schemas: Json) -> Json:
    """The whole document; *schemas* are those of all models, by name, with references like `SCHEMAS`."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "ITON worker",
            "version": version,
            "description": "Jobs in, results out: SMS over the ITON gateway, driven through RabbitMQ. "
            "Every recipient of every job ends in exactly one published outcome.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": _SERVERS,
        "channels": {
            **{_job_channel(key): _jobs(key, prefix) for key in JobKey},
            **{_result_channel(kind): _results(kind, prefix) for kind in ResultKind},
            "unroutedResults": _queue(
                channels.unrouted(prefix),
                "Results for which no consumer's queue was bound: kept, not lost.",
                [name for models in RESULT_MODELS.values() for name in models],
            ),
            "deadLetters": _queue(
                channels.dead(prefix),
                "Jobs that were given up: the original body and properties, and headers that say why.",
                ["DeadLetter"],
            ),
        },
        "operations": {
            **{_operation("take", _job_channel(key)): _take(key) for key in JobKey},
            **{
                _operation("publish", _result_channel(kind)): _publish(_result_channel(kind))
                for kind in ResultKind
            },
            "publishDeadLetters": _publish("deadLetters"),
        },
        "components": {
            "messages": _messages(schemas),
            "schemas": schemas,
            "correlationIds": {"jobId": _CORRELATION},
            "securitySchemes": {"login": _LOGIN},
        },
    }


def _camel(dotted: str) -> str:
    first, *others = dotted.split(".")
    return first + "".join(word.capitalize() for word in others)


def _job_channel(key: JobKey) -> str:
    return f"{_camel(key.value)}Jobs"


def _result_channel(kind: ResultKind) -> str:
    return f"{kind.value}Results"


def _operation(verb: str, channel: str) -> str:
    return f"{verb}{channel[0].upper()}{channel[1:]}"


def _references(names: list[str] | tuple[str, ...]) -> Json:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _topic(name: str) -> Json:
    exchange = {"name": name, "type": "topic", "durable": True, "autoDelete": False}
    return {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": BINDING}}


def _jobs(key: JobKey, prefix: str) -> Json:
    return {
        "address": key.value,
        "description": f"Published to the exchange {channels.jobs_exchange(prefix)} with this routing key; "
        f"kept in the quorum queue {channels.work_queue(key, prefix)}.",
        "messages": _references([JOB_MODELS[key.kind]]),
        "bindings": _topic(channels.jobs_exchange(prefix)),
    }


def _results(kind: ResultKind, prefix: str) -> Json:
    return {
        "address": f"{kind.value}.{{status}}",
        "description": f"Published on the exchange {channels.results_exchange(kind, prefix)}; "
        "bind a queue of your own.",
        "parameters": {"status": {"enum": list(kind.statuses), "description": "The status of the result."}},
        "messages": _references(RESULT_MODELS[kind]),
        "bindings": _topic(channels.results_exchange(kind, prefix)),
    }


def _queue(name: str, description: str, messages: list[str]) -> Json:
    queue = {"name": name, "durable": True, "exclusive": False, "autoDelete": False}
    return {
        "address": name,
        "description": description,
        "messages": _references(messages),
        "bindings": {"amqp": {"is": "queue", "queue": queue, "bindingVersion": BINDING}},
    }


def _take(key: JobKey) -> Json:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{_job_channel(key)}"},
        "summary": f"Take jobs that were published by the routing key {key.value}.",
        "bindings": {"amqp": {"ack": True, "bindingVersion": BINDING}},
        "reply": {
            "channel": {"$ref": f"#/channels/{_result_channel(channels.RESULT_KIND_OF_JOB[key.kind])}"}
        },
    }


def _publish(channel: str) -> Json:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": BINDING}},
    }


def _messages(schemas: Json) -> Json:
    jobs = {
        name: _message(name, f"{kind.value}.job", _JOB_PROPERTIES, schemas[name]["examples"])
        for kind, name in JOB_MODELS.items()
    }
    results = {
        name: _message(name, kind.message_type, _RESULT_PROPERTIES, EXAMPLES[name])
        for kind, names in RESULT_MODELS.items()
        for name in names
    }
    dead: Json = {
        "name": "DeadLetter",
        "summary": "A job that was given up, body and properties untouched; it need not be JSON.",
        "headers": {"type": "object", "properties": dict(_DEAD_HEADERS), "required": list(_DEAD_HEADERS)},
        "payload": {},
        "examples": [{"headers": DEAD_HEADERS, "payload": schemas[JOB_MODELS[JobKind.SEND]]["examples"][0]}],
    }
    return {**jobs, **results, "DeadLetter": dead}


def _message(name: str, message_type: str, properties: dict[str, str], examples: list[Json]) -> Json:
    # No contentEncoding: in AMQP and here that names a compression, and bodies have none.
    return {
        "name": name,
        "contentType": CONTENT_TYPE,
        "correlationId": {"$ref": "#/components/correlationIds/jobId"},
        "headers": _TRACEPARENT,
        "payload": {"$ref": SCHEMAS.format(model=name)},
        "examples": [{"payload": example} for example in examples],
        "bindings": {"amqp": {"messageType": message_type, "bindingVersion": BINDING}},
        "x-amqp-properties": properties,
    }
