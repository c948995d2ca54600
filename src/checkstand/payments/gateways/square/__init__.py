"""Square: cards and wallets by the Web Payments SDK in the browser and the Payments API here."""

from checkstand.payments.gateways.square.gateway import SquareGateway, gateway

__all__ = ["SquareGateway", "gateway"]
