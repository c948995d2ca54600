"""The crash matrix: a process is killed at every await point, another one goes on."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass
from typing import Any

import pytest

from checkstand.testing.peer import Wish
from checkstand.testing.proofs import tally
from checkstand.testing.proofs.crashing import Countdown, Moment, Tell, counted, in_a_process
from checkstand.testing.proofs.scenes import LATER, SCENES, Scene, can_play
from checkstand.testing.proofs.till import MovedClock, Purchase, Stage, open_till


async def _rehearse(stage: Stage) -> None:
    async with open_till(stage) as till:
        purchase = await till.prepare(Wish.APPROVE)
        await till.process(purchase)
        await till.work()


def rehearse(stage: Stage) -> None:
    """One purchase in this process: whatever is loaded when it is first needed is there then, and
    every process that is forked has it. Its event loop and connections are gone afterwards."""
    asyncio.run(_rehearse(stage))
    gc.collect()
    gc.freeze()  # a collection in the child would copy every page


_NO_END = 2_000
"""Await points after which a scene is taken to have no end."""


@dataclass(frozen=True, slots=True)
class Crash:
    """One cell of the matrix; as text, it says how to play it again."""

    scene: Scene
    point: int
    moment: Moment
    client_first: bool

    def __str__(self) -> str:
        first = "client" if self.client_first else "worker"
        return f"{self.scene.name}: killed at point {self.point}, {self.moment}; {first} goes on"


def play(stage: Stage, crash: Crash) -> bool:
    """Plays one cell; False when what was to be interrupted has ended before that point."""
    told: dict[str, Any] = {}

    async def prepare(tell: Tell) -> None:
        async with open_till(stage) as till:
            tell((await crash.scene.prepare(till)).as_json())

    async def act(tell: Tell) -> None:
        async with open_till(stage, crash.scene.ahead) as till:
            purchase = Purchase(**{**told, "noted": _Noted(tell, told["noted"])})
            countdown = Countdown(crash.point, crash.moment)
            await counted(crash.scene.act(till, purchase), countdown)

    async def go_on(tell: Tell) -> None:
        async with open_till(stage, crash.scene.ahead + LATER) as till:
            purchase = Purchase(**told)
            await crash.scene.go_on(till, purchase, client_first=crash.client_first)

    told.update(in_a_process(prepare).told[-1])
    ending = in_a_process(act)
    for name in ending.told:
        told["noted"][name] = "yes"
    try:
        in_a_process(go_on)
    except AssertionError as error:
        raise AssertionError(f"{crash}\n{error}") from None
    return ending.killed


class _Noted(dict[str, str]):
    """What is written here outlives the process."""

    def __init__(self, tell: Tell, noted: dict[str, str]) -> None:
        super().__init__(noted)
        self._tell = tell

    def __setitem__(self, name: str, value: str) -> None:
        self._tell(name)
        super().__setitem__(name, value)


class CrashProofs:
    """A pytest class: subclass it and give a fixture `stage`, that must not be async: processes
    are forked before there is an event loop."""

    every = 1
    """1: each point. n: each n-th point, another n-th for each moment; a quick look."""
    scenes = SCENES

    @pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
    def test_killed_at_every_await_point(self, stage: Stage, scene: Scene) -> None:
        peer = stage.connect(MovedClock())
        if not can_play(scene, peer):
            pytest.skip("the provider cannot play it")
        rehearse(stage)
        killed = 0
        for number, moment in enumerate(Moment):
            for point in range(1 + number, _NO_END, self.every):
                client_first = (point // self.every + number) % 2 == 0
                if not play(stage, Crash(scene, point, moment, client_first)):
                    break
                killed += 1
            else:
                raise AssertionError(f"{scene.name} finds no end")
        assert killed >= len(Moment)
        tally.add(f"crash matrix, {scene.name}", killed, "points killed")
