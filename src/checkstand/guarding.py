"""What guards a shop, put together for wiring: limits, shield, and hooks of installed packages."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points

from checkstand.errors import ConfigurationError
from checkstand.settings import Settings
from checkstand.shield.counting import Counter, InProcess, shared_store
from checkstand.shield.limits import Hook, Operation, RateLimits, checked_hooks

RATE_HOOKS = "checkstand.rate_limits"
"""The entry point group of functions that change limits."""


def rate_limits(settings: Settings, more_hooks: Sequence[Hook] = ()) -> RateLimits | None:
    """The limits of the settings, with the hooks of installed packages; None when they are off."""
    chosen = settings.rate_limits
    if not chosen.enabled:
        return None
    try:
        shared = shared_store(chosen.store_url) if chosen.store_url else None
    except Exception as error:
        raise ConfigurationError(
            f"rate_limits.store_url cannot be used ({type(error).__name__}); "
            "it is written as valkey://host:6379/0"
        ) from None
    hooks = checked_hooks(installed(RATE_HOOKS))
    return RateLimits(
        {operation: getattr(chosen, operation.value) for operation in Operation},
        Counter(InProcess(), shared),
        (*hooks, *more_hooks),
    )


def installed(group: str) -> list[tuple[str, object]]:
    """What installed packages offer under an entry point group, by name; ConfigurationError for
    what cannot be loaded: a guard that is silently not there is worse than none."""
    found = []
    for point in sorted(entry_points(group=group), key=lambda each: each.name):
        try:
            found.append((point.name, point.load()))
        except Exception as error:
            raise ConfigurationError(
                f"the entry point {point.name} of {group} cannot be loaded: {error}; "
                "mend or uninstall the package"
            ) from error
    return found
