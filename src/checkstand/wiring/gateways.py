"""The gateways that the settings switch on: the only module that knows which ones there are."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, cast

from pydantic import SecretStr

from checkstand.errors import ConfigurationError
from checkstand.payments.gateway import Gateway, GatewayFactory, House
from checkstand.payments.gateways import offline, sandbox
from checkstand.payments.service import NOTHING_DUE
from checkstand.payments.store.sandbox import SandboxLedger
from checkstand.settings import Settings
from checkstand.settings.gateways import OfflineGatewaySettings
from checkstand.storage.database import Database

PROVIDERS = ("stripe", "paypal", "square", "authorizenet")
ENTRY_POINTS = "checkstand.gateways"


def gateways_of(settings: Settings, house: House, database: Database | None) -> dict[str, Gateway]:
    """By id, in the order in which shoppers see them. ConfigurationError names what is wrong with
    their settings and how to mend it. `database`: None for who only looks at them."""
    gateways = {
        **_sandbox(settings, house, database),
        **_providers(settings, house),
        **_offline(settings),
    }
    for name, gateway in _third_party(settings, house).items():
        if name in gateways:
            raise ConfigurationError(
                f"gateways.more: there is a gateway {name} already; switch one of the two off"
            )
        gateways[name] = gateway
    wrong = [
        f"gateways.{name}: {complaint}"
        for name, gateway in gateways.items()
        for complaint in gateway.complaints()
    ]
    live = [each.description.id for each in gateways.values() if _takes_real_money(each)]
    if "sandbox" in gateways and live:
        wrong.append(
            f"gateways.sandbox is on, and so is {', '.join(live)} with live keys: anybody could "
            "order without paying; switch the sandbox off, or use test keys"
        )
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    return gateways


def switched_off(settings: Settings) -> frozenset[str]:
    """Ids of the methods that this version has and the settings leave off."""
    return frozenset(
        name
        for name, section in settings.gateways
        if isinstance(section, OfflineGatewaySettings) and not section.enabled
    )


def retired() -> dict[str, Gateway]:
    """Offline methods that orders may have been placed with, whether they are offered or not."""
    return {
        "bacs": offline.bank_transfer("", ""),
        "cheque": offline.cheque("", ""),
        "cod": offline.cash_on_delivery("", "", ()),
    }


def _takes_real_money(gateway: Gateway) -> bool:
    return not gateway.description.offline and not gateway.description.test_mode


def _sandbox(settings: Settings, house: House, database: Database | None) -> dict[str, Gateway]:
    chosen = settings.gateways.sandbox
    if not chosen.enabled:
        return {}
    ledger = SandboxLedger(cast("Database", database))  # who only looks asks it nothing
    timeout = settings.payments.timeout
    return {
        "sandbox": sandbox.gateway(**_values(chosen), ledger=ledger, house=house, timeout=timeout)
    }


def _providers(settings: Settings, house: House) -> dict[str, Gateway]:
    """Those that ask a provider over the network. Each is loaded only where it is used."""
    gateways: dict[str, Gateway] = {}
    for name in PROVIDERS:
        chosen = getattr(settings.gateways, name)
        if chosen.enabled:
            module = import_module(f"checkstand.payments.gateways.{name}")
            gateways[name] = module.gateway(
                **_values(chosen), house=house, timeout=settings.payments.timeout
            )
    return gateways


def _values(section: OfflineGatewaySettings) -> dict[str, Any]:
    """A gateway's settings as plain values, secrets unwrapped."""
    return {
        key: value.get_secret_value() if isinstance(value, SecretStr) else value
        for key, value in section
        if key != "enabled"
    }


def _offline(settings: Settings) -> dict[str, Gateway]:
    chosen = settings.gateways
    gateways: dict[str, Gateway] = {NOTHING_DUE: offline.nothing_due()}
    if chosen.bacs.enabled:
        gateways["bacs"] = offline.bank_transfer(chosen.bacs.title, chosen.bacs.description)
    if chosen.cheque.enabled:
        gateways["cheque"] = offline.cheque(chosen.cheque.title, chosen.cheque.description)
    if chosen.cod.enabled:
        gateways["cod"] = offline.cash_on_delivery(
            chosen.cod.title, chosen.cod.description, chosen.cod.shipping_methods
        )
    return gateways


def _third_party(settings: Settings, house: House) -> dict[str, Gateway]:
    """Those of other packages, by entry point."""
    gateways: dict[str, Gateway] = {}
    if not settings.gateways.more:
        return gateways
    found = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    for name, options in settings.gateways.more.items():
        point = found.get(name)
        if point is None:
            names = ", ".join(sorted(found)) or "none"
            raise ConfigurationError(
                f"gateways.more.{name}: no installed package has this gateway (entry points in "
                f"{ENTRY_POINTS}: {names}); install it, or remove the section"
            )
        try:
            factory: GatewayFactory = point.load()
            gateway = factory(options, house)
        except ConfigurationError as error:
            raise ConfigurationError(f"gateways.more.{name}: {error}") from None
        except Exception as error:  # it may be anybody's
            raise ConfigurationError(
                f"gateways.more.{name}: its package cannot make it ({type(error).__name__}); check "
                "its settings there, and its version"
            ) from error
        gateways[gateway.description.id] = gateway
    return gateways
