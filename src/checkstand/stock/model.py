"""What an order wants of the stock, and what came up short."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Want:
    """`quantity` units of a stock row, all or nothing; backorders are not wanted from stock."""

    stock_id: int
    quantity: int
    may_exceed: bool = False
    """Backorders are allowed: holds what it can be told, never refused."""


@dataclass(frozen=True, slots=True)
class Shortage:
    stock_id: int
    requested: int
    available: int
