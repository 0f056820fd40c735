"""What becomes of a turn: stored whole, once, before anybody sees the outcome, or not at all."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, ValidationError

from actors import (
    Agent,
    AgentCrashed,
    AgentManifest,
    AgentPool,
    AgentStatus,
    AssistantMessage,
    Backoff,
    CancelToken,
    CapacityError,
    CompletionResponse,
    FunctionDriver,
    GuardrailTripped,
    LlmAgent,
    RestartPolicy,
    ScriptedDriver,
    SessionConflict,
    SessionError,
    Sessions,
    SpawnConfig,
    SystemMessage,
    TokenUsage,
    ToolCall,
    ToolResultMessage,
    Trip,
    UserMessage,
    tool,
)
from actors.testing.sessions import make_turn
from tests.waiting import BOUND, Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from actors import CompletionRequest

BOT = AgentManifest(name="bot", model={"system_prompt": "Be kind.", "model_path": "a-model"})


@pytest.fixture(params=["file", "memory"])
def sessions(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sessions]:
    with Sessions(tmp_path / "chats.db") if request.param == "file" else Sessions.in_memory() as made:
        yield made


def echo(request: CompletionRequest) -> str:
    """How many messages it was sent, and the last of them."""
    return f"{len(request.messages)}: {request.messages[-1].content}"


def said(sessions: Sessions, session: str = "s") -> list[tuple[str, str]]:
    return [(turn.query, turn.text) for turn in sessions.get(session).turns()]


def waiting(gate: Gate) -> FunctionDriver:
    """Its answers wait at *gate*, or for the cancel."""

    class Waits(FunctionDriver):
        def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
            gate.note(request)
            while not gate.is_open and not cancel.wait(0.001):
                pass
            return super().complete(request, cancel=cancel)

    return Waits(echo)


@tool
def look(where: str) -> str:
    """Look somewhere."""
    return f"nothing in {where}"


@tool
def fails() -> str:
    """Fail."""
    raise RuntimeError("broken")


def with_call(request: CompletionRequest) -> Any:
    """A call first, then an answer."""
    if isinstance(request.messages[-1], ToolResultMessage):
        return "seen"
    return CompletionResponse(
        "", tool_calls=(ToolCall("c1", "look", {"where": "é\0"}),), usage=TokenUsage(5, 2, 1, 0, 1)
    )


def test_a_conversation_goes_on(sessions: Sessions) -> None:
    """S1: each ask sees what was said before; another session does not."""
    with AgentPool(FunctionDriver(echo), sessions=sessions) as pool:
        talk = pool.converse(BOT, "s")
        assert [talk.ask("one").unwrap().text, talk.ask("two").unwrap().text] == ["1: one", "3: two"]
        assert pool.converse(BOT, "other").ask("three").unwrap().text == "1: three"
        assert talk.session.id == "s"
        assert len(talk.session) == 2
    with AgentPool(FunctionDriver(echo), sessions=sessions) as pool:
        assert pool.converse(BOT, "s").ask("four").unwrap().text == "5: four"


def test_a_pool_opens_and_closes_a_path(tmp_path: Path) -> None:
    """What was said is there for the next one."""
    for expected in ("1: hi", "3: hi"):
        with AgentPool(FunctionDriver(echo), sessions=tmp_path / "chats.db") as pool:
            assert pool.converse(BOT, "s").ask("hi").unwrap().text == expected
    assert [file.name for file in tmp_path.iterdir()] == ["chats.db"]


def test_what_a_turn_holds(sessions: Sessions) -> None:
    """S4: the query, all answers, calls and results, exactly; not the system prompt, and not ``messages``."""
    config: SpawnConfig[Any] = SpawnConfig(
        BOT, "q", session="s", tools=[look], messages=[SystemMessage("for now"), UserMessage("aside")]
    )
    with AgentPool(FunctionDriver(with_call), sessions=sessions) as pool:
        outcome = pool.spawn(config).outcome()
        assert outcome.ok
        (turn,) = sessions.get("s").turns()
        assert turn.messages == (
            UserMessage("q"),
            AssistantMessage("", (ToolCall("c1", "look", {"where": "é\0"}),)),
            ToolResultMessage("c1", "nothing in é\0"),
            AssistantMessage("seen"),
        )
        assert outcome.messages[2:] == turn.messages
        assert (turn.number, turn.query, turn.text, turn.agent, turn.model) == (1, "q", "seen", "bot", "a-model")
        assert (turn.usage, turn.cost_usd) == (outcome.usage, outcome.cost_usd)
        pool.spawn(SpawnConfig(BOT, "again", session="s", tools=[look], keep_messages=False)).outcome()
    assert len(sessions.get("s").messages()) == 8
    assert sessions.get("s").messages(1)[0].content == "again"


def test_a_turn_is_stored_before_the_outcome_is_visible(sessions: Sessions) -> None:
    """S1: whoever sees the outcome, ``on_end`` included, finds the turn."""
    seen: list[int] = []

    class Looks(LlmAgent):
        def on_end(self, outcome: Any) -> None:
            seen.append(len(sessions.get("s")))

    with AgentPool(FunctionDriver(echo), sessions=sessions) as pool:
        handle = pool.spawn(SpawnConfig(BOT, "q", agent=Looks, session="s"))
        handle.add_done_callback(lambda _: seen.append(len(sessions.get("s"))))
        handle.outcome()
    assert seen == [1, 1]


@pytest.mark.parametrize("end", ["fails", "crashes", "cancelled", "times out", "abandoned"])
def test_an_agent_that_does_not_complete_leaves_the_session_as_it_was(sessions: Sessions, end: str) -> None:
    """S1: whatever its end; and the next one goes on from there."""
    gate = Gate()

    def answer(request: CompletionRequest) -> str:
        if end == "fails":
            raise SessionError("no")
        if end == "crashes":
            raise ZeroDivisionError
        gate.hold()
        return echo(request)

    driver = FunctionDriver(answer) if end in ("fails", "crashes", "abandoned") else waiting(gate)
    sessions.store.append("s", make_turn(1))
    with AgentPool(driver, sessions=sessions, abort_timeout=0.05) as pool:
        handle = pool.spawn(SpawnConfig(BOT, "q", session="s", timeout=0.05 if end == "times out" else None))
        if end in ("cancelled", "abandoned"):
            gate.await_reached()
            handle.cancel("enough")
        status = handle.outcome(BOUND).status
        later = pool.converse(BOT, "s", driver=FunctionDriver(echo)).ask("next")
        gate.open()
    assert status == {"fails": "failed", "crashes": "crashed", "times out": "timed_out"}.get(end, end)
    assert later.unwrap().text == "3: next"
    assert said(sessions) == [("hi", "hello"), ("next", "3: next")]


class Trips:
    """A guardrail that ends what it looks at."""

    def __init__(self, point: str) -> None:
        setattr(self, point, lambda _: Trip("no"))


@pytest.mark.parametrize("point", ["check_input", "after_completion", "check_output"])
def test_a_guardrail_that_trips_leaves_the_session_as_it_was(point: str) -> None:
    """S1: also where the answer was there already, and not let pass."""
    with Sessions.in_memory() as sessions, AgentPool(FunctionDriver(echo), sessions=sessions) as pool:
        outcome = pool.converse(BOT, "s", guardrails=[Trips(point)]).ask("q")
        assert (outcome.status, type(outcome.error)) == (AgentStatus.FAILED, GuardrailTripped)
        assert said(sessions) == []
        assert pool.converse(BOT, "s").ask("next").unwrap().text == "1: next"


def test_what_is_stored_is_what_guardrails_have_made_of_it() -> None:
    """Of the question and of the answer: in the text and in the messages."""

    class Covers:
        def check_input(self, query: str) -> str:
            return query.replace("4711", "*")

        def check_output(self, value: str) -> str:
            return value.replace("ask", "***")

    with Sessions.in_memory() as sessions, AgentPool(FunctionDriver(echo), sessions=sessions) as pool:
        assert pool.converse(BOT, "s", guardrails=[Covers()]).ask("ask 4711").ok
        (turn,) = sessions.get("s").turns()
    assert (turn.query, turn.text) == ("ask *", "1: *** *")
    assert [message.text for message in turn.messages] == ["ask *", "1: *** *"]


def test_a_cancel_in_the_midst_of_a_tool(sessions: Sessions) -> None:
    """S1: no call without its result is stored."""
    at_work = threading.Event()

    @tool
    def waits(cancel: CancelToken) -> str:
        """Wait for the cancel."""
        at_work.set()
        cancel.wait(BOUND)
        return "late"

    call = CompletionResponse("", tool_calls=(ToolCall("1", "waits", {}),))
    with AgentPool(ScriptedDriver([call, "done"]), sessions=sessions, tools=[waits]) as pool:
        handle = pool.spawn(SpawnConfig(BOT, "q", session="s"))
        assert at_work.wait(BOUND)
        handle.cancel()
        assert handle.outcome(BOUND).status is AgentStatus.CANCELLED
    assert said(sessions) == []


def test_a_tool_that_fails_is_part_of_the_turn(sessions: Sessions) -> None:
    """With its error, so that the call has its result."""
    call = CompletionResponse("", tool_calls=(ToolCall("1", "fails", {}),))
    with AgentPool(ScriptedDriver([call, "so it is"]), sessions=sessions, tools=[fails]) as pool:
        pool.converse(BOT, "s").ask("q")
    assert [type(each).__name__ for each in sessions.get("s").messages()] == [
        "UserMessage",
        "AssistantMessage",
        "ToolResultMessage",
        "AssistantMessage",
    ]


def test_one_at_a_time_in_the_order_of_their_admission(sessions: Sessions) -> None:
    """S2: they wait parked, without a slot; other sessions go on."""
    gate = Gate()
    with AgentPool(waiting(gate), max_concurrent=1, max_queued=None, sessions=sessions) as pool:
        first = pool.spawn(SpawnConfig(BOT, "0", session="s"))
        gate.await_reached()
        others = [pool.spawn(SpawnConfig(BOT, f"{number}", session="s")) for number in range(1, 5)]
        pool.resize(2)
        eventually(lambda: all(handle.status is AgentStatus.PARKED for handle in others))
        assert pool.dump().agents[1].on == "session s"
        assert pool.converse(BOT, "t", driver=FunctionDriver(echo)).ask("beside").ok
        gate.open()
        texts = [handle.outcome(BOUND).result.text for handle in (first, *others)]
    assert texts == [f"{2 * number + 1}: {number}" for number in range(5)]
    assert [query for query, _ in said(sessions)] == ["0", "1", "2", "3", "4"]


def test_who_waits_for_a_session_can_be_cancelled(sessions: Sessions) -> None:
    """S2: a cancel and a deadline end the wait; those behind go on in order."""
    gate = Gate()
    with AgentPool(waiting(gate), max_concurrent=8, sessions=sessions) as pool:
        first = pool.spawn(SpawnConfig(BOT, "first", session="s"))
        gate.await_reached()
        cancelled = pool.spawn(SpawnConfig(BOT, "cancelled", session="s"))
        late = pool.spawn(SpawnConfig(BOT, "late", session="s", deadline=0.05))
        last = pool.spawn(SpawnConfig(BOT, "last", session="s"))
        eventually(lambda: all(each.status is AgentStatus.PARKED for each in (cancelled, last)))
        cancelled.cancel("enough")
        assert cancelled.outcome(BOUND).status is AgentStatus.CANCELLED
        assert late.outcome(BOUND).status is AgentStatus.TIMED_OUT
        gate.open()
        assert first.outcome(BOUND).ok
        assert last.outcome(BOUND).result.text == "3: last"


def test_one_that_is_queued_is_overtaken_or_cancelled(sessions: Sessions) -> None:
    """S2: it holds up nobody, and leaves nothing behind."""
    gate = Gate()
    with AgentPool(waiting(gate), max_concurrent=1, max_queued=None, sessions=sessions) as pool:
        busy = pool.spawn(SpawnConfig(BOT, "busy"))
        gate.await_reached()
        low = pool.spawn(SpawnConfig(BOT, "low", session="s", priority=-1))
        gone = pool.spawn(SpawnConfig(BOT, "gone", session="s", priority=-1))
        high = pool.spawn(SpawnConfig(BOT, "high", session="s", priority=1))
        gone.cancel()
        gate.open()
        assert [each.outcome(BOUND).ok for each in (busy, low, high, gone)] == [True, True, True, False]
    assert [query for query, _ in said(sessions)] == ["high", "low"]


def test_a_refused_spawn_leaves_the_line(sessions: Sessions) -> None:
    """S2: who was not admitted is waited for by nobody."""
    gate = Gate()
    with AgentPool(waiting(gate), max_concurrent=1, sessions=sessions) as pool:
        pool.spawn(SpawnConfig(BOT, "busy"))
        gate.await_reached()
        with pytest.raises(CapacityError):
            pool.spawn(SpawnConfig(BOT, "refused", session="s"))
        gate.open()
        assert pool.converse(BOT, "s").ask("asked").ok


def test_a_child_in_the_session_of_its_ancestor(sessions: Sessions) -> None:
    """S2: a wait that never ended is a ``DeadlockError``; the parent goes on."""
    ends: list[Any] = []

    class Parent(LlmAgent[Any]):
        def run(self, query: Any) -> Any:
            for session in ("s", "t"):
                ends.append(self.spawn(SpawnConfig(BOT, "child", session=session)).outcome(BOUND))
            return super().run(query)

    with AgentPool(FunctionDriver(echo), sessions=sessions) as pool:
        assert pool.spawn(SpawnConfig(BOT, "q", agent=Parent, session="s")).outcome(BOUND).ok
    with pytest.raises(AgentCrashed, match=r"DeadlockError: .*ancestor: agent 2 .* agent 1"):
        ends[0].unwrap()
    assert ends[1].ok
    assert (said(sessions), said(sessions, "t")) == ([("q", "1: q")], [("child", "1: child")])


def test_two_that_wait_for_each_other(sessions: Sessions) -> None:
    """S2: who is at the session waits for one that waits for it: one of the two is told."""
    begun, other = threading.Event(), []

    class Waits(LlmAgent[Any]):
        def run(self, query: Any) -> Any:
            assert begun.wait(BOUND)
            return other[0].result(BOUND)

    with AgentPool(FunctionDriver(echo), sessions=sessions) as pool:
        first = pool.spawn(SpawnConfig(BOT, "first", agent=Waits, session="s"))
        eventually(lambda: first.status is AgentStatus.RUNNING)
        other.append(pool.spawn(SpawnConfig(BOT, "second", session="s")))
        begun.set()
        ends = [first.outcome(BOUND), other[0].outcome(BOUND)]
    assert any("DeadlockError" in str(end.error) for end in ends)


def test_another_process_was_first(tmp_path: Path) -> None:
    """S3: who comes second ends ``failed``, with its answer; nothing is overwritten, and the next ask goes on."""
    gate = Gate()
    path = tmp_path / "chats.db"
    with Sessions(path) as here, Sessions(path) as there, AgentPool(waiting(gate), sessions=here) as pool:
        late = pool.spawn(SpawnConfig(BOT, "late", session="s"))
        gate.await_reached()
        with AgentPool(FunctionDriver(echo), sessions=there) as elsewhere:
            assert elsewhere.converse(BOT, "s").ask("early").ok
        gate.open()
        outcome = late.outcome(BOUND)
        assert outcome.status is AgentStatus.FAILED
        assert isinstance(outcome.error, SessionConflict)
        assert (outcome.error.session, outcome.error.number, outcome.error.text) == ("s", 1, "1: late")
        assert pool.converse(BOT, "s").ask("again").unwrap().text == "3: again"
        assert [query for query, _ in said(here)] == ["early", "again"]


def test_an_undo_meanwhile_is_a_conflict(sessions: Sessions) -> None:
    """S3: a turn that would leave a gap is not stored."""
    gate = Gate()
    sessions.store.append("s", make_turn(1))
    with AgentPool(waiting(gate), sessions=sessions) as pool:
        late = pool.spawn(SpawnConfig(BOT, "late", session="s"))
        gate.await_reached()
        assert sessions.get("s").undo() is not None
        gate.open()
        assert isinstance(late.outcome(BOUND).error, SessionConflict)
    assert said(sessions) == []


def test_what_is_sent_is_cut_and_what_is_stored_is_not(sessions: Sessions) -> None:
    """S5: a history three times the window; ``history`` offers the last turns alone."""
    for number in range(1, 31):
        sessions.store.append("s", make_turn(number, f"q{number} " + "word " * 100, "ok"))
    counts: list[int] = []

    def count(request: CompletionRequest) -> str:
        counts.append(len(request.messages))
        return "fine"

    with AgentPool(FunctionDriver(count, context_window=2_000), sessions=sessions) as pool:
        assert pool.converse(BOT, "s").ask("all").ok
        assert len(sessions.get("s")) == 31
        for history in (0, 1, 2):
            assert pool.converse(BOT, "s", history=history).ask("few").ok
    assert counts[0] < 40
    assert counts[1:] == [1, 3, 5]
    assert [turn.number for turn in sessions.get("s").turns()] == list(range(1, 35))


class City(BaseModel):
    """A shape."""

    name: str


def test_with_an_output_type(sessions: Sessions) -> None:
    """S6: the turn is that of the loop, corrections included; the result is a value."""
    with AgentPool(ScriptedDriver(["Linz!", '{"name": "Linz"}']), sessions=sessions) as pool:
        outcome = pool.converse(BOT, "s", output_type=City).ask("where?")
        assert outcome.unwrap() == City(name="Linz")
    (turn,) = sessions.get("s").turns()
    assert (turn.text, len(turn.messages)) == ('{"name": "Linz"}', 4)


def test_with_a_class_of_ones_own(sessions: Sessions) -> None:
    """S6: whatever it makes of the answer; one whose ``run`` fails afterwards stores nothing."""

    class Length(LlmAgent[int]):
        def run(self, query: Any) -> Any:
            result = super().run(query)
            if query == "bad":
                raise SessionError("after all")
            return len(result.text)

    with AgentPool(FunctionDriver(echo), sessions=sessions) as pool:
        talk = pool.converse(BOT, "s", agent=Length)
        assert talk.ask("abc").unwrap() == 6
        assert talk.ask("bad").status is AgentStatus.FAILED
        assert talk.ask("abc").unwrap() == 6
    assert said(sessions) == [("abc", "1: abc"), ("abc", "3: abc")]


def test_a_restart_stores_once(sessions: Sessions) -> None:
    """S6: an agent that crashes after its answer is run again, buys nothing again, and stores one turn."""
    lives: list[int] = []
    asked: list[str] = []

    class Shaky(LlmAgent[Any]):
        def run(self, query: Any) -> Any:
            result = super().run(query)
            lives.append(len(sessions.get("s")))
            if len(lives) == 1:
                raise ZeroDivisionError
            return result

    def note(request: CompletionRequest) -> str:
        asked.append(request.messages[-1].content)
        return echo(request)

    policy = RestartPolicy(max_restarts=2, backoff=Backoff(0))
    with AgentPool(FunctionDriver(note), sessions=sessions, restart=policy) as pool:
        assert pool.converse(BOT, "s", agent=Shaky).ask("q").ok
    assert (lives, asked) == ([0, 0], ["q"])
    assert said(sessions) == [("q", "1: q")]


def test_a_run_of_its_own_stores_nothing(sessions: Sessions, log_lines: list[str]) -> None:
    """What never calls the loop has no turn; the log says so."""

    class Own(LlmAgent[str]):
        def run(self, query: Any) -> Any:
            return "own"

    with AgentPool(FunctionDriver(echo), sessions=sessions) as pool:
        assert pool.converse(BOT, "s", agent=Own).ask("q").unwrap() == "own"
    assert said(sessions) == []
    assert "nothing of it is stored" in "".join(log_lines)


def test_a_store_that_cannot_store(tmp_path: Path) -> None:
    """A full disk: ``failed``, ``SessionError``, the answer in its text; when there is room it goes on."""
    with (
        Sessions(tmp_path / "chats.db") as sessions,
        AgentPool(FunctionDriver(echo, context_window=100_000), sessions=sessions) as pool,
    ):
        talk = pool.converse(BOT, "s")
        assert talk.ask("one").ok
        connection = sessions.store._file._committer._connection  # type: ignore[attr-defined]
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        outcome = talk.ask("x" * 50_000)
        assert outcome.status is AgentStatus.FAILED
        assert isinstance(outcome.error, SessionError)
        assert "full" in str(outcome.error)
        assert outcome.error.text.startswith("3: xxx")
        connection.execute("PRAGMA max_page_count = 1000000")
        assert talk.ask("two").unwrap().text == "3: two"


def test_a_store_of_ones_own_that_raises(sessions: Sessions) -> None:
    """Whatever it raises is a ``SessionError`` with the answer."""

    class Odd:
        def turns(self, session: str, last: int | None = None) -> list[Any]:
            return []

        def append(self, session: str, turn: Any, *, again: bool = False) -> None:
            raise OSError("the network is gone")

    store: Any = Odd()
    with AgentPool(FunctionDriver(echo), sessions=Sessions.over(store)) as pool:
        outcome = pool.converse(BOT, "s").ask("q")
    assert isinstance(outcome.error, SessionError)
    assert (outcome.error.text, "network is gone" in str(outcome.error)) == ("1: q", True)


def test_a_session_that_cannot_be_read(tmp_path: Path) -> None:
    """S4: an unknown field of a newer version is a ``SessionError``, not a guess; nothing is asked."""
    path = tmp_path / "chats.db"
    asked: list[str] = []
    with Sessions(path) as sessions:
        sessions.store.append("s", make_turn(1))
        sessions.store.append("t", make_turn(1))
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE turn SET messages = json_set(messages, '$[0].new', 1) WHERE session = 's'")
        file.execute("UPDATE turn SET details = '{\"new\": 1}' WHERE session = 't'")
    with (
        Sessions(path) as sessions,
        AgentPool(FunctionDriver(lambda _: asked.append("") or ""), sessions=sessions) as pool,
    ):
        for session in ("s", "t"):
            with pytest.raises(SessionError, match="newer version"):
                sessions.get(session).turns()
            outcome = pool.converse(BOT, session).ask("q")
            assert (outcome.status, type(outcome.error)) == (AgentStatus.FAILED, SessionError)
    assert asked == []


@pytest.mark.parametrize(
    "session", ["", "x" * 201, b"s", 1, "half \ud800"], ids=["empty", "long", "bytes", "int", "half"]
)
def test_what_is_no_id(sessions: Sessions, session: Any) -> None:
    """``ValueError``, wherever it is given."""
    with AgentPool(FunctionDriver(echo), sessions=sessions) as pool:
        for use in (
            lambda: pool.converse(BOT, session),
            lambda: SpawnConfig(BOT, "q", session=session),
            lambda: sessions.get(session),
            lambda: sessions.delete(session),
            lambda: sessions.get("s").fork(session),
        ):
            with pytest.raises(ValueError, match=r"session"):
                use()


def test_refusals_at_the_spawn(sessions: Sessions) -> None:
    """A pool without sessions, an agent of which nothing would be stored, a key for all turns."""

    class Other(Agent[str]):
        def run(self, query: Any) -> str:
            return "x"

    with AgentPool(FunctionDriver(echo)) as pool:
        with pytest.raises(ValueError, match="sessions="):
            pool.spawn(SpawnConfig(BOT, "q", session="s"))
        with pytest.raises(ValueError, match="sessions="):
            pool.converse(BOT, "s")
    with AgentPool(FunctionDriver(echo), sessions=sessions) as pool:
        with pytest.raises(ValueError, match="LlmAgent"):
            pool.spawn(SpawnConfig(BOT, "q", agent=Other, session="s"))
        with pytest.raises(ValueError, match="key"):
            pool.converse(BOT, "s", key="k")
        with pytest.raises(ValidationError):
            pool.converse(BOT, "s", history=-1)
        with pytest.raises(TypeError, match="path"):
            AgentPool(FunctionDriver(echo), sessions=5)  # type: ignore[arg-type]
        assert pool.stats().started == 0


def test_a_conversation_is_cancelled(sessions: Sessions) -> None:
    """All that is being asked ends ``cancelled``; the next ask is answered."""
    gate = Gate()
    ends: list[Any] = []
    with AgentPool(waiting(gate), sessions=sessions) as pool:
        talk = pool.converse(BOT, "s")
        assert not talk.cancel()
        threads = [threading.Thread(target=lambda: ends.append(talk.ask("q"))) for _ in range(2)]
        for thread in threads:
            thread.start()
        gate.await_reached()
        eventually(lambda: pool.stats().parked == 1)
        assert talk.cancel()
        for thread in threads:
            thread.join(BOUND)
        gate.open()
        assert talk.ask("next").unwrap().text == "1: next"
        assert talk.resume() is None
    assert [end.status for end in ends] == ["cancelled", "cancelled"]


def test_an_ask_that_takes_too_long(sessions: Sessions) -> None:
    """Its time counts the wait for the session, too."""
    gate = Gate()
    with AgentPool(waiting(gate), sessions=sessions) as pool:
        pool.spawn(SpawnConfig(BOT, "busy", session="s"))
        gate.await_reached()
        assert pool.converse(BOT, "s").ask("q", timeout=0.05).status is AgentStatus.TIMED_OUT
        gate.open()


def test_the_time_of_an_ask_counts_its_wait_for_room() -> None:
    """What it waited until the pool had room is gone: it does not begin anew with the admission."""
    gate = Gate()
    ends: list[float] = []

    class Looks(LlmAgent[Any]):
        def run(self, query: Any) -> Any:
            assert self.cancel_token.deadline is not None
            ends.append(self.cancel_token.deadline.at)
            return super().run(query)

    with (
        Sessions.in_memory() as sessions,
        AgentPool(waiting(gate), max_concurrent=1, max_queued=0, sessions=sessions) as pool,
        ThreadPoolExecutor(1) as threads,
    ):
        pool.spawn(SpawnConfig(BOT, "busy"))
        gate.await_reached()
        asked = threads.submit(pool.converse(BOT, "s", agent=Looks, driver=FunctionDriver(echo)).ask, "q", 100)
        eventually(lambda: pool._core.pool.roster.waiting_spawns)
        before = time.monotonic()
        gate.open()
        assert asked.result(BOUND).ok
    assert ends[0] <= before + 100


@pytest.mark.parametrize("timeout", ["1", True, -1, float("nan"), float("inf")])
def test_what_is_no_time(timeout: Any) -> None:
    """It is refused by its name."""
    with Sessions.in_memory() as sessions, AgentPool(FunctionDriver(echo), sessions=sessions) as pool:
        with pytest.raises((TypeError, ValueError), match="timeout must be"):
            pool.converse(BOT, "s", deadline=5).ask("q", timeout)
        assert said(sessions) == []


def test_many_at_once(sessions: Sessions) -> None:
    """S2: a hundred agents at ten sessions: each session has its ten turns, each saw those before it."""
    with AgentPool(FunctionDriver(echo), max_concurrent=16, max_queued=None, sessions=sessions) as pool:
        handles = [pool.spawn(SpawnConfig(BOT, f"{n}", session=f"s{n % 10}"), timeout=None) for n in range(100)]
        assert all(handle.outcome(BOUND).ok for handle in handles)
    for session in range(10):
        expected = [(f"{n}", f"{2 * place + 1}: {n}") for place, n in enumerate(range(session, 100, 10))]
        assert said(sessions, f"s{session}") == expected
