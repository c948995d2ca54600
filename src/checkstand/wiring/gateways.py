"""The gateways that the settings switch on: the only module that knows which ones there are."""

from __future__ import annotations

from importlib.metadata import entry_points

from checkstand.errors import ConfigurationError
from checkstand.payments.gateway import Gateway, GatewayFactory, House
from checkstand.payments.gateways import offline
from checkstand.payments.service import NOTHING_DUE
from checkstand.settings import Settings

ENTRY_POINTS = "checkstand.gateways"


def gateways_of(settings: Settings, house: House) -> dict[str, Gateway]:
    """By id, in the order in which shoppers see them. ConfigurationError names what is wrong with
    their settings and how to mend it."""
    gateways = {**_offline(settings), **_third_party(settings, house)}
    wrong = [
        f"gateways.{name}: {complaint}"
        for name, gateway in gateways.items()
        for complaint in gateway.complaints()
    ]
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    return gateways


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
        factory: GatewayFactory = point.load()
        gateway = factory(options, house)
        gateways[gateway.description.id] = gateway
    return gateways
