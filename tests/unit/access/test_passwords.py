"""Passwords: which are strong enough, and how they are checked."""

from __future__ import annotations

import argon2
import pytest

from checkstand.access.passwords import LONGEST, Passwords, weaknesses

QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("Quarry-Row-8", ""),
        ("eight Ways", ""),
        ("correct horse battery staple", ""),
        ("ÄpfelundBirnen3", ""),
        ("Sh0rt!", "at least 8 characters"),
        ("allsmallletters", "greater mixture"),
        ("onlytwo77", "greater mixture"),
        ("Password1", "everybody tries"),
        ("P@ssw0rd!", "everybody tries"),
        ("Welcome2026!", "everybody tries"),
        ("12345678901234567890", "everybody tries"),
        ("Ines@Example.com1", "user name or the e-mail"),
        ("Aa1!" * (LONGEST // 4 + 1), "at most"),
    ],
)
def test_strength(password: str, said: str) -> None:
    found = weaknesses(password, least=8, personal=("ines", "ines@example.COM1"))
    assert (said in "; ".join(found)) if said else found == []


def test_what_is_lacking_is_named() -> None:
    (found,) = weaknesses("onlytwo77", least=8)
    assert "add one more of a capital letter, a symbol" in found


async def test_matching() -> None:
    passwords = Passwords(QUICK)
    hashed = await passwords.hash("Quarry-Row-8")
    assert hashed.startswith("$argon2id$")
    assert await passwords.match(hashed, "Quarry-Row-8")
    assert not await passwords.match(hashed, "quarry-row-8")
    assert not await passwords.match(None, "Quarry-Row-8")
    assert not await passwords.match("not a hash", "Quarry-Row-8")


class Counting(argon2.PasswordHasher):
    verified = 0

    def verify(self, *args: object) -> bool:  # type: ignore[override]
        self.verified += 1
        return super().verify(*args)  # type: ignore[arg-type]


async def test_nobody_costs_what_somebody_costs() -> None:
    """The same work for a wrong password and for no account at all: one verification, by hashes
    of the same parameters."""
    hasher = Counting(time_cost=1, memory_cost=8, parallelism=1)
    passwords = Passwords(hasher)
    await passwords.warm_up()
    hashed = await passwords.hash("Quarry-Row-8")
    costs = []
    for stored in (hashed, None):
        before = hasher.verified
        assert not await passwords.match(stored, "wrong")
        costs.append(hasher.verified - before)
    assert costs == [1, 1]


def test_words_of_the_shops_own() -> None:
    own = frozenset({"harbour", "quarry-row-8"})
    for password in ("Harbour77!", "H4rbour77!", "Quarry-Row-8"):
        (found,) = weaknesses(password, least=8, refused=own)
        assert "tries first" in found
        assert weaknesses(password, least=8) == []
    assert weaknesses("Harbourside77!", least=8, refused=own) == []
