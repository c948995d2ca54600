"""Which package a client means, and the rates that it chooses (contract cart.md 9, v2-cart.md 11).

Clients call a package by its key in the answer (`default`, `2`) or by its index (0, 1). A rate that
is chosen without a package is chosen for every package that offers it: a client that knows nothing
of packages would otherwise leave some of them at a rate that it never saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from checkstand.cart.model import Cart
from checkstand.errors import RateNotOffered
from checkstand.pricing.quote import Package, Quote, QuotedRate

Choices = str | Mapping[str, str] | Mapping[int, str]
"""A rate for all packages that offer it, or rates by package; "" takes a choice back."""


def key_of(index: int) -> str:
    """What answers call the package at this place (contract cart.md 1.6)."""
    return "default" if index == 0 else str(index + 1)


def named(packages: Sequence[Package], said: str | int, rate: str) -> Sequence[Package]:
    """The packages that a client calls that: a number is an index; text is a key, else an index,
    else the instance of the rate, which says nothing about packages. "" is all."""
    if said == "":
        return packages
    index = said if isinstance(said, int) else None
    if isinstance(said, str):
        for place, package in enumerate(packages):
            if said in (key_of(place), package.id):
                return [package]
        index = int(said) if said.isascii() and said.isdecimal() and len(said) < 10 else None
    if index is not None and 0 <= index < len(packages):
        return [packages[index]]
    return packages if str(said) == rate.rpartition(":")[2] else []


def choose(cart: Cart, quote: Quote, choices: Choices) -> Cart:
    """The cart with these rates chosen. What is not on offer is never stored: RateNotOffered."""
    if isinstance(choices, str):
        return choose_one(cart, quote, choices, "")
    for said, rate in choices.items():
        cart = choose_one(cart, quote, rate, said)
    return cart


def choose_one(cart: Cart, quote: Quote, rate: str, said: str | int) -> Cart:
    """As `choose`, of one rate, for the package that the client calls that."""
    meant = named(quote.packages, said, rate)
    if not rate:
        taken_back = {package.id for package in meant}
        kept = {k: v for k, v in cart.chosen_rates.items() if said != "" and k not in taken_back}
        return replace(cart, chosen_rates=kept)
    offering = [each for each in meant if rate in {offered.key for offered in each.rates}]
    if not offering:
        raise RateNotOffered(_not_offered(quote, meant))
    return replace(
        cart, chosen_rates={**cart.chosen_rates, **{package.id: rate for package in offering}}
    )


def _not_offered(quote: Quote, meant: Sequence[Package]) -> str:
    if not meant and quote.packages:
        keys = ", ".join(key_of(place) for place in range(len(quote.packages)))
        return f"There is no such package; there are: {keys}."
    offered = ", ".join(dict.fromkeys(each.key for package in meant for each in package.rates))
    text = "This shipping method is not offered to that address; there are:"
    if len(meant) == 1 < len(quote.packages):
        text = f"{meant[0].name}: {text}"
    return f"{text} {offered or 'none'}."


def flat_rates(quote: Quote) -> dict[str, QuotedRate]:
    """The rates of all packages, each once, by key, for routes that know no packages. Cost and tax
    are those of all packages that offer it, for that is what choosing it means; it is chosen when
    it is in all of them."""
    found: dict[str, QuotedRate] = {}
    for package in quote.packages:
        for rate in package.rates:
            before = found.get(rate.key)
            found[rate.key] = rate if before is None else _both(before, rate)
    return found


def _both(one: QuotedRate, other: QuotedRate) -> QuotedRate:
    return replace(
        one,
        cost=one.cost + other.cost,
        tax=one.tax + other.tax,
        chosen=one.chosen and other.chosen,
        taxes=(*one.taxes, *other.taxes),
    )


def chosen_flat(quote: Quote) -> str:
    """A rate that could be chosen for all packages that offer it and change nothing: for clients
    that send back what they read. "" when there is none."""
    return next((key for key, rate in flat_rates(quote).items() if rate.chosen), "")
