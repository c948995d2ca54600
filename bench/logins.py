"""Whether the time that a login takes says who has an account.

Logins with a right password, a wrong one, and a name that nobody has, in random order: one at a
time on a quiet server, and several at once while others shop. The question is whether an attacker
can tell a wrong password from an unknown name: how often the one takes longer than the other, out
of all pairs (the area under the ROC curve; 0.5 tells nothing), and how many standard errors that
is off.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

import httpx2

from bench.paths import CART
from bench.serving import Worker, serving
from bench.stage import Stage
from checkstand.access import account_store
from checkstand.access.account_store import Person
from checkstand.access.passwords import Passwords
from checkstand.access.principal import Role
from checkstand.storage.database import Database, PoolOptions

LOGIN = "/wp-json/cocart/v2/login"
TELLS_NOTHING = 0.06
"""How far from 0.5 a share of pairs may be before an attacker would learn something by it."""
_KINDS = ("right password", "wrong password", "unknown name")
_STATUS = {"right password": 200, "wrong password": 401, "unknown name": 401}
_ACCOUNTS = 300
"""More than sign in within the seconds for which a password that was right is remembered."""
_PASSWORD = "Quarry-Row-8"
_AT_ONCE = 4
_SHOPPERS = 4


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds of one kind of login."""

    count: int
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Logins:
    """`slower`: of all pairs of a wrong password and an unknown name, the share in which the
    password took longer; `errors_off`: how many standard errors that is from one half."""

    noise: str
    took: Mapping[str, Took]
    slower: float
    errors_off: float

    @property
    def ok(self) -> bool:
        return abs(self.slower - 0.5) <= TELLS_NOTHING or abs(self.errors_off) < 3


def measure(stage: Stage, each: int) -> list[Logins]:
    """`each`: logins of each kind, quiet and under load."""
    asyncio.run(_enrol(stage))
    with serving("shop", stage, []) as shop:
        return [
            asyncio.run(_measure(stage, shop, each, at_once=1, shoppers=0)),
            asyncio.run(_measure(stage, shop, each, at_once=_AT_ONCE, shoppers=_SHOPPERS)),
        ]


async def _enrol(stage: Stage) -> None:
    database = await Database.open(stage.url, PoolOptions(min_size=1, max_size=2))
    hashed = await Passwords().hash(_PASSWORD)
    try:
        async with database.transaction() as connection:
            for number in range(_ACCOUNTS):
                name = f"bench{number}"
                person = Person(f"{name}@shop.example")
                await account_store.add(connection, name, person, hashed, Role.CUSTOMER)
    finally:
        await database.close()


async def _measure(stage: Stage, shop: Worker, each: int, *, at_once: int, shoppers: int) -> Logins:
    order = [kind for kind in _KINDS for _ in range(each)]
    random.shuffle(order)
    took: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    carts = await stage.make_carts("shop", max(shoppers, 1), f"logins {shoppers}")
    base = f"http://127.0.0.1:{shop.port}"
    async with httpx2.AsyncClient(base_url=base, timeout=60) as http:
        noise = [asyncio.create_task(_shop(http, cart)) for cart in carts[:shoppers]]
        waiting = enumerate(order)
        try:
            await asyncio.gather(*(_sign_in(http, waiting, took) for _ in range(at_once)))
        finally:
            for task in noise:
                task.cancel()
            for task in noise:
                with suppress(asyncio.CancelledError):
                    await task
    slower, off = compared(took["wrong password"], took["unknown name"])
    said = f"{at_once} at once, {shoppers} shoppers" if shoppers else "one at a time"
    return Logins(said, {kind: _summed_up(times) for kind, times in took.items()}, slower, off)


async def _sign_in(
    http: httpx2.AsyncClient, waiting: enumerate[str], took: Mapping[str, list[float]]
) -> None:
    for number, kind in waiting:
        name = "nobody" if kind == "unknown name" else "bench"
        password = _PASSWORD if kind == "right password" else f"Wrong-Row-{number % 10}"
        body = {"username": f"{name}{number % _ACCOUNTS}", "password": password}
        began = time.perf_counter()
        answer = await http.post(LOGIN, json=body)
        spent = time.perf_counter() - began
        if answer.status_code != _STATUS[kind]:
            raise RuntimeError(f"a login with {kind} was answered with {answer.status_code}")
        took[kind].append(spent * 1000)


async def _shop(http: httpx2.AsyncClient, cart: str) -> None:
    while True:
        await http.get(CART, headers={"Cart-Key": cart})


def compared(these: Sequence[float], those: Sequence[float]) -> tuple[float, float]:
    """The share of pairs in which one of `these` is the larger (ties count half), and how many
    standard errors it is from one half (Mann and Whitney)."""
    ranked = sorted([*((value, True) for value in these), *((value, False) for value in those)])
    ranks, start = 0.0, 0
    while start < len(ranked):
        end = start
        while end < len(ranked) and ranked[end][0] == ranked[start][0]:
            end += 1
        middle = (start + 1 + end) / 2
        ranks += middle * sum(mine for _, mine in ranked[start:end])
        start = end
    mine, others = len(these), len(those)
    share = (ranks - mine * (mine + 1) / 2) / (mine * others)
    error = math.sqrt((mine + others + 1) / (12 * mine * others))
    return share, (share - 0.5) / error


def _summed_up(times: list[float]) -> Took:
    ordered = sorted(times)
    return Took(len(ordered), median(ordered), ordered[int(len(ordered) * 0.95)])
