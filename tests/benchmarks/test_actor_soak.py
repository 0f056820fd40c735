"""The soak of actors: short, and whether it would see what it looks for."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from actors import Actor, Dispatcher, ReplyFuture
from benchmarks import __main__ as command
from benchmarks.actor_soak import cast, endure, era
from benchmarks.actor_soak.books import Books
from benchmarks.actor_soak.cast import Player, Scene, Word
from benchmarks.actor_soak.era import Era

SECONDS = 3.0


def test_short_soak() -> None:
    """A few seconds of random work and faults: nothing is lost, hangs, overlaps or leaks."""
    report = endure(SECONDS, seed=7)
    assert not report.problems, "\n".join(report.problems)
    sums = {row[""]: row["count"] for row in report.tables[0].rows}
    assert sums["violations"] == 0
    for name in ("actors", "handled", "dead letters", "asks", "ticks", "watchers told"):
        assert sums[name], f"nothing was done: {name}"


@pytest.mark.process
def test_violation_fails_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A violation is shown with the seed of its era, and the exit code is 1."""
    monkeypatch.setattr(Era, "live", lambda one: one.books.violate("A2", "somebody was forgotten"))
    with pytest.raises(SystemExit) as end:
        command.main(["actor_soak", "--minutes", "0", "--seed", "41", "--on", "shared"])
    assert end.value.code == 1
    assert "repeat it with --seed 41: A2: somebody was forgotten" in " ".join(capsys.readouterr().out.split())


def test_surprise_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that the soak did not expect is a find, too."""

    def live(_: Era) -> None:
        raise LookupError("surprise")

    monkeypatch.setattr(Era, "live", live)
    assert "LookupError: surprise" in endure(0.0, seed=41, kinds=("pinned",)).problems[0]


# Would it see? --------------------------------------------------------------------------------------------------


def books_after(*steps: tuple[str, dict[str, Any]]) -> str:
    """What the books say of that, as one text."""
    books = Books()
    for name, options in steps:
        getattr(books, name)(**options)
    return "\n".join(books.violations)


def test_sees_what_becomes_of_a_message() -> None:
    """Handled twice, handled and a dead letter, out of order; and what nobody handles."""
    once = ("handled", {"sender": "program", "actor": 1, "number": 2, "ordered": True, "again": False})
    dead = ("buried", {"number": 2, "crashed": False})
    late = ("handled", {"sender": "program", "actor": 1, "number": 1, "ordered": True, "again": False})
    assert books_after(once) == books_after(dead) == ""
    assert "I1: message 2 of program to 1 is handled, and was handled" in books_after(once, once)
    assert "I1: message 2 is a dead letter, and was handled" in books_after(once, dead)
    assert "I1: message 2 of program to 1 is handled, and was dead" in books_after(dead, once)
    assert "I4: message 1 of program to 1 is out of order" in books_after(once, late)
    books = Books()
    books.accepted(3)
    assert books.lost() == [3]


def test_sees_an_ask_that_nobody_settles() -> None:
    """And one that ends in an error that nobody meant."""
    books, reply = Books(), ReplyFuture[Any]()
    books.asked(reply)
    assert books.unsettled() == 1
    reply.set(1)
    assert books.unsettled() == 0
    books.failed(KeyError("what"))
    assert "I2: an ask failed with KeyError" in books.violations[0]


@pytest.fixture
def scene(make_dispatcher: Any) -> Scene:
    """Nobody is on it yet."""
    from random import Random

    return Scene(Books(), Random(1), [make_dispatcher(1)])


def test_sees_two_handlers_at_once(scene: Scene) -> None:
    """And one after the end."""
    player = Player(scene, 1)
    player._enter("a handler")
    player.on_start()
    assert "A1: on_start of 1 while another handler of it runs" in scene.books.violations[0]
    other = Player(scene, 2)
    other.on_stop()
    other.on_receive(Word("program", 1, "nothing", 0))
    assert "I10: a handler of 2 after its end" in scene.books.violations[-1]


def test_sees_what_does_not_come_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost wake-up, a place that was not given back, a thread that is left."""
    monkeypatch.setattr(era, "BOUND", 0.1)
    one = Era(3, "shared")
    dispatcher = one.scene.dispatchers[0]
    one.scene.refs.append(type("Idle", (Actor,), {"dispatcher": dispatcher}).start())
    monkeypatch.setattr(Dispatcher, "_call_one", lambda *_, **__: None)
    cast.tell(one.scene, one.scene.refs[0], "program")
    end = threading.Event()
    stray = threading.Thread(target=end.wait, name="stray")
    stray.start()
    try:
        assert not one._come_to_rest()
        dispatcher._places.clear()
        one._balance()
    finally:
        end.set()
        stray.join()
        monkeypatch.undo()
    seen = "\n".join(one.books.violations)
    for text in ("A2: it does not come to rest", "I1: accepted, and neither handled", "keeps something", "stray"):
        assert text in seen
    dispatcher._places.extend([None] * dispatcher.workers)
    dispatcher.ring()
    one.scene.refs[0].abort()
    assert one.scene.refs[0].actor_stopped.wait(10)
