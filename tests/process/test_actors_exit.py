"""The end of a program that has many actors without threads: it ends soon, and whoever would notice is told."""

from __future__ import annotations

import signal
import sys

import pytest

from .program import Program, run

PRELUDE = """
import os, sys, threading, time
from actors import Actor, ActorDead, Dispatcher
def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
class Idle(Actor):
    dispatcher = "shared"
    def on_receive(self, message):
        return message
class Cleaning(Idle):
    ended = 0
    def on_stop(self):
        Cleaning.ended += 1
idle = [Idle.start() for _ in range(10_000)]
for ref in idle[::100]:
    assert ref.ask("words", timeout=10) == "words"
"""
ENDINGS = {
    "by its last line": ("say('main ends')", 0),
    "by an exception": ("say('main ends'); raise KeyError('main')", 1),
    "by sys.exit()": ("say('main ends'); sys.exit(3)", 3),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_many_idle_ones_hold_nothing_up(ending: str) -> None:
    """However it ends. An asker on a thread of its own that comes after the end is told."""
    last, code = ENDINGS[ending]
    program = """
def ask():
    main.join()
    try:
        while True:
            idle[5].ask("anybody there?", timeout=10)
    except ActorDead:
        say("told")
main = threading.main_thread()
threading.Thread(target=ask).start()
"""
    done = run(f"{PRELUDE}{program}{last}")
    assert (done.code, done.lines) == (code, ["main ends", "told"])
    assert done.err.count("Traceback") == ("exception" in ending)


def test_all_cleanups_run() -> None:
    """Of ten thousand: of those that are idle, in a handler, asking one another, and with unread messages."""
    done = run(
        PRELUDE
        + """
class Busy(Cleaning):
    def on_receive(self, message):
        begun.release()
        if message == "wait":
            self.cancel_token.wait(None)
        elif message == "ask":
            asked.ask("never")
        self.cancel_token.check()
class Asked(Cleaning):
    def on_receive(self, message):
        kept.append(self.defer_reply())
kept = []
begun = threading.Semaphore(0)
cleaning = [Cleaning.start() for _ in range(10_000)]
asked = Asked.start()
busy = [Busy.start() for _ in range(40)]
for number, ref in enumerate(busy):
    ref.tell("ask" if number % 2 else "wait")
    begun.acquire(timeout=10)
replies = [ref.ask_future("unread") for ref in busy]
import atexit
atexit.register(lambda: say(Cleaning.ended, sum(reply.done() for reply in replies), threading.active_count() < 100))
say("main ends")
"""
    )
    assert done.clean() == ["main ends", "10041 40 True"]


def test_a_cleanup_that_hangs_is_not_waited_for_longer_than_the_rest_may_take() -> None:
    """Those of the others run on the other workers; one that waits through the library takes nobody's place."""
    done = run(
        PRELUDE
        + """
from actors.core.dispatching import dispatcher
dispatcher.EXIT_TIMEOUT = 1.0
class Hanging(Idle):
    dispatcher = Dispatcher(2)
    def on_stop(self):
        threading.Event().wait()
class Waiting(Hanging):
    def on_stop(self):
        quiet.ask("never")
class Cleaning2(Cleaning):
    dispatcher = Hanging.dispatcher
class Quiet(Actor):
    def on_receive(self, message):
        threading.Event().wait()
quiet = Quiet.start()
for cls in (Hanging, *[Waiting] * 20, *[Cleaning2] * 1000):
    cls.start()
import atexit
atexit.register(lambda: say(Cleaning.ended))
say("main ends")
"""
    )
    assert (done.code, done.lines) == (0, ["main ends", "1000"])


def test_whoever_starts_one_at_the_end_is_refused() -> None:
    """Also where others still live: in a cleanup, say. It holds nothing up."""
    done = run(
        PRELUDE
        + """
class Starting(Idle):
    def on_stop(self):
        try:
            Cleaning.start()
        except RuntimeError as error:
            say(error)
refs = [Starting.start() for _ in range(2)]
say("main ends")
"""
    )
    assert done.clean() == ["main ends", *["the program is ending: no pool or actor can be started any more"] * 2]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is a signal")
@pytest.mark.parametrize("where", ["in a wait", "in Python"])
def test_ctrl_c_ends_a_program_with_many(where: str) -> None:
    """In an ask, or in a loop that makes and tells; its actors clean up."""
    program = """
class Slow(Cleaning):
    def on_receive(self, message):
        say("begun")
        self.cancel_token.wait(None)
cleaning = [Cleaning.start() for _ in range(1000)]
import atexit
atexit.register(lambda: say(Cleaning.ended >= 1001))
slow = Slow.start()
"""
    last = {
        "in a wait": "slow.ask('words')",
        "in Python": """
slow.tell('words')
while True:
    Cleaning.start().tell('words')
    idle[7].tell('words', timeout=1)
""",
    }[where]
    with Program(PRELUDE + program + last) as running:
        assert running.line() == "begun"
        running.signal(signal.SIGINT)
        done = running.end()
    assert done.lines == ["True"]
    assert done.code in (-signal.SIGINT, 130, 1)
    assert "KeyboardInterrupt" in done.err
