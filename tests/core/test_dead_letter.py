"""Messages that nobody read."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from loguru import logger

from actors import ActorDead, Agent, AgentManifest, AgentMessage, AgentPool, AskTimeout, MessageRouter, SpawnConfig
from actors.core.messaging import dead_letter
from actors.core.messaging.dead_letter import DeadLetterReason, DeadLetters

from .troupe import Bomb, Player, again


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The clock of the log's limit, moved by hand."""

    class Hand:
        time = 5000.0
        now = staticmethod(dead_letter.SYSTEM_CLOCK.now)

        def monotonic(self) -> float:
            return self.time

    hand = Hand()
    monkeypatch.setattr(dead_letter, "SYSTEM_CLOCK", hand)
    return hand


def warnings(lines: list[str]) -> list[str]:
    """What was logged, without the level."""
    return [line.split(" ", 1)[1].rsplit(" {", 1)[0] for line in lines if line.startswith("WARNING")]


def message(content: Any, to: int = 0, sender: int = -1) -> AgentMessage:
    """A message for *to*."""
    return AgentMessage(sender, to, content)


def test_letters_are_kept_oldest_first_with_their_reason() -> None:
    """A sequence of frozen records, stamped in UTC."""
    letters = DeadLetters()
    letters.add("a", DeadLetterReason.UNREGISTERED)
    letters.add("b", DeadLetterReason.RECEIVER_ENDED)
    assert len(letters) == 2
    assert [letter.message for letter in letters] == ["a", "b"]
    assert letters[0].reason == "unregistered"
    assert letters[-1].message == "b"
    assert [letter.message for letter in letters[:1]] == ["a"]
    assert letters[0].at.tzinfo is not None
    with pytest.raises(AttributeError):
        letters[0].message = "c"  # type: ignore[misc]
    with pytest.raises(IndexError):
        letters[2]


def test_only_the_latest_are_kept_and_all_are_counted() -> None:
    """The oldest goes; the counters remember it."""
    letters = DeadLetters(keep=2)
    for n in range(5):
        letters.add(n, DeadLetterReason.DROPPED_OLDEST if n else DeadLetterReason.SENDER_ABANDONED)
    assert [letter.message for letter in letters] == [3, 4]
    assert letters.total == 5
    assert letters.counts() == {DeadLetterReason.SENDER_ABANDONED: 1, DeadLetterReason.DROPPED_OLDEST: 4}
    assert "dropped_oldest" in repr(letters)


def test_letters_may_arrive_while_somebody_reads() -> None:
    """An iteration sees the state at its start."""
    letters = DeadLetters()
    letters.add(1, DeadLetterReason.UNREGISTERED)
    seen: list[Any] = []
    for letter in letters:
        seen.append(letter.message)
        letters.add(2, DeadLetterReason.UNREGISTERED)
    assert seen == [1]
    assert len(letters) == 2


def test_a_thousand_are_kept() -> None:
    """By default."""
    letters = DeadLetters()
    for n in range(1003):
        letters.add(n, DeadLetterReason.UNREGISTERED)
    assert len(letters) == 1000
    assert (letters[0].message, letters[-1].message) == (3, 1002)
    assert letters.total == 1003


def test_none_is_lost_or_counted_twice_by_many_threads() -> None:
    """With readers beside them."""
    heard: list[Any] = []
    letters = DeadLetters(heard.append, keep=100_000)

    def write(lane: int) -> None:
        for n in range(500):
            letters.announce(letters.add(lane * 500 + n, list(DeadLetterReason)[n % 6]))
            assert letters.total >= n
            assert len(list(letters)) > 0

    threads = [threading.Thread(target=write, args=(lane,)) for lane in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert letters.total == sum(letters.counts().values()) == 2000
    assert sorted(letter.message for letter in letters) == sorted(letter.message for letter in heard)
    assert sorted(letter.message for letter in letters) == list(range(2000))


# The log --------------------------------------------------------------------------------------------------------


def test_a_line_says_what_it_was_for_whom_and_why(log_lines: list[str]) -> None:
    """One each."""
    letters = DeadLetters()
    letters.announce(
        letters.add({"a": 1}, DeadLetterReason.POISON, "actor Worker"), letters.add("b", list(DeadLetterReason)[1])
    )
    assert warnings(log_lines) == [
        "dead letter for actor Worker (poison): {'a': 1}",
        "dead letter for nobody (unregistered): 'b'",
    ]


def test_a_crowd_is_logged_up_to_a_limit_and_the_others_are_counted(log_lines: list[str], clock: Any) -> None:
    """Ten lines in a minute; the first one after it says first how many were left out, once."""
    letters = DeadLetters()

    def send(count: int) -> list[str]:
        log_lines.clear()
        for n in range(count):
            letters.announce(letters.add(n, DeadLetterReason.UNREGISTERED))
        return warnings(log_lines)

    assert dead_letter.LOGGED == 10
    assert dead_letter.LOG_PERIOD == 60.0
    assert [line[-1] for line in send(25)] == list("0123456789")
    clock.time += 59.9
    assert send(5) == []
    clock.time += 0.2
    assert send(2) == [
        "20 further dead letters were not logged",
        "dead letter for nobody (unregistered): 0",
        "dead letter for nobody (unregistered): 1",
    ]
    clock.time += 60.0
    assert len(send(11)) == 10
    assert letters.total == 43


def test_the_limit_is_each_ones_own(log_lines: list[str], clock: Any) -> None:
    """One noisy actor silences no other."""
    for letters in (DeadLetters(), DeadLetters()):
        for n in range(20):
            letters.announce(letters.add(n, DeadLetterReason.UNREGISTERED))
    assert len(warnings(log_lines)) == 20


class Evil:
    """Nobody can show it."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error
        self.asked = 0

    def __repr__(self) -> str:
        self.asked += 1
        raise self.error("no")


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, RecursionError])
def test_a_message_that_cannot_be_shown_is_logged_all_the_same(log_lines: list[str], error: Any) -> None:
    """Its type, and what its repr raised."""
    letters = DeadLetters()
    letters.announce(letters.add(Evil(error), DeadLetterReason.UNREGISTERED))
    (line,) = warnings(log_lines)
    assert line.endswith(f": <Evil, whose repr raised {error.__name__}>")


def test_the_repr_of_a_message_forges_no_line(log_lines: list[str]) -> None:
    """It may be a user's own, and show what a model said."""

    class Loud:
        def __repr__(self) -> str:
            return "x\nERROR \x1b[31m"

    letters = DeadLetters()
    letters.announce(letters.add(Loud(), DeadLetterReason.UNREGISTERED))
    (line,) = warnings(log_lines)
    assert line.endswith(r"x\nERROR \x1b[31m")


def test_a_huge_message_is_cut(log_lines: list[str]) -> None:
    """With its length."""
    letters = DeadLetters()
    letters.announce(letters.add("x" * 10_000_000, DeadLetterReason.UNREGISTERED))
    (line,) = warnings(log_lines)
    assert line.endswith("xxx... (10000002 characters)")
    assert len(line) < 300


@pytest.mark.parametrize("text", ["{0} {name} {", "<red>no tag</red>", "%s %d"])
def test_a_message_is_no_format(log_lines: list[str], text: str) -> None:
    """Braces, tags and percent signs arrive as they are."""
    letters = DeadLetters()
    letters.announce(letters.add(text, DeadLetterReason.UNREGISTERED))
    assert warnings(log_lines) == [f"dead letter for nobody (unregistered): {text!r}"]


def test_nothing_is_formatted_when_nobody_reads_the_log() -> None:
    """A silent library does not pay for the repr."""
    letters = DeadLetters()
    evil = Evil(ValueError)
    letters.announce(letters.add(evil, DeadLetterReason.UNREGISTERED))
    assert evil.asked == 0


def test_a_sink_that_raises_ends_the_actor_all_the_same(started: Any, gate: Any, log_lines: list[str]) -> None:
    """Whoever waits for its end is not left waiting because a line could not be written."""

    def broken(line: Any) -> None:
        raise OSError("disk full")

    ref = started()
    ref.tell(gate.hold)
    gate.await_reached()
    ref.tell("unread")
    sink = logger.add(broken, catch=False)
    hook, threading.excepthook = threading.excepthook, lambda _: None
    try:
        ref.abort()
        gate.open()
        ended = ref.actor_stopped.wait(2)
        ref._cell.ended.get(timeout=10)
    finally:
        logger.remove(sink)
        threading.excepthook = hook
        ref.actor_stopped.set()
    assert ended


# The listener ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, SystemExit, GeneratorExit])
def test_a_listener_that_raises_is_logged_and_asked_again(log_lines: list[str], error: Any) -> None:
    """The sender does not see it."""
    heard: list[Any] = []

    def listen(letter: Any) -> None:
        heard.append(letter.message)
        raise error("in the listener")

    router = MessageRouter(1, on_undelivered=listen)
    for content in ("a", "b", "c"):
        router.send(message(content))
    assert [one.content for one in heard] == ["a", "b"]
    assert sum("on_undelivered failed" in line and "in the listener" in line for line in log_lines) == 2


def test_ctrl_c_in_a_listener_reaches_the_main_thread() -> None:
    """Raised from the send that made the letter; the message itself was accepted."""

    def listen(_: Any) -> None:
        raise KeyboardInterrupt

    router = MessageRouter(1, on_undelivered=listen)
    router.send(message("a"))
    with pytest.raises(KeyboardInterrupt):
        router.send(message("b"))
    assert router.inbox().receive(0).content == "b"


def test_a_slow_listener_holds_only_the_thread_that_made_the_letter(gate: Any, in_thread: Any) -> None:
    """Others send, read and look at the letters."""
    router = MessageRouter(1, on_undelivered=lambda letter: gate.hold() if letter.message.content == "a" else None)
    inbox = router.inbox()
    router.send(message("a"))
    sending = in_thread(router.send, message("b"))
    gate.await_reached()
    assert router.dead_letters.total == 1
    assert inbox.receive(0).content == "b"
    router.send(message("c"))
    router.send(message("d"))
    assert router.dead_letters.total == 2
    gate.open()
    sending.result(10)


def test_a_listener_that_writes_to_the_full_program_does_not_answer_itself_for_ever() -> None:
    """Telling the program of a dead letter is the obvious listener: one letter, one call, no recursion."""
    heard: list[Any] = []

    def listen(letter: Any) -> None:
        heard.append(letter.message.content)
        router.send(message("a letter died"))

    router = MessageRouter(4, on_undelivered=listen)
    for n in range(5):
        router.send(message(n))
    assert len(heard) <= 2
    assert router.dead_letters.total <= 5


def test_a_listener_may_use_the_pool(make_pool: Any, gate: Any) -> None:
    """Spawn, send, look, abort: no lock is held."""
    seen: list[Any] = []
    told = threading.Event()

    def listen(letter: Any) -> None:
        if letter.message.content != "unread":
            return
        child = pool.submit(lambda: "spawned by the listener")
        seen.extend([child.result(10), pool.stats().dead_letters, str(pool.dump()) != "", letter.reason])
        pool.abort_all("by the listener")
        pool.router.send(message("to the program"))
        told.set()

    pool: AgentPool = make_pool(max_concurrent=2, on_undelivered=listen)

    class Deaf(Agent[None]):
        def run(self, query: Any) -> None:
            gate.hold()

    handle = pool.spawn(SpawnConfig(AgentManifest(name="deaf"), "", agent=Deaf))
    gate.await_reached()
    pool.router.send(message("unread", handle.id))
    gate.open()
    assert told.wait(10)
    assert handle.outcome(10).ok
    assert seen == ["spawned by the listener", 1, True, "receiver_ended"]
    assert pool.inbox.receive(10).content == "to the program"


def test_the_hook_of_an_actor_may_send_start_and_ask(supervised: Any, started: Any) -> None:
    """On the actor's own thread; it may tell itself, too."""
    answers: list[Any] = []
    other = started()

    def undelivered(me: Any, letter: Any) -> None:
        new = started()
        answers.append((other.ask("other", timeout=10), new.ask("new", timeout=10), threading.get_ident()))
        me.actor_ref.tell("to itself")

    diary: list[Any] = []
    ref = supervised(Player, diary, restart=again(0), undelivered=undelivered)
    ref.tell(Bomb(1000))
    thread = ref.ask(lambda _: threading.get_ident(), timeout=10)
    ref.stop(timeout=10)
    assert answers == [("other", "new", thread)]
    assert (1, "to itself") in diary
    assert ref.dead_letters.total == 1


def test_who_asked_is_told_before_any_hook_runs(started: Any, gates: Any) -> None:
    """A slow on_undelivered of one message does not keep the asker of the next waiting."""
    work, hook = gates(), gates()
    ref = started(undelivered=lambda me, letter: hook.hold())
    ref.tell(work.hold)
    work.await_reached()
    ref.tell("first")
    asked = ref.ask_future("second")
    ref.abort()
    work.open()
    hook.await_reached()
    try:
        with pytest.raises(ActorDead):
            asked.get(timeout=2)
        assert [letter.message for letter in ref.dead_letters] == ["first", "second"]
    finally:
        hook.open()


# Each reason ----------------------------------------------------------------------------------------------------


def test_receiver_ended(started: Any, gate: Any) -> None:
    """What was unread, oldest first, asks included; the hook hears it after the cleanup, before the end is visible."""
    heard: list[Any] = []
    diary: list[Any] = []
    ref = started(
        Player,
        diary,
        undelivered=lambda me, letter: heard.append((letter, diary[-1][1], me.actor_ref.is_alive())),
    )
    ref.tell(gate.hold)
    gate.await_reached()
    ref.tell(1)
    asked = ref.ask_future(2)
    ref.tell(3)
    ref.abort()
    gate.open()
    assert ref.actor_stopped.wait(10)
    letters = list(ref.dead_letters)
    assert [(letter.message, letter.reason, letter.receiver) for letter in letters] == [
        (n, "receiver_ended", "actor Player") for n in (1, 2, 3)
    ]
    assert heard == [(letter, "stop", True) for letter in letters]
    with pytest.raises(ActorDead):
        asked.get(timeout=0)


def test_ask_expired(started: Any, gate: Any) -> None:
    """One that gave up before its turn is not handled; one whose handler had begun is no dead letter."""
    diary: list[Any] = []
    ref = started(Player, diary)
    asked = ref.ask_future(gate.hold)
    gate.await_reached()
    with pytest.raises(AskTimeout):
        ref.ask("given up", timeout=0.01)
    assert ref.dead_letters.total == 0
    gate.open()
    assert ref.ask("next", timeout=10) == "next"
    assert asked.done()
    assert [(letter.message, letter.reason) for letter in ref.dead_letters] == [("given up", "ask_expired")]
    assert "given up" not in [word for _, word in diary]


def test_a_handled_message_is_no_dead_letter(started: Any) -> None:
    """Neither one whose asker was told of an error, nor a refused one."""
    ref = started()
    ref.tell("a")
    with pytest.raises(ValueError, match="boom"):
        ref.ask(Bomb(), timeout=10)
    ref.stop(timeout=10)
    with pytest.raises(ActorDead):
        ref.tell("refused")
    assert len(ref.dead_letters) == 0


def test_unregistered_and_dropped_oldest() -> None:
    """Of a router that stands alone."""
    heard: list[Any] = []
    router = MessageRouter(2, on_undelivered=heard.append)
    router.register(-5)
    router.send(message("a", -5))
    router.send(message("b", -5))
    for content in ("c", "d", "e"):
        router.send(message(content, 0))
    router.unregister(-5)
    found = [(letter.message.content, letter.reason, letter.receiver) for letter in router.dead_letters]
    assert found == [
        ("c", "dropped_oldest", "the program"),
        ("a", "unregistered", "id -5"),
        ("b", "unregistered", "id -5"),
    ]
    assert heard == list(router.dead_letters)
    assert router.dead_letters.counts() == {"dropped_oldest": 1, "unregistered": 2}


def test_receiver_ended_and_sender_abandoned_of_a_pool(make_pool: Any, gates: Any) -> None:
    """What an agent had not read; what an abandoned one still says."""
    heard: list[Any] = []
    both = threading.Barrier(3)

    def listen(letter: Any) -> None:
        heard.append((letter.message.content, letter.reason))
        both.wait(10)

    pool = make_pool(on_undelivered=listen, abort_timeout=0.05)
    gate = gates()

    class Deaf(Agent[None]):
        def run(self, query: Any) -> None:
            gate.hold()
            self.send(0, "from the grave")

    handle = pool.spawn(SpawnConfig(AgentManifest(name="deaf"), "", agent=Deaf))
    gate.await_reached()
    pool.router.send(message("unread", handle.id))
    handle.cancel("enough")
    assert handle.outcome(10).status == "abandoned"
    gate.open()
    both.wait(10)
    found = [(letter.message.content, letter.reason) for letter in pool.router.dead_letters]
    assert found == [("unread", "receiver_ended"), ("from the grave", "sender_abandoned")]
    assert sorted(heard) == sorted(found)
    assert pool.stats().dead_letters == 2
    assert pool.router.dead_letters.counts() == {"receiver_ended": 1, "sender_abandoned": 1}
    assert pool.inbox.receive_nowait() is None


def test_ask_expired_of_an_agent(make_pool: Any, gate: Any) -> None:
    """One that gave up before the agent read it."""
    heard: list[Any] = []
    found: list[Any] = []
    pool = make_pool(on_undelivered=heard.append)

    class Busy(Agent[Any]):
        def run(self, query: Any) -> Any:
            found.append(self.actor_ref)
            gate.hold()
            return self.receive().content

    handle = pool.spawn(SpawnConfig(AgentManifest(name="busy"), "", agent=Busy))
    gate.await_reached()
    with pytest.raises(AskTimeout):
        found[0].ask("given up", timeout=0.01)
    found[0].tell("done")
    gate.open()
    assert handle.result(10) == "done"
    assert [(letter.message, letter.reason) for letter in heard] == [("given up", "ask_expired")]


def test_a_listener_must_be_a_function() -> None:
    """A pool says so at once, and a router of one's own as well."""
    with pytest.raises(TypeError, match="on_undelivered"):
        AgentPool(on_undelivered="no function")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="on_undelivered"):
        MessageRouter(on_undelivered="no function")  # type: ignore[arg-type]
