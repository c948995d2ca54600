"""Which tax rates apply at a place, and what they come to on an amount.

The arithmetic is exact: per cent become integer fractions once per place, and the whole tax of
an amount is rounded once, half up, and then shared out over its rates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import gcd, lcm

from checkstand.kit.money import allocate_units, divide_half_up
from checkstand.kit.places import (
    Place,
    PostcodeRange,
    is_range,
    pattern_key,
    postcode_forms,
    postcode_keys,
)
from checkstand.tax.model import TaxRate

_PLACES_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Levy:
    """Rates that are charged together. Rate i comes to `weights[i] / scale` of an ex-tax amount.

    Regular rates are charged on the amount; a compound rate on the amount, all regular taxes and
    the compound taxes before it, in the order of `rates` (by priority).
    """

    rates: tuple[TaxRate, ...]
    weights: tuple[int, ...]
    whole: int
    """The sum of the weights."""
    scale: int

    @classmethod
    def of(cls, rates: Sequence[TaxRate]) -> Levy:
        """The rates in the order in which they compound."""
        fractions = [rate.rate.as_integer_ratio() for rate in rates]
        unit = 100 * lcm(*(denominator for _, denominator in fractions))
        shares = [part * (unit // (100 * whole)) for part, whole in fractions]
        # `taxed` of `scale`: the amount with the taxes so far; each compound rate scales it up.
        weights = [0 if rate.compound else share for rate, share in zip(rates, shares, strict=True)]
        scale, taxed = unit, unit + sum(weights)
        for index, rate in enumerate(rates):
            if rate.compound:
                weights = [weight * unit for weight in weights]
                weights[index] = taxed * shares[index]
                scale, taxed = scale * unit, taxed * (unit + shares[index])
        common = gcd(scale, *weights)
        weights = [weight // common for weight in weights]
        return cls(tuple(rates), tuple(weights), sum(weights), scale // common)

    def takes_as_much_as(self, other: Levy) -> bool:
        """Whether the same part of every amount goes to either, by whatever rates."""
        return self.whole * other.scale == other.whole * self.scale

    def on_shipping(self) -> Levy:
        """What is left of it for the cost of shipping."""
        if all(rate.on_shipping for rate in self.rates):
            return self
        return Levy.of([rate for rate in self.rates if rate.on_shipping])


NO_TAX = Levy((), (), 0, 1)


def exclusive(amount_minor: int, levy: Levy) -> tuple[int, ...]:
    """The tax on an ex-tax amount, for each of the levy's rates, in minor units.

    The sum is the exact tax rounded once, half up; the parts follow by largest remainder.
    """
    return _shared(amount_minor, levy, levy.scale)


def inclusive(gross_minor: int, levy: Levy) -> tuple[int, ...]:
    """The tax inside an amount that contains it, for each of the levy's rates, in minor units.

    `gross_minor - sum(parts)` is the amount ex tax: one rounding, so nothing is lost.
    """
    return _shared(gross_minor, levy, levy.scale + levy.whole)


def _shared(amount: int, levy: Levy, of: int) -> tuple[int, ...]:
    if not levy.weights:
        return ()
    tax = divide_half_up(amount * levy.whole, of)
    if len(levy.weights) == 1:
        return (tax,)
    return tuple(allocate_units(tax, levy.weights))


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A rate at its rank among all rates of the table: the lower goes first."""

    rank: int
    rate: TaxRate
    cities: frozenset[str]


class _Region:
    """The rates of one country and state, found by postcode without looking at each."""

    def __init__(self) -> None:
        self.everywhere: list[_Candidate] = []
        self.by_key: dict[str, list[_Candidate]] = {}
        self.ranges: list[tuple[PostcodeRange, _Candidate]] = []

    def add(self, candidate: _Candidate) -> None:
        if not candidate.rate.postcodes:
            self.everywhere.append(candidate)
        for pattern in candidate.rate.postcodes:
            if not is_range(pattern):
                self.by_key.setdefault(pattern_key(pattern), []).append(candidate)
            elif (span := PostcodeRange.parse(pattern)) is not None:
                self.ranges.append((span, candidate))

    def at(self, place: Place) -> Iterator[_Candidate]:
        """The candidates that cover the postcode; one may come twice."""
        yield from self.everywhere
        if self.by_key:
            for key in postcode_keys(place):
                yield from self.by_key.get(key, ())
        if self.ranges:
            forms = postcode_forms(place)
            for span, candidate in self.ranges:
                if any(span.covers(form) for form in forms):
                    yield candidate


@dataclass(frozen=True, eq=False, slots=True)
class TaxTable:
    """All tax rates of a shop, indexed once so that a place is looked up in microseconds.

    Matching is WooCommerce's: country, state, postcode and city must each match or be empty in
    the rate; of the rates of one class and priority only the first applies. First is the more
    specific (country, then state, then postcodes, then cities given), then the lower position,
    then the lower id. WooCommerce counts the postcodes where this asks whether there are any:
    a longer list is not a more specific one.
    """

    rates: tuple[TaxRate, ...]
    _regions: Mapping[tuple[str, str], _Region]
    _looked_up: dict[Place, Mapping[str, Levy]] = field(default_factory=dict)
    """The last places asked for: a shopper's place, and the store's own, come again and again."""

    @classmethod
    def of(cls, rates: Iterable[TaxRate]) -> TaxTable:
        ranked = tuple(sorted(rates, key=_precedence))
        regions: dict[tuple[str, str], _Region] = {}
        for rank, rate in enumerate(ranked):
            cities = frozenset(city.strip().upper() for city in rate.cities)
            where = (rate.country.upper(), rate.state.upper())
            regions.setdefault(where, _Region()).add(_Candidate(rank, rate, cities))
        return cls(ranked, regions)

    def at(self, place: Place) -> Mapping[str, Levy]:
        """What applies at a place, by tax class. Nothing where the country is unknown, and no
        entry for a class without rates: such goods are not taxed."""
        known = self._looked_up.get(place)
        if known is None:
            if len(self._looked_up) >= _PLACES_KEPT:
                self._looked_up.clear()
            known = self._looked_up[place] = self._look_up(place)
        return known

    def _look_up(self, place: Place) -> Mapping[str, Levy]:
        if not place.known:
            return {}
        city = place.city.strip().upper()
        first: dict[str, dict[int, TaxRate]] = {}
        for found in sorted(self._candidates(place), key=lambda candidate: candidate.rank):
            if not found.cities or city in found.cities:
                rate = found.rate
                first.setdefault(rate.tax_class, {}).setdefault(rate.priority, rate)
        return {name: Levy.of(tuple(rates.values())) for name, rates in first.items()}

    def _candidates(self, place: Place) -> Iterator[_Candidate]:
        country, state = place.country.upper(), place.state.upper()
        for name in {country, ""}:
            for part in {state, ""}:
                region = self._regions.get((name, part))
                if region is not None:
                    yield from region.at(place)


def _precedence(rate: TaxRate) -> tuple[int, bool, bool, bool, bool, int, int]:
    return (
        rate.priority,
        not rate.country,
        not rate.state,
        not rate.postcodes,
        not rate.cities,
        rate.position,
        rate.id,
    )


NO_RATES = TaxTable.of(())
