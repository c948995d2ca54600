"""The shelf of kept answers: bounded in bytes, in time, and by what it was made of."""

from __future__ import annotations

from dataclasses import dataclass

from checkstand.catalog.cache import AnswerShelf, KeptAnswer


@dataclass
class Seconds:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def kept(size: int, generation: int = 0, since: float = 0.0) -> KeptAnswer:
    return KeptAnswer(b"x" * size, (), (), generation, since)


def test_the_oldest_go_when_there_is_no_room() -> None:
    shelf = AnswerShelf(100, 5.0, Seconds())
    for name in "abc":
        shelf.put(name, kept(40))
    assert [shelf.get(name, 0) is not None for name in "abc"] == [False, True, True]
    assert shelf.get("b", 0) is not None  # used last
    shelf.put("d", kept(40))
    assert [shelf.get(name, 0) is not None for name in "bcd"] == [True, False, True]
    shelf.put("b", kept(90))
    assert [shelf.get(name, 0) is not None for name in "bd"] == [True, False]
    shelf.put("huge", kept(1000))
    assert [shelf.get(name, 0) is not None for name in ("b", "huge")] == [False, False]
    shelf.put("again", kept(100))
    assert shelf.get("again", 0) is not None, "the room is all there again"


def test_an_answer_ages_and_dies_with_its_catalogue() -> None:
    seconds = Seconds()
    shelf = AnswerShelf(100, 5.0, seconds)
    shelf.put("a", kept(10, generation=3))
    seconds.now = 4.9
    assert shelf.get("a", 3) is not None
    seconds.now = 5.0
    assert shelf.get("a", 3) is None
    shelf.put("a", kept(10, generation=3, since=5.0))
    assert shelf.get("a", 4) is None
