"""Limits: the moving window, hooks, and a shared store that goes away."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import hypothesis
import pytest
from hypothesis import strategies as st
from limits import parse

from checkstand.errors import ConfigurationError
from checkstand.shield import counting
from checkstand.shield.counting import Counter, InProcess, shared_store
from checkstand.shield.limits import Ask, Operation, RateLimits, checked_hooks
from tests.valkey import free_port, valkey


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def limits(clock: Time, text: str = "3/minute", hooks=(), shared=None) -> RateLimits:
    counter = Counter(InProcess(clock), shared, clock)
    return RateLimits(dict.fromkeys(Operation, text), counter, hooks, clock)


async def ask(these: RateLimits, who: str = "a", *, reading: bool = True, print_: str = ""):
    return await these.count(Operation.OTHER, who, lambda: print_, reading=reading)


async def test_the_window_moves() -> None:
    clock = Time()
    these = limits(clock)
    for second in (0, 10, 20):
        clock.now = 1_000.0 + second
        standing = await ask(these)
        assert standing.allowed
    assert (standing.remaining, standing.limit, standing.reset) == (0, 3, 1_060.0)
    refused = await ask(these)
    assert not refused.allowed
    assert these.refusal(refused).retry_after == 40
    clock.now = 1_060.0  # the first is out of the window, the others are not
    assert (await ask(these)).allowed
    assert not (await ask(these)).allowed
    clock.now = 1_070.0
    assert (await ask(these)).allowed


async def test_callers_and_operations_are_counted_apart() -> None:
    these = limits(Time(), "1/minute")
    assert (await ask(these, "a")).allowed
    assert not (await ask(these, "a")).allowed
    assert (await ask(these, "b")).allowed
    assert (await these.count(Operation.SIGN_IN, "a", str, reading=False)).allowed


@hypothesis.given(
    st.integers(1, 5), st.integers(1, 20), st.lists(st.floats(0, 8), min_size=1, max_size=60)
)
async def test_no_window_ever_holds_more_than_its_limit(
    amount: int, seconds: int, pauses: list[float]
) -> None:
    clock = Time()
    these = limits(clock, f"{amount}/{seconds} seconds")
    passed: list[float] = []
    for pause in pauses:
        clock.now += pause
        recent = [at for at in passed if at > clock.now - seconds]
        standing = await ask(these)
        assert standing.allowed == (len(recent) < amount)  # nobody is refused too early either
        if standing.allowed:
            passed.append(clock.now)
        assert standing.remaining == amount - min(amount, len(recent) + standing.allowed)


async def test_a_hook_sees_who_asks_and_decides() -> None:
    seen: list[Ask] = []

    def hook(asked: Ask) -> Ask | None:
        seen.append(asked)
        if asked.caller == "friend":
            return None
        return replace(asked, caller=asked.fingerprint, limit="1/minute")

    these = limits(Time(), hooks=[hook])
    assert await ask(these, "friend") is None
    assert (await ask(these, "a", print_="x")).allowed
    assert not (await ask(these, "b", print_="x")).allowed
    assert (await ask(these, "b", print_="y")).allowed
    assert seen[1] == Ask(Operation.OTHER, "a", "x", "3/minute")


async def test_a_hook_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    these = limits(Time(), hooks=[lambda _: 1 / 0, lambda asked: replace(asked, limit="nonsense")])
    assert (await ask(these)).limit == 3
    assert len(caplog.records) == 2


def test_a_hook_must_be_a_function() -> None:
    with pytest.raises(ConfigurationError, match="mine of"):
        checked_hooks([("mine", "text")])


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_MAX_REMEMBERED", 10)
    store = InProcess()
    for number in range(50):
        await store.acquire_entry(str(number), 1, 60)
    assert len(store._times) == 10
    assert not await store.acquire_entry("49", 1, 60)


async def test_look_and_forgive_do_not_count() -> None:
    these = limits(Time(), "1/minute")

    async def free() -> bool:
        seen = await these.look(Operation.OTHER, "a", lambda: "")
        assert seen is not None
        return seen.allowed

    assert [await free() for _ in range(3)] == [True] * 3
    assert (await ask(these)).allowed
    assert not await free()
    await these.forgive(Operation.OTHER, "a", lambda: "")
    assert (await ask(these)).allowed


async def test_without_the_shared_store_reads_pass_and_the_rest_is_counted_here(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Time()
    these = limits(clock, shared=shared_store(f"valkey://127.0.0.1:{free_port()}/0"))
    with caplog.at_level(logging.WARNING):
        for _ in range(10):
            assert await ask(these) is None
            clock.now += 1  # so that it is asked again and again
        allowed = [(await ask(these, reading=False)).allowed for _ in range(5)]
    assert allowed == [True] * 3 + [False] * 2
    assert len(caplog.records) == 1, "said once, not per request"
    assert "cannot be reached" in caplog.text


class Silent(InProcess):
    """A store that is asked and does not answer."""

    asked = 0

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        self.asked += 1
        await asyncio.sleep(60)
        return True


async def test_one_request_tries_whether_the_store_is_back() -> None:
    """The others go on at once: a black hole costs one of them its patience, not all."""
    clock, store = Time(), Silent()
    counter = Counter(InProcess(), store, lambda: clock.now, patience=0.05)
    item = parse("3/minute")
    await asyncio.gather(*(counter.hit(item, str(n), must_count=True) for n in range(20)))
    met = store.asked
    clock.now += 3
    await asyncio.gather(*(counter.hit(item, str(n), must_count=True) for n in range(20)))
    assert store.asked == met + 1


async def test_the_shared_store_goes_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    clock, port = Time(), free_port()
    these = limits(clock, shared=shared_store(f"redis://127.0.0.1:{port}/0"))
    with valkey(port):
        assert (await ask(these)).remaining == 2
        assert (await ask(these)).remaining == 1
        other = limits(clock, shared=shared_store(f"valkey://127.0.0.1:{port}/0"))
        assert (await ask(other)).remaining == 0
        assert not (await ask(these)).allowed
        await other.close()
    assert await ask(these) is None
    with valkey(port), caplog.at_level(logging.WARNING):
        assert await ask(these) is None, "left alone for a moment"
        clock.now += 3
        assert (await ask(these)).remaining == 2
        assert "can be reached again" in caplog.text
        await these.close()
