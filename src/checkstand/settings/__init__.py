"""The settings: `checkstand.toml`, then CHECKSTAND_* variables (nested by `__`) on top.

Read once at start by wiring, app and cli only. Anything wrong is a ConfigurationError that names
the key, the value and the fix. Secrets come by reference: `env:NAME` or `file:PATH`.
"""

from __future__ import annotations

import os
import re
import tomllib
from difflib import get_close_matches
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from checkstand.errors import ConfigurationError
from checkstand.settings.accounts import AccountSettings, JwtSettings, MailSettings
from checkstand.settings.gateways import GatewaySettings, PaymentSettings
from checkstand.settings.guarding import (
    AuditSettings,
    RateLimitSettings,
    SecuritySettings,
    ShieldSettings,
)
from checkstand.settings.sections import (
    AddressLookupSettings,
    CartSettings,
    CheckoutSettings,
    CouponSettings,
    DatabaseSettings,
    LogSettings,
    ReviewSettings,
    Section,
    ServerSettings,
    StoreSettings,
    TaxSettings,
    WorkerSettings,
)
from checkstand.settings.shipping import MethodSettings, ShippingSettings, ZoneSettings

__all__ = ["MethodSettings", "Settings", "StoreSettings", "ZoneSettings", "every_setting", "load"]

FILE_VARIABLE = "CHECKSTAND_CONFIG"
DATABASE_VARIABLE = "CHECKSTAND_DATABASE_URL"
"""The usual short name of CHECKSTAND_DATABASE__URL, which wins over it."""
DEFAULT_FILE = "checkstand.toml"


class Settings(BaseSettings):
    """Everything that an operator can choose."""

    model_config = SettingsConfigDict(
        env_prefix="CHECKSTAND_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    store: StoreSettings = StoreSettings()
    tax: TaxSettings = TaxSettings()
    shipping: ShippingSettings = ShippingSettings()
    checkout: CheckoutSettings = CheckoutSettings()
    cart: CartSettings = CartSettings()
    coupons: CouponSettings = CouponSettings()
    reviews: ReviewSettings = ReviewSettings()
    address_lookup: AddressLookupSettings = AddressLookupSettings()
    accounts: AccountSettings = AccountSettings()
    jwt: JwtSettings = JwtSettings()
    mail: MailSettings = MailSettings()
    gateways: GatewaySettings = GatewaySettings()
    rate_limits: RateLimitSettings = RateLimitSettings()
    security: SecuritySettings = SecuritySettings()
    shield: ShieldSettings = ShieldSettings()
    audit: AuditSettings = AuditSettings()
    payments: PaymentSettings = PaymentSettings()
    worker: WorkerSettings = WorkerSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what the file says (which arrives as init values)."""
        return (EnvSettingsSource(settings_cls, env_prefix="CHECKSTAND_"), init_settings)


def load(path: Path | None = None, **overrides: Any) -> Settings:
    """The settings from `path`, else $CHECKSTAND_CONFIG, else ./checkstand.toml if it is there.

    `overrides` are section dicts that a command sets itself; the environment wins over them.
    """
    file = path or _file_from_environment()
    values = _merge(_read(file) if file else {}, overrides)
    if DATABASE_VARIABLE in os.environ:
        values = _merge(values, {"database": {"url": os.environ[DATABASE_VARIABLE]}})
    _check_variables()
    try:
        return Settings(**values)
    except ValidationError as error:
        raise ConfigurationError(_explain(error, str(file or "the environment"))) from None
    except SettingsError as error:
        found = re.search(r'field "(\w+)"', str(error))
        name = f"CHECKSTAND_{found[1].upper()}" if found else "a CHECKSTAND_* variable"
        raise ConfigurationError(
            f"{name} cannot be read: a whole section or a list is written as JSON; or set one key, "
            f"such as {name}__KEY, or use the file"
        ) from None


def _file_from_environment() -> Path | None:
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return Path(named)
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None


def _check_variables() -> None:
    """A misspelt CHECKSTAND_* variable is an error, not a setting that silently stays as it was."""
    sections = [name.upper() for name in Settings.model_fields]
    for name in sorted(os.environ):
        if not name.startswith("CHECKSTAND_") or name in (FILE_VARIABLE, DATABASE_VARIABLE):
            continue
        section = name.removeprefix("CHECKSTAND_").partition("__")[0]
        if section not in sections:
            near = get_close_matches(section, sections, 1, 0.6)
            hint = f"did you mean CHECKSTAND_{near[0]}__…?" if near else "unset it"
            raise ConfigurationError(f"there is no setting behind the variable {name}; {hint}")


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {file}: {error.strerror}; check the path, or unset {FILE_VARIABLE}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is not valid TOML: {error}") from None


def _merge(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in top.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merge(dict(below), value) if both else value  # type: ignore[arg-type]
    return merged


def _explain(error: ValidationError, source: str) -> str:
    lines = [f"The settings ({source}) have {error.error_count()} problem(s):"]
    for item in error.errors(include_url=False):
        places = [part for part in item["loc"] if part != "[key]"]
        key = ".".join(str(part) for part in places)
        names = takewhile(lambda part: isinstance(part, str), places)
        variable = "CHECKSTAND_" + "__".join(str(name) for name in names).upper()
        lines.append(f"  {key} = {_shown(key, item['input'])}: {_fix(item, key)}")
        lines.append(f"      (in the file under [{key.rpartition('.')[0]}], or as {variable})")
    return "\n".join(lines)


def _shown(key: str, value: Any) -> str:
    """The value for a message; never one that may hold a password."""
    secret = any(
        word in key for word in ("url", "secret", "key", "token", "password", "gateways.more")
    )
    if secret or isinstance(value, (dict, list, BaseModel)):
        return "…"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _fix(item: Any, key: str) -> str:
    if item["type"] == "extra_forbidden":
        near = get_close_matches(key, _known_keys(), 1, 0.6)
        return "there is no such setting" + (
            f"; did you mean {near[0]}?" if near else "; remove it"
        )
    message = str(item["msg"]).removeprefix("Value error, ")
    return message if message[:2].isupper() else message[0].lower() + message[1:]


def _known_keys() -> list[str]:
    return [key for key, _, _ in every_setting()]


def every_setting(
    model: type[BaseModel] = Settings, prefix: str = ""
) -> list[tuple[str, Any, str]]:
    """All settings as (dotted key, default, description), for the docs and their test."""
    found: list[tuple[str, Any, str]] = []
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, Section) and not field.description:
            found += every_setting(type(default), f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", default, field.description or ""))
    return found
