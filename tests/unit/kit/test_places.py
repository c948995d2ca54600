from __future__ import annotations

import pytest

from checkstand.kit.places import Place, PostcodeRange, Postcodes, pattern_key, postcodes


@pytest.mark.parametrize(
    ("pattern", "country", "postcode"),
    [
        ("90210", "US", "90210"),
        ("90210", "US", "90210-1234"),
        ("90210-1234", "US", "902101234"),
        ("902*", "US", "90210"),
        ("*", "US", "90210"),
        ("SW1A 1AA", "GB", "sw1a1aa"),
        ("sw1a1aa", "GB", "SW1A 1AA"),
        ("SW1*", "GB", "SW1A 1AA"),
        ("N1*", "GB", "N11 1AA"),
        ("N1 *", "GB", "N1 1AA"),
        ("N1 *", "GB", "n11aa"),
        ("N1 1*", "GB", "N1 1AA"),
        ("K1A 0*", "CA", "K1A0B1"),
        ("1000-*", "PT", "1000-205"),
        ("10000...10999", "DE", "10115"),
        ("10000…10999", "DE", "10115"),
        ("10000 ... 10999", "DE", "10999"),
        ("90000...90999", "US", "90210-1234"),
        ("01000...01999", "US", "1234"),
        ("1000...1099", "NL", "1012 AB"),
        ("1000 AA...1012 AB", "NL", "1012AB"),
        ("K1A...K1C", "CA", "K1C 9Z9"),
    ],
)
def test_a_pattern_covers(pattern: str, country: str, postcode: str) -> None:
    assert Postcodes.of([pattern]).cover(Place(country, postcode=postcode))


@pytest.mark.parametrize(
    ("pattern", "country", "postcode"),
    [
        ("90210", "US", "90211"),
        ("90210", "US", ""),
        ("90210", "DE", "902101234"),
        ("902*", "US", "90"),
        ("N1 *", "GB", "N11 1AA"),
        ("N1 1*", "GB", "N11 1AA"),
        ("10000...10999", "DE", "11000"),
        ("10000...10999", "DE", "1"),
        ("10000...10999", "DE", ""),
        ("10000...10999", "GB", "SW1A 1AA"),
        ("1000...1099", "NL", "1100 AB"),
        ("K1A...K1C", "CA", "K1D 1A1"),
        ("10000...", "DE", "10115"),
        ("...10999", "DE", "10115"),
        ("1...2...3", "DE", "2"),
        ("", "DE", "10115"),
    ],
)
def test_a_pattern_does_not_cover(pattern: str, country: str, postcode: str) -> None:
    assert not Postcodes.of([pattern]).cover(Place(country, postcode=postcode))


def test_one_pattern_of_many_is_enough() -> None:
    patterns = postcodes(("1*", "20000...20999", "30303"))
    covered = [
        code
        for code in ("10115", "20095", "30303", "40210")
        if patterns.cover(Place("DE", "", code))
    ]
    assert covered == ["10115", "20095", "30303"]


def test_ranges_of_very_long_digits_are_compared_without_being_read() -> None:
    assert not PostcodeRange("1", "9" * 6000).covers("9" * 7000)
    assert PostcodeRange("1", "9" * 6000).covers("0" * 7000 + "5")


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        (" sw1a 1aa ", "SW1A1AA"),
        ("sw1*", "SW1*"),
        ("n1 *", "N1 *"),
        ("n1  1*", "N1 1*"),
        (" *", "*"),
    ],
)
def test_spelling_of_patterns(pattern: str, key: str) -> None:
    assert pattern_key(pattern) == key


def test_a_place_without_country_is_unknown() -> None:
    assert not Place(postcode="90210").known
    assert Place("US").known
