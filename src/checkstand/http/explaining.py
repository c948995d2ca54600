"""`?explain=1`: an answer with how its totals came about."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from checkstand.access.principal import Caller
from checkstand.cart.view import CartView, facts
from checkstand.errors import ParameterInvalid
from checkstand.pricing.explaining import explain
from checkstand.pricing.trace import as_json

_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")


def wanted(request: Request, caller: Caller) -> bool:
    """Whether the totals are to be explained; for who holds a consumer key that may read."""
    said = request.query_params.get("explain")
    if said is None or said.lower() in _NO:
        return False
    if said.lower() not in _YES:
        raise ParameterInvalid(
            "Invalid parameter(s): explain.", data={"params": {"explain": "is `1` or `0`"}}
        )
    caller.must_hold_key()
    return True


def explained(body: dict[str, Any], seen: CartView) -> dict[str, Any]:
    """The answer with `explanation`: each of the flat totals with its parts and their steps."""
    traces = explain(facts(seen.cart, seen.scene, seen.shop), seen.quote)
    names = {line.key: seen.product(line).name for line in seen.cart.lines}
    return {**body, "explanation": as_json(traces, names)}
