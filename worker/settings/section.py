"""What all sections of the settings share."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.settings import checks

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Region = Annotated[str, AfterValidator(checks.region)]
ParamName = Annotated[str, AfterValidator(checks.param_name)]
Prefetch = Annotated[int, Field(ge=1, le=65_535)]


class Section(BaseSettings):
    """Base of all sections: read once, never changed; an empty variable counts as absent."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, case_sensitive=False, hide_input_in_errors=True
    )
