"""Passwords: how strong one must be, and argon2id, a few at a time.

One hash takes 64 MiB while it is worked out. More than two at once in a process would cost more
memory than the rest of it together, so they take turns.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import argon2

LONGEST = 200
"""Characters; a bound on work, not on imagination."""
_LONG_ENOUGH = 20
"""Characters from which on a passphrase needs no mixture."""
_KINDS = (
    ("a lower-case letter", re.compile(r"[^\W\d_A-Z]")),
    ("a capital letter", re.compile(r"[A-Z]")),
    ("a digit", re.compile(r"\d")),
    ("a symbol", re.compile(r"[^\w]|_")),
)
_LEET = str.maketrans("013457@$!", "oleastasi")
_COMMON = frozenset(
    "password passwort passord motdepasse contrasena welcome qwerty qwertz azerty qazwsx asdfgh"
    " asdf zxcvbn abc abcd abcdef letmein iloveyou admin administrator master monkey dragon"
    " football baseball basketball soccer superman batman princess sunshine shadow michael jordan"
    " jennifer charlie freedom whatever trustno secret login access hello summer winter spring"
    " autumn january december changeme default guest user test testing temp starwars pokemon"
    " computer internet google flower cookie ginger pepper love money shop customer".split()
)


_HASHER = argon2.PasswordHasher()


@cache
def _nobody(hasher: argon2.PasswordHasher) -> str:
    """Checked when there is no such account, so that the answer takes as long as for one."""
    return hasher.hash(secrets.token_hex(16))


class Passwords:
    """Hashes and checks passwords, in threads, two at a time."""

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or _HASHER
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="argon2")

    async def hash(self, password: str) -> str:
        """The argon2id hash to store."""
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self._hasher.hash, password
        )

    async def match(self, hashed: str | None, password: str) -> bool:
        """Whether it is that password. Without a hash it takes as long and says no."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._verify, hashed, password)

    def _verify(self, hashed: str | None, password: str) -> bool:
        try:
            self._hasher.verify(hashed or _nobody(self._hasher), password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
        return hashed is not None

    def outdated(self, hashed: str) -> bool:
        """Whether it was made with other parameters than hashes are made with now."""
        try:
            return self._hasher.check_needs_rehash(hashed)
        except argon2.exceptions.InvalidHashError:
            return False  # nobody's: no password has it

    async def warm_up(self) -> None:
        """Makes the hash of nobody now, or the first unknown name would take twice as long."""
        await self.match(None, "")


def weaknesses(
    password: str,
    *,
    least: int,
    personal: tuple[str, ...] = (),
    refused: frozenset[str] = frozenset(),
) -> list[str]:
    """What is wrong with a password, each as the end of "The password …"; [] when it is strong.

    At least `least` characters; three of lower, upper, digit and symbol, unless it is a long
    passphrase; none that everybody tries, nor one of `refused`, the shop's own words in lower case;
    not one of `personal` (user name, e-mail).
    """
    found = []
    if len(password) < least:
        found.append(f"needs at least {least} characters")
    if len(password) > LONGEST:
        found.append(f"may have at most {LONGEST} characters")
    lacking = [name for name, kind in _KINDS if not kind.search(password)]
    if len(lacking) > 1 and len(password) < _LONG_ENOUGH:
        more = "one more" if len(lacking) == 2 else "two more"
        found.append(f"needs a greater mixture: add {more} of {', '.join(lacking)}")
    if password.casefold() in {word.casefold() for word in personal if word}:
        found.append("must not be the user name or the e-mail address")
    elif _is_common(password, refused):
        found.append("is one of those that everybody tries first")
    return found


def _is_common(password: str, refused: frozenset[str]) -> bool:
    """Whether a common word is all there is, once digits and symbols around it are taken off."""
    whole = password.casefold()
    plain = whole.strip("0123456789!@#$%^&*()-_=+.,?")
    words = {whole, plain, plain.translate(_LEET)}
    return not plain or not words.isdisjoint(_COMMON) or not words.isdisjoint(refused)
