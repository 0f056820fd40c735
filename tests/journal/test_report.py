"""What a journal tells of its agents, and what they have bought and done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from actors.agent.terms.effect import Effect
from actors.journal.journaled import EffectState, JournaledAgent, JournaledEffect, JournaledStatus
from actors.journal.report import (
    AT_ONCE,
    agents_of,
    effects_of,
)

from .filled import AT, Filled

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def file() -> Iterator[Filled]:
    """An empty one."""
    filled = Filled()
    yield filled
    filled.connection.close()


def agents(file: Filled, live: int | None = None) -> dict[str, JournaledAgent]:
    return {agent.key: agent for agent in agents_of(file.ask, lambda: live)}


def effects(file: Filled, key: str, live: int | None = None) -> dict[str, JournaledEffect]:
    found = effects_of(file.ask, lambda: live, key, lambda key, path, asides: f"{key}:{path}" + "~" * len(asides))
    return {effect.path: effect for effect in found}


def at(count: int) -> datetime:
    return datetime.fromtimestamp(AT + count, UTC)


def test_an_agent_that_completed(file: Filled) -> None:
    """Its figures are those of its outcome, which knows what was paid in vain, too."""
    file.begin("a")
    file.completion("a", 0)
    file.entry("a", "0.0", "begun", "tool", tool="pay", effect="at_most_once")
    file.entry("a", "0.0", "done", "tool", tool="pay", effect="at_most_once", content="paid", is_error=False)
    file.completion("a", 1)
    file.end("a")
    assert agents(file) == {
        "a": JournaledAgent(
            key="a",
            name="bot",
            parent=None,
            status=JournaledStatus.COMPLETED,
            processes=1,
            steps=3,
            bought=2,
            in_doubt=0,
            input_tokens=100,
            output_tokens=50,
            cost_usd=1.5,
            kept=True,
            pruned=False,
            process=1,
            admitted_at=at(1),
            started_at=at(2),
            ended_at=at(7),
            error=None,
        )
    }


def test_how_an_agent_stands_that_has_no_end(file: Filled) -> None:
    """Queued before its first slot; running while the process lives that began it, and interrupted then; it counts
    what its steps have cost. What was admitted in vain never was.
    """
    file.entry("queued", "", "admitted", name="bot", parent="a")
    file.entry("vain", "", "admitted", name="bot", parent=None)
    file.entry("vain", "", "refused")
    file.begin("b")
    file.completion("b", 0)
    file.process()
    file.entry("b", "", "begun")
    file.completion("b", 1)
    found = agents(file, live=2)
    assert list(found) == ["b", "queued"]
    assert (found["queued"].status, found["queued"].parent, found["queued"].started_at) == ("queued", "a", None)
    b = found["b"]
    assert (b.status, b.processes, b.process, b.bought) == ("running", 2, 2, 2)
    assert (b.input_tokens, b.output_tokens, b.cost_usd) == (20, 10, 0.5)
    assert agents(file)["b"].status == "interrupted"
    assert agents(file, live=1)["b"].status == "interrupted"


def test_an_error_in_words(file: Filled) -> None:
    """The class and what it says, without our package."""
    file.begin("a")
    file.end("a", "failed", error={"type": "actors.errors.ToolFailed", "message": "no \x1b account", "cause": None})
    agent = agents(file)["a"]
    assert (agent.status, agent.error) == ("failed", "ToolFailed: no \x1b account")
    file.process()
    file.entry("a", "", "begun")
    assert (agents(file)["a"].status, agents(file)["a"].error) == ("interrupted", None)


def test_what_is_in_doubt(file: Filled) -> None:
    """An effect that must not be repeated, and has no end: not while its process lives, unless its agent has ended; an
    idempotent one never is.
    """
    file.begin("a")
    file.completion("a", 0)
    file.entry("a", "0.0", "begun", "tool", tool="pay", effect="at_most_once")
    file.entry("a", "fetch", "begun", "step", name="fetch", effect="idempotent")
    assert effects(file, "a", live=1)["0.0"].state is EffectState.BEGUN
    assert agents(file, live=1)["a"].in_doubt == 0
    assert agents(file)["a"].in_doubt == 1
    assert {path: str(each.state) for path, each in effects(file, "a").items()} == {
        "0": "done",
        "0.0": "in doubt",
        "fetch": "begun",
    }
    file.process()
    file.entry("a", "", "begun")
    assert agents(file, live=2)["a"].in_doubt == 1
    file.entry("a", "0.0", "begun", "tool", tool="pay", effect="at_most_once")
    assert agents(file, live=2)["a"].in_doubt == 0
    file.end("a", "timed_out")
    assert agents(file, live=2)["a"].in_doubt == 1
    file.entry("a", "0.0", "done", "tool", tool="pay", effect="at_most_once", content="late", is_error=False)
    assert agents(file, live=2)["a"].in_doubt == 0


def test_what_was_set_aside_does_not_stand(file: Filled) -> None:
    """From a completion on, or all of it."""
    file.begin("a")
    for number in range(3):
        file.completion("a", number, f"answer {number}")
    file.entry("a", "fetch", "done", "step", name="fetch", effect="idempotent", value=1)
    file.entry("a", "", "aside", **{"from": "1", "what": "tools"})
    file.completion("a", 1, "another")
    assert {path: each.text for path, each in effects(file, "a").items()} == {
        "0": "answer 0",
        "fetch": "1",
        "1": "another",
    }
    file.entry("a", "", "aside", **{"from": "", "what": "query"})
    assert agents(file) == {}
    file.begin("a", name="new")
    assert (agents(file)["a"].name, agents(file)["a"].steps, agents(file)["a"].processes) == ("new", 0, 1)


def test_effects(file: Filled) -> None:
    """Each with its kind, name, state, and the first words of what it is."""
    file.begin("a")
    file.entry("a", "@memories", "done", "memories", texts=["one", "two"])
    file.entry("a", "0/@heard", "done", "heard", texts=["hello\nworld"])
    file.completion("a", 0, "", tool_calls=[{"id": "1", "name": "pay", "input": {"to": "me", "sum": 3}}])
    file.entry("a", "0.0/@approval", "done", "approval", approved=False, reason="too much", by_default=False)
    file.entry("a", "0.1/fetch", "begun", "step", name="fetch", effect="at_most_once")
    file.entry(
        "a",
        "0.1/fetch",
        "raised",
        "step",
        name="fetch",
        effect="at_most_once",
        error={"type": "KeyError", "message": "'x'"},
    )
    file.entry(
        "a",
        "0.2",
        "done",
        "tool",
        tool="ask_model",
        effect="idempotent",
        content="x" * 900,
        is_error=False,
        paid=[[{"input_tokens": 7, "output_tokens": 1}, 0.5]],
    )
    file.entry("a", "odd", "done", "step", name="odd", effect="idempotent", kept=False, type="socket.socket")
    found = effects(file, "a")
    assert [(e.path, e.kind, e.name, str(e.state), e.effect_key, e.text[:20]) for e in found.values()] == [
        ("@memories", "memories", "", "done", None, "one | two"),
        ("0/@heard", "heard", "", "done", None, "hello\nworld"),
        ("0", "completion", "m", "done", None, "pay(to=me, sum=3)"),
        ("0.0/@approval", "approval", "", "denied", None, "too much"),
        ("0.1/fetch", "step", "fetch", "raised", "a:0.1/fetch", "KeyError: 'x'"),
        ("0.2", "tool", "ask_model", "done", "a:0.2", "x" * 20),
        ("odd", "step", "odd", "done", "a:odd", "a socket.socket, whi"),
    ]
    assert len(found["0.2"].text) == 200
    assert (found["0.2"].input_tokens, found["0.2"].output_tokens, found["0.2"].cost_usd) == (7, 1, 0.5)
    assert (found["0.1/fetch"].seconds, found["0.2"].seconds) == (1.0, None)
    assert (found["0.2"].effect, found["0"].effect) == (Effect.IDEMPOTENT, None)
    assert (found["0"].process, found["0"].at) == (1, at(5))


def test_a_key_that_is_not_there(file: Filled) -> None:
    """A KeyError, which names the key that is most like it."""
    file.begin("invoices/march")
    with pytest.raises(KeyError) as raised:
        effects(file, "invoices/marsh")
    assert str(raised.value) == "the journal has no agent 'invoices/marsh', did you mean 'invoices/march'?"
    with pytest.raises(KeyError, match="agents\\(\\) lists those that it has"):
        effects(file, "x")


def test_many_agents_are_read_bit_by_bit(file: Filled) -> None:
    """In the order of their keys, and nothing is asked before it is wanted."""
    for number in range(2 * AT_ONCE + 5):
        file.begin(f"k{number:04}")
    asked = []

    def ask(sql: str, *values: object) -> list[tuple[object, ...]]:
        asked.append(sql)
        return file.ask(sql, *values)

    found = agents_of(ask, lambda: None)
    first = next(found)
    assert (first.key, len(asked)) == ("k0000", 2)
    assert [agent.key for agent in found] == [f"k{number:04}" for number in range(1, 2 * AT_ONCE + 5)]
    assert len(asked) == 7
