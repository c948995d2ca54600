"""What the routes of load-cart links take and give."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from checkstand.http.cocart.v2.schemas import In, Out
from checkstand.http.inputs import Flag


def _as_sent(value: object) -> object:
    return value


_Digits = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]
_Seconds = Annotated[int, BeforeValidator(_as_sent, json_schema_input_type=int | _Digits)]
_KEEP = "false: what it brings is merged with what is there, as the shop merges carts."


class MakeLinkIn(In):
    target: str = Field(
        "", max_length=500, description="Where it leads, on an origin of the shop; else the cart."
    )
    keep_cart: Flag = Field(True, description=_KEEP)
    notify: Flag = Field(False, description="Whether a notice says on arrival what happened.")
    expires_in: _Seconds | None = Field(None, description="At least 60.")


class LinkOut(Out):
    url: str = Field(description="Opens the contents of the cart to who has it, once.")
    token: str
    target: str
    expires_at: str = Field(description="UTC.")


class LoadLinkIn(In):
    token: str = Field(max_length=8192)
    keep_cart: Flag = Field(True, description=_KEEP)
    notify: Flag = False
