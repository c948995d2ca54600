"""How often who may ask for what (contract README 8, DECISIONS 23)."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from limits import RateLimitItem, parse

from checkstand.errors import ConfigurationError, RateLimited, Refusal
from checkstand.shield.counting import Counter, Standing

_log = logging.getLogger(__name__)


class Operation(StrEnum):
    """What is asked for. Limits belong to it and not to the verb: both dialects share them."""

    CHECKOUT_READ = "checkout_read"
    CHECKOUT_UPDATE = "checkout_update"
    CHECKOUT_PROCESS = "checkout_process"
    PAYMENT_METHODS = "payment_methods"
    PAYMENT_METHODS_DEBUG = "payment_methods_debug"
    TOKEN_REFRESH = "token_refresh"  # noqa: S105 - the name of an operation
    TOKEN_VALIDATE = "token_validate"  # noqa: S105
    SIGN_IN = "sign_in"
    SIGN_IN_FAILURES = "sign_in_failures"
    CART_LINK = "cart_link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, as a hook sees it. `limit` is written as `20/minute`; `fingerprint` tells
    clients behind one address apart: a digest of the address and what the client says of itself.
    """

    operation: Operation
    caller: str
    fingerprint: str
    limit: str


Hook: TypeAlias = Callable[[Ask], Ask | None]
"""Changes whom a request is counted for or by which limit; None lets it pass uncounted."""


class Fingerprint(Protocol):
    def __call__(self) -> str: ...


class RateLimits:
    """Counts requests. `rules` has a limit for every operation."""

    def __init__(
        self,
        rules: Mapping[Operation, str],
        counter: Counter,
        hooks: Sequence[Hook] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rules = dict(rules)
        self._items = {text: parse(text) for text in rules.values()}
        self._counter = counter
        self._hooks = tuple(hooks)
        self._clock = clock

    async def count(
        self, operation: Operation, caller: str, fingerprint: Fingerprint, *, reading: bool
    ) -> Standing | None:
        """Counts one request; None when it is not limited. A read passes when the shared store
        cannot be reached, anything else is then counted by this process."""
        found = self._found(operation, caller, fingerprint)
        if found is None:
            return None
        return await self._counter.hit(*found, must_count=not reading)

    async def look(
        self, operation: Operation, caller: str, fingerprint: Fingerprint
    ) -> Standing | None:
        """How the caller stands, without counting; None when it is not limited. What cannot be
        looked up is allowed."""
        found = self._found(operation, caller, fingerprint)
        return await self._counter.look(*found) if found is not None else None

    async def forgive(self, operation: Operation, caller: str, fingerprint: Fingerprint) -> None:
        """Forgets what was counted for the caller."""
        found = self._found(operation, caller, fingerprint)
        if found is not None:
            await self._counter.forgive(*found)

    def change(self, rules: Mapping[Operation, str]) -> None:
        """Other limits from now on."""
        self._rules = dict(rules)

    async def close(self) -> None:
        await self._counter.close()

    def refusal(self, standing: Standing) -> Refusal:
        """What a caller is told who asked too often."""
        wait = max(1, math.ceil(standing.reset - self._clock()))
        return RateLimited(f"Too many requests; wait {wait} s.", retry_after=wait)

    def _found(
        self, operation: Operation, caller: str, fingerprint: Fingerprint
    ) -> tuple[RateLimitItem, str] | None:
        """The limit that holds and whom it is counted for, as the hooks will have it; None for no
        limit."""
        text = self._rules[operation]
        if self._hooks:
            ask = self._asked(Ask(operation, caller, fingerprint(), text))
            if ask is None:
                return None
            caller, text = ask.caller, ask.limit
        return self._item(text), f"{operation.value}/{caller}"

    def _asked(self, ask: Ask) -> Ask | None:
        """What the hooks make of it, in their order. A hook that fails changes nothing."""
        changed: Ask | None = ask
        for hook in self._hooks:
            if changed is None:
                return None
            try:
                proposed = hook(changed)
                if proposed is not None:
                    self._item(proposed.limit)
                changed = proposed
            except Exception:
                _log.exception("a rate limit hook failed and was passed over")
        return changed

    def _item(self, text: str) -> RateLimitItem:
        item = self._items.get(text)
        if item is None:
            if len(self._items) > 1000:
                self._items.clear()
            item = self._items[text] = parse(text)
        return item


def checked_hooks(hooks: Sequence[tuple[str, object]]) -> tuple[Hook, ...]:
    """Hooks by their names; ConfigurationError for one that cannot be called."""
    for name, hook in hooks:
        if not callable(hook):
            raise ConfigurationError(
                f"the entry point {name} of checkstand.rate_limits is not a function; "
                "name one that takes an Ask and gives an Ask or None"
            )
    return tuple(hook for _, hook in hooks)  # type: ignore[misc]
