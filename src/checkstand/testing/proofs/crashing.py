"""Ending a process at a chosen await point, and going on after it.

A coroutine runs until it suspends; what it has sent is on its way then. Between two suspensions
nothing outside of the process changes, so a process that is killed at each of them, when it
suspends and again when it would go on, has been killed at every moment that can be told apart.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import traceback
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Moment(StrEnum):
    SENT = "sent"
    """As soon as it suspends: the request is on its way."""
    ANSWERED = "answered"
    """When it would go on: the answer is there, and nobody has read it."""


class Countdown:
    """Counts suspensions and kills its own process at the `at`-th; 0 only counts."""

    def __init__(self, at: int = 0, moment: Moment = Moment.SENT) -> None:
        self.count = 0
        self._at, self._moment = at, moment

    def suspended(self) -> int:
        """Gives the number of this suspension."""
        self.count += 1
        if self.count == self._at and self._moment is Moment.SENT:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.count

    def resumes(self, number: int) -> None:
        if number == self._at and self._moment is Moment.ANSWERED:
            os.kill(os.getpid(), signal.SIGKILL)


_counting: ContextVar[Countdown | None] = ContextVar("_counting", default=None)


class _Counted(Coroutine[Any, Any, Any]):
    """A coroutine that tells the countdown of each suspension; all else is passed on."""

    def __init__(self, inner: Coroutine[Any, Any, Any], countdown: Countdown) -> None:
        self._inner, self._countdown = inner, countdown
        self._number = 0

    def send(self, value: Any) -> Any:
        return self._step(lambda: self._inner.send(value))

    def throw(self, *given: Any) -> Any:
        return self._step(lambda: self._inner.throw(*given))

    def _step(self, go_on: Callable[[], Any]) -> Any:
        if self._number:
            self._countdown.resumes(self._number)
        awaited = go_on()
        self._number = self._countdown.suspended()
        return awaited

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()


def _make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **named: Any) -> asyncio.Task[Any]:
    """Tasks that are begun within what is counted are counted with it."""
    context = named.get("context")
    countdown = context.get(_counting) if context is not None else _counting.get()
    if countdown is not None:
        coroutine = _Counted(coroutine, countdown)
    return asyncio.Task(coroutine, loop=loop, **named)


async def counted(act: Coroutine[Any, Any, None], countdown: Countdown) -> None:
    """Runs `act` with every suspension of it, and of the tasks that it begins, counted."""
    asyncio.get_running_loop().set_task_factory(_make_task)
    token = _counting.set(countdown)
    try:
        task = asyncio.create_task(act)
    finally:
        _counting.reset(token)
    await task


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended. `told`: what it had said until then, one value a line."""

    killed: bool
    told: list[Any]


Tell = Callable[[Any], None]


def in_a_process(main: Callable[[Tell], Awaitable[None]]) -> Ending:
    """Runs `main` in a forked process with an event loop of its own, and waits for its end. What
    it tells (JSON) survives it. AssertionError with its traceback when it fails."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads: none of ours is at work
        child = os.fork()
    if child == 0:
        os.close(reading)
        _run(main, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = [json.loads(line) for line in pipe]
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return Ending(killed=True, told=told)
    assert status == 0, told[-1] if told else f"the process ended with {status}"
    return Ending(killed=False, told=told)


def _run(main: Callable[[Tell], Awaitable[None]], writing: int) -> None:
    """In the child: never returns."""
    code = 1

    def tell(value: Any) -> None:
        os.write(writing, json.dumps(value).encode() + b"\n")

    async def whole() -> None:
        await main(tell)

    try:
        asyncio.run(whole())
        code = 0
    except BaseException:
        tell(traceback.format_exc())
    finally:
        os._exit(code)
