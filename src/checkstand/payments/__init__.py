"""Payments: gateways behind one protocol, and the record of every attempt to pay an order."""
