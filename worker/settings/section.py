"""What all sections of the settings share."""

import re
from typing import Annotated, Any, cast

from pydantic import AfterValidator, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from worker.settings import checks

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Region = Annotated[str, AfterValidator(checks.region)]
ParamName = Annotated[str, AfterValidator(checks.param_name)]
Prefetch = Annotated[int, Field(ge=1, le=65_535)]


# A blank at either end of these is part of them, wherever they stand.
_AS_WRITTEN = frozenset({"ITON_USERNAME", "ITON_PASSWORD"})
# Docker's --env-file and Kubernetes keep quotes that a shell or a .env file would take away.
_QUOTED = re.compile(r"""(["']).*\1""", re.DOTALL)


class SecretFiles(SecretsSettingsSource):
    """The library's secret files, whose ends are read as those of every other source."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """As the library does it, but for the blanks that it cuts off."""
        value, key, is_complex = super().get_field_value(field, field_name)
        if value is not None:
            path = self.find_case_path(self.secrets_paths[0], key, case_sensitive=False)
            value = path.read_text(encoding="utf-8") if path is not None else value
        return value, key, is_complex


class Section(BaseSettings):
    """Base of all sections: read once, never changed; an empty variable counts as absent."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        case_sensitive=False,
        hide_input_in_errors=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the same sources as the library, in its order."""
        folder = cast("SecretsSettingsSource", file_secret_settings).secrets_dir
        return init_settings, env_settings, dotenv_settings, SecretFiles(settings_cls, folder)

    @model_validator(mode="before")
    @classmethod
    def _trim(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Cut every value's ends alike, whatever source it comes from; what is empty then is absent."""
        ours = {str(field.validation_alias) for field in cls.model_fields.values()}
        cut = {
            name: trimmed(name.upper(), value) if name.upper() in ours and isinstance(value, str) else value
            for name, value in given.items()
        }
        for name, value in cut.items():
            if name.upper() in ours and isinstance(value, str) and _QUOTED.fullmatch(value):
                raise ValueError(f"{name.upper()} is in quotes, which are no part of a value; take them out")
        return {name: value for name, value in cut.items() if value != ""}


def trimmed(variable: str, value: str) -> str:
    """Return the *value* of *variable* without a byte order mark in front and line breaks at the end.

    Nor with blanks around it, unless they may be part of it.
    """
    value = value.removeprefix("\ufeff").rstrip("\r\n")
    return value if variable in _AS_WRITTEN else value.strip()
