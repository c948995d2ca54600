"""How goods are put into packages: the shop's own ways, and those of other packages."""

from __future__ import annotations

from importlib.metadata import entry_points

from checkstand.errors import ConfigurationError
from checkstand.settings import Settings
from checkstand.shipping.packing import BUILT_IN, ENTRY_POINTS, Splitter, SplitterFactory


def splitter_of(settings: Settings) -> Splitter:
    """The way that `shipping.split` names; ConfigurationError when nobody brings it."""
    name, options = settings.shipping.split, settings.shipping.split_options
    if name in BUILT_IN:
        if options:
            raise ConfigurationError(
                f"shipping.split_options: `{name}` takes none; remove them, or name in "
                "shipping.split the entry point that they are for"
            )
        return BUILT_IN[name]
    found = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    point = found.get(name)
    if point is None:
        names = ", ".join([*BUILT_IN, *sorted(found)])
        raise ConfigurationError(
            f"shipping.split = '{name}': there are {names} (entry points in {ENTRY_POINTS}); "
            "install it, or choose another"
        )
    try:
        factory: SplitterFactory = point.load()
        return factory(dict(options))
    except ConfigurationError as error:
        raise ConfigurationError(f"shipping.split = '{name}': {error}") from None
    except Exception as error:  # it may be anybody's
        raise ConfigurationError(
            f"shipping.split = '{name}': its package cannot make it ({type(error).__name__}); "
            "check shipping.split_options, and its version"
        ) from error
