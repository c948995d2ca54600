"""PayPal by Orders v2: buttons in the browser, or a redirect to PayPal and back.

The attempt's reference is the PayPal order all along. PayPal captures an order once, whatever is
sent; PayPal-Request-Id, which is the attempt's id, makes a repeated capture answer as the first.
"""

from checkstand.payments.gateways.paypal.adapter import PayPalGateway, gateway

__all__ = ["PayPalGateway", "gateway"]
