"""The settings of the gateway: the account, how it is spoken to, and how hard."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, SecretStr, model_validator
from pydantic_settings import NoDecode

from worker.settings import checks
from worker.settings.section import ParamName, Seconds, Section


class GatewaySettings(Section):
    """The ITON account and how its gateway is spoken to."""

    base_url: Annotated[str, AfterValidator(checks.gateway_url)] = Field(
        "https://sms.iton.in/ItonSMSAPI/smsService/api/",
        validation_alias="ITON_BASE_URL",
        description="address of the gateway, without a query",
    )
    username: Annotated[SecretStr, AfterValidator(checks.unicode_secret)] = Field(
        SecretStr(""), validation_alias="ITON_USERNAME", description="user name of the ITON account; required"
    )
    password: Annotated[SecretStr, AfterValidator(checks.unicode_secret)] = Field(
        SecretStr(""), validation_alias="ITON_PASSWORD", description="API password of the account; required"
    )
    api_token: Annotated[SecretStr | None, AfterValidator(checks.token)] = Field(
        None,
        validation_alias="ITON_API_TOKEN",
        description="sent as the Authorization header as well, where the account has one",
    )
    proxy: Annotated[SecretStr | None, AfterValidator(checks.proxy_url)] = Field(
        None,
        validation_alias="WORKER_GATEWAY_PROXY",
        description="http://USER:PASSWORD@HOST:PORT of an egress proxy; HTTPS_PROXY is not heeded",
    )
    ca_file: Annotated[Path | None, AfterValidator(checks.authorities)] = Field(
        None,
        validation_alias="WORKER_GATEWAY_CA_FILE",
        description="PEM file; authorities that are believed beside the system's. It is read at start",
    )
    transport: Annotated[Literal["pooled", "httpx"], BeforeValidator(checks.lower)] = Field(
        "pooled",
        validation_alias="WORKER_GATEWAY_TRANSPORT",
        description="pooled; httpx: its own transport, with the same promises at 20 times the CPU a call",
    )
    timeout: Seconds = Field(
        20,
        le=600,
        validation_alias="ITON_TIMEOUT",
        description="seconds; one call to the gateway ends within it. A sendSMS that does not is uncertain",
    )
    rate_limit: float = Field(
        0,
        ge=0,
        le=100_000,
        allow_inf_nan=False,
        validation_alias="ITON_RATE_LIMIT",
        description="calls a second over the whole fleet, bursts of one second's worth; 0: no limit",
    )
    allowed_params: Annotated[tuple[ParamName, ...], NoDecode, BeforeValidator(checks.split_list)] = Field(
        (),
        validation_alias="ITON_ALLOWED_PARAMS",
        description="comma list; names that a job may use in params (template and entity ids, say)",
    )
    method: Annotated[Literal["GET", "POST"], BeforeValidator(checks.upper)] = Field(
        "GET",
        validation_alias="WORKER_GATEWAY_METHOD",
        description="GET with a query, as ITON documents it, or POST form-encoded",
    )
    text_param: Annotated[str, AfterValidator(checks.text_param_name)] = Field(
        "message",
        validation_alias="WORKER_GATEWAY_TEXT_PARAM",
        description="name of the parameter with the text, which ITON's document forgot",
    )
    timezone: Annotated[str, AfterValidator(checks.time_zone)] = Field(
        "Asia/Kolkata",
        validation_alias="WORKER_GATEWAY_TIMEZONE",
        description="time zone of the times in ITON's replies, which name none",
    )
    max_url_bytes: int = Field(
        7_500,
        ge=1_000,
        le=65_536,
        validation_alias="WORKER_GATEWAY_MAX_URL_BYTES",
        description="bytes; a call whose URL would be longer is cut in two (servers often refuse 8 KB)",
    )
    rules: Annotated[tuple[dict[str, JsonValue], ...], NoDecode, BeforeValidator(checks.json_rules)] = Field(
        (),
        validation_alias="WORKER_GATEWAY_RULES",
        description="JSON list; rules that classify replies, tried before the ones that are built in",
    )
    status_words: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(checks.split_list), AfterValidator(checks.status_words)
    ] = Field(
        (),
        validation_alias="WORKER_STATUS_WORDS",
        description="comma list of WORD=STATUS; what further words of ITON for a delivery mean: delivered, "
        "failed, expired, rejected, dnd or pending",
    )
    dnd_memory: float = Field(
        3_600,
        ge=0,
        le=2_592_000,
        allow_inf_nan=False,
        validation_alias="WORKER_DND_MEMORY",
        description="seconds; how long an answer of the DND list is remembered. 0: not at all",
    )
    coalesce_sends: bool = Field(
        default=False,
        validation_alias="WORKER_COALESCE_SENDS",
        description="true: jobs with the same text, sender and params share calls. See docs/guarantees.md",
    )
    max_calls: int = Field(
        800,  # a gateway that takes half a second for each is kept as busy as one process can
        ge=1,
        le=10_000,
        validation_alias="WORKER_MAX_CALLS",
        description="calls to the gateway in flight at the most; fewer where it refuses or slows down",
    )
    min_calls: int = Field(
        1,
        ge=1,
        le=10_000,
        validation_alias="WORKER_MIN_CALLS",
        description="calls; their number is not lowered below this. The same as WORKER_MAX_CALLS: fixed",
    )
    urgent_calls: int = Field(
        20,
        ge=0,
        le=10_000,
        validation_alias="WORKER_URGENT_CALLS",
        description="calls; the share of WORKER_MAX_CALLS that only urgent jobs may use, less than all",
    )

    @model_validator(mode="after")
    def _leave_calls_for_bulk(self) -> Self:
        if self.urgent_calls >= self.max_calls:
            raise ValueError(
                "WORKER_URGENT_CALLS must be less than WORKER_MAX_CALLS, or bulk jobs never get one; lower it"
            )
        return self

    @model_validator(mode="after")
    def _keep_the_bounds_in_order(self) -> Self:
        if self.min_calls > self.max_calls:
            raise ValueError("WORKER_MIN_CALLS must not be more than WORKER_MAX_CALLS; lower it")
        return self

    @model_validator(mode="after")
    def _keep_the_text_apart(self) -> Self:
        if self.text_param.lower() in map(str.lower, self.allowed_params):
            raise ValueError("ITON_ALLOWED_PARAMS must not name the parameter with the text; take it out")
        return self
