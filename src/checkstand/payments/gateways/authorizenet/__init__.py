"""Authorize.Net: cards by Accept.js in the browser and the JSON API here."""

from checkstand.payments.gateways.authorizenet.gateway import AuthorizeNetGateway, gateway

__all__ = ["AuthorizeNetGateway", "gateway"]
