"""Several actors in one process, of whom one at a time takes one step, chosen by a seed.

A step goes from one await to the next. The chosen actor steps, and nobody is chosen again until
what it asked for (the database, the provider) has answered, or the database says that it waits
for a lock. So a seed gives the same order of steps again, as far as the database grants its locks
in the same order.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from contextvars import ContextVar
from typing import Any

_PATIENCE = 0.004
"""Seconds until the database is asked whether somebody waits for a lock."""
_STUCK = 30.0

Waiting = Callable[[], Awaitable[int]]
"""How many connections wait for a lock of the database."""


class _Actor:
    """One who acts. `parked`: its tasks that could go on, in the order of their beginning."""

    def __init__(self, name: str, moved: asyncio.Event) -> None:
        self.name = name
        self.moved = moved
        self.parked: list[_Stepped] = []
        self.done = False


_actor: ContextVar[_Actor | None] = ContextVar("_actor", default=None)


class _Stepped(Coroutine[Any, Any, Any]):
    """A coroutine that waits for its turn before every step. What interrupts it (a time limit, an
    error of what it waits for) does not wait."""

    def __init__(self, inner: Coroutine[Any, Any, Any], actor: _Actor) -> None:
        self._inner, self._actor = inner, actor
        self._turn: asyncio.Future[None] | None = None

    def send(self, value: Any) -> Any:
        if self._turn is None:
            self._turn = asyncio.get_running_loop().create_future()
            self._actor.parked.append(self)
            self._actor.moved.set()
            return next(iter(self._turn))
        self._turn = None
        return self._inner.send(value)

    def throw(self, *given: Any) -> Any:
        if self in self._actor.parked:
            self._actor.parked.remove(self)
        self._turn = None
        return self._inner.throw(*given)

    def go(self) -> None:
        """Its turn."""
        self._actor.parked.remove(self)
        assert self._turn is not None
        self._turn.set_result(None)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()


def _make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **named: Any) -> asyncio.Task[Any]:
    context = named.get("context")
    actor = context.get(_actor) if context is not None else _actor.get()
    if actor is not None:
        coroutine = _Stepped(coroutine, actor)
    return asyncio.Task(coroutine, loop=loop, **named)


async def interleaved(
    acts: Mapping[str, Coroutine[Any, Any, None]], seed: int, waiting: Waiting, steps: list[str]
) -> None:
    """Runs the acts interleaved as the seed says, and writes their names into `steps` in the order
    in which they step. What an act raises is raised here once all have ended."""
    chance = random.Random(seed)
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(_make_task)
    moved = asyncio.Event()
    actors, tasks = [], []
    try:
        for name, act in acts.items():
            actor = _Actor(name, moved)
            token = _actor.set(actor)
            tasks.append(loop.create_task(_acting(actor, act)))
            _actor.reset(token)
            actors.append(actor)
        while any(not actor.done for actor in actors):
            ready = await _ready(actors, moved, waiting)
            if ready:
                chosen = chance.choice(ready)
                steps.append(chosen.name)
                chance.choice(chosen.parked).go()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended
    finally:
        loop.set_task_factory(before)
        for task in tasks:
            task.cancel()


async def _acting(actor: _Actor, act: Coroutine[Any, Any, None]) -> None:
    try:
        await act
    finally:
        actor.done = True
        actor.moved.set()


async def _ready(actors: list[_Actor], moved: asyncio.Event, waiting: Waiting) -> list[_Actor]:
    """Who can be chosen, once everybody who is not among them has ended or waits for a lock."""
    started = time.monotonic()
    while True:
        acting = [actor for actor in actors if not actor.done]
        ready = [actor for actor in acting if actor.parked]
        if len(ready) == len(acting):
            return ready
        moved.clear()
        try:
            async with asyncio.timeout(_PATIENCE):
                await moved.wait()
            continue
        except TimeoutError:
            pass
        locked = await waiting()
        acting = [actor for actor in actors if not actor.done]
        ready = [actor for actor in acting if actor.parked]
        if ready and locked >= len(acting) - len(ready):
            return ready
        if time.monotonic() - started > _STUCK:
            stuck = ", ".join(actor.name for actor in acting if not actor.parked)
            raise AssertionError(f"nobody knows what {stuck} waits for")
