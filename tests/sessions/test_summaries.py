"""A session that has outgrown its window goes on with the summary that was bought in an earlier turn."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    AgentManifest,
    AgentPool,
    Backoff,
    CompletionResponse,
    FunctionDriver,
    Handoff,
    RestartPolicy,
    SessionError,
    Sessions,
    SpawnConfig,
    ToolCall,
    TurnSummary,
    UserMessage,
    tool,
)
from actors.agent.assembly.llm_agent import LlmAgent
from actors.agent.loop.summarizer import SYSTEM
from actors.testing.sessions import make_turn

if TYPE_CHECKING:
    from actors import CompletionRequest, Message

CONTEXT = {"policy": "summarize", "keep_last": 4, "summary_every": 4}
BOT = AgentManifest(name="bot", context=CONTEXT)  # type: ignore[arg-type]
CALM = AgentManifest(name="bot", context={**CONTEXT, "summary_every": 50})  # type: ignore[arg-type]
WINDOW = 2_000
LONG = "word " * 160


class Model:
    """It answers at length; what it is asked is kept."""

    def __init__(self) -> None:
        self.summaries: list[str] = []
        self.asked: list[CompletionRequest] = []

    def __call__(self, request: CompletionRequest) -> Any:
        """The number of the answer, or of the summary."""
        if request.system.startswith(SYSTEM[:20]):  # type: ignore[union-attr]
            self.summaries.append(request.messages[0].text)
            return f"summary {len(self.summaries)}: half \ud800"
        self.asked.append(request)
        return f"{len(self.asked)} {LONG}"

    @property
    def driver(self) -> FunctionDriver:
        """For a small window."""
        return FunctionDriver(self, context_window=WINDOW)

    def summary_sent(self) -> str:
        """The summary in the last request; empty: there was none."""
        first = self.asked[-1].messages[0].text
        return first.partition("\n")[2] if first.startswith("[Summary of") else ""


def asked(model: Model, sessions: Sessions, count: int, manifest: AgentManifest = BOT, **more: Any) -> list[int]:
    """How many summaries each of so many asks bought, each in a pool of its own."""
    bought = []
    for _ in range(count):
        before = len(model.summaries)
        with AgentPool(model.driver, sessions=sessions) as pool:
            talk = pool.converse(manifest, "s", **more)
            outcome = talk.ask(f"question {len(talk.session) + 1}")
            assert outcome.ok, outcome.error
        bought.append(len(model.summaries) - before)
    return bought


def test_a_summary_stands_in_later_turns(tmp_path: Path) -> None:
    """None is bought where the one that there is leaves room, and at most one in ``summary_every`` turns, counted over
    agents and processes; each message is told or summarized once.
    """
    model = Model()
    with Sessions(tmp_path / "chats.db") as sessions:
        bought = asked(model, sessions, 12)
    with Sessions(tmp_path / "chats.db") as sessions:
        bought += asked(model, sessions, 18)
        assert len(sessions.get("s").messages()) == 60
        summaries = [turn.number for turn in sessions.get("s").turns() if turn.summary is not None]
    places = [number for number, count in enumerate(bought, 1) if count]
    assert (sum(bought), summaries) == (len(places), places)
    assert 2 <= len(places) <= 6
    assert all(after - before >= 4 for before, after in pairwise(places))
    later = model.asked[places[-1]]
    assert model.summary_sent().startswith(f"summary {len(places)}:")
    told = "\n".join([*model.summaries, *(message.text for message in later.messages)])
    assert [f"question {number}" for number in range(1, places[-1]) if f"question {number}\n" not in f"{told}\n"] == []
    assert "summary 1" in model.summaries[1]


def test_who_sees_less_is_told_less() -> None:
    """Where ``history`` leaves out what a summary stands for, it is not told; where it was bought of fewer turns, it is
    none of all.
    """
    model = Model()
    with Sessions.in_memory() as sessions:
        asked(model, sessions, 12, CALM)
        assert model.summary_sent()
        count = len(model.summaries)
        assert asked(model, sessions, 1, CALM, history=2) == [0]
        assert not model.summary_sent()
        assert asked(model, sessions, 1, CALM, history=11) == [1]
        assert sum(asked(model, sessions, 1, CALM)) == 0
        assert model.summary_sent().startswith(f"summary {count}:")


def test_another_manifest() -> None:
    """Where all fits the window it is sent, and no summary; one that wants none is sent none."""
    model = Model()
    with Sessions.in_memory() as sessions:
        asked(model, sessions, 12, CALM)
        with AgentPool(FunctionDriver(model, context_window=100_000), sessions=sessions) as pool:
            assert pool.converse(CALM, "s").ask("large").ok
        assert (model.summary_sent(), len(model.asked[-1].messages)) == ("", 25)
        asked(model, sessions, 1, AgentManifest(name="other"))
        assert not model.summary_sent()
        assert asked(model, sessions, 1, CALM) == [0]
        assert model.summary_sent()


def test_what_is_for_one_turn_alone_comes_into_no_other() -> None:
    """A summary that may stand for ``messages`` is not carried on."""
    model = Model()
    alone = [UserMessage(f"for this turn alone {LONG}") for _ in range(3)]
    with Sessions.in_memory() as sessions:
        assert sum(asked(model, sessions, 14, messages=alone)) > 5
        assert [turn.summary for turn in sessions.get("s").turns()] == [None] * 14


@tool
def look(number: int) -> str:
    """Look it up."""
    return f"found {number} {LONG}"


@pytest.mark.parametrize("crashes", [False, True], ids=["runs once", "runs twice"])
def test_a_summary_within_a_turn(crashes: bool) -> None:
    """One that reaches into the turn in which it was bought stands for all of that but its query; a restart buys it
    once, and stores the same.
    """
    model = Model()

    def work(request: CompletionRequest) -> Any:
        answer, number = model(request), len(model.asked)
        if answer.startswith("summary"):
            return answer
        if number >= 9:
            return "done"
        return CompletionResponse("", tool_calls=(ToolCall(f"c{number}", "look", {"number": number}),))

    runs: list[int] = []

    class Own(LlmAgent[Any]):
        def run(self, query: Any) -> Any:
            result = super().run(query)
            runs.append(1)
            if crashes and len(runs) == 1:
                raise RuntimeError("after its answer")
            return result

    with Sessions.in_memory() as sessions:
        driver = FunctionDriver(work, context_window=WINDOW)
        restart = RestartPolicy(max_restarts=1, backoff=Backoff(0))
        with AgentPool(driver, tools=[look], sessions=sessions, restart=restart) as pool:
            assert pool.spawn(SpawnConfig(BOT, "the query", agent=Own, session="s")).outcome().ok
        (turn,) = sessions.get("s").turns()
        assert turn.summary is not None
        assert (turn.summary.first, turn.summary.turn) == (1, 1)
        assert 1 < turn.summary.messages < turn.summary.at < len(turn.messages)
        count = len(model.summaries)
        assert asked(model, sessions, 1) == [0]
        assert model.summary_sent().startswith(f"summary {count}:")
        assert [message.text for message in model.asked[-1].messages[1:2]] == ["the query"]


def test_who_a_conversation_is_handed_on_to_goes_on_with_it() -> None:
    """The summary is carried over a handoff; not where a filter shows something else."""
    for filtered in (False, True):
        model = Model()

        def work(request: CompletionRequest, model: Model = model) -> Any:
            answer = model(request)
            if any(each.name == "transfer_to_other" for each in request.tools):
                return CompletionResponse("", tool_calls=(ToolCall("h", "transfer_to_other", {}),))
            return answer

        def some(messages: tuple[Message, ...]) -> list[Message]:
            return [UserMessage(f"of them {len(messages)}")]

        other = Handoff(BOT.model_copy(update={"name": "other"}), filter=some if filtered else None)
        with Sessions.in_memory() as sessions:
            asked(model, sessions, 12)
            with AgentPool(FunctionDriver(work, context_window=WINDOW), sessions=sessions) as pool:
                assert pool.converse(BOT, "s", handoffs=[other]).ask("hand on").ok
            assert bool(model.summary_sent()) is not filtered


@pytest.mark.parametrize(
    "summary",
    [
        TurnSummary("of another beginning", 2, 2, 1, 1),
        TurnSummary("of a turn to come", 1, 9, 1, 1),
        TurnSummary("of more than there is", 1, 2, 99, 99),
        TurnSummary("of less than nothing", 1, 1, -5, -5),
    ],
)
def test_what_cannot_be_right(summary: TurnSummary) -> None:
    """A store may say anything: the query is sent, and nothing fails."""
    model = Model()
    with Sessions.in_memory() as sessions:
        for number in range(1, 13):
            turn = make_turn(number, f"question {number}", LONG)
            sessions.store.append("s", replace(turn, summary=summary if number == 2 else None))
        asked(model, sessions, 1)
        assert model.asked[-1].messages[-1].text == "question 13"


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    """S4: a summary, whatever its text; a newer version's field is no guess."""
    summary = TurnSummary("half \ud800, '; DROP TABLE turn", 1, 2, 1, 3)
    path = tmp_path / "chats.db"
    with Sessions(path) as sessions:
        sessions.store.append("s", replace(make_turn(1), summary=summary))
        sessions.get("s").fork("copy")
        assert [sessions.get(name).turns()[0].summary for name in ("s", "copy")] == [summary] * 2
    import sqlite3

    with sqlite3.connect(path) as file:
        file.execute("UPDATE turn SET details = json_insert(details, '$.summary.style', 'short')")
    file.close()
    with Sessions(path) as sessions, pytest.raises(SessionError, match="newer version"):
        sessions.get("s").turns()
