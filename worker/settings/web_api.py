"""The settings of ITON's Web API (Credentials, Channels, Media), which api jobs call."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from worker.settings import checks
from worker.settings.section import Section

PathStart = Annotated[str, AfterValidator(checks.path_start)]


class WebApiSettings(Section):
    """Where the Web API is, and what of it jobs may call."""

    url: Annotated[str | None, AfterValidator(checks.web_api_url)] = Field(
        None,
        validation_alias="ITON_WEB_API_URL",
        description="address of ITON's Web API, without a query, for api jobs; unset: they are rejected. It "
        "needs ITON_API_TOKEN",
    )
    paths: Annotated[tuple[PathStart, ...], NoDecode, BeforeValidator(checks.split_list)] = Field(
        (),
        validation_alias="ITON_WEB_API_PATHS",
        description="comma list; first segments that the path of an api job may begin with "
        "(credentials,channels,media, say). unset: none",
    )
