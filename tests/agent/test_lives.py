"""Random conversations, and processes that die after any line, against a model."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from actors import AgentPool, AgentStatus, JournalFailed, TokenUsage, ToolRegistry, ToolResultMessage
from actors.agent.ledger import InDoubt

from ..waiting import BOUND
from .doubles import Probe
from .ledgers import Desk
from .test_recalled import AT_ONCE, USAGE, Model, config, wants

if TYPE_CHECKING:
    from collections.abc import Sequence

TURNS = st.lists(st.lists(st.sampled_from(["pay", "look"]), min_size=1, max_size=3), max_size=4)
QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


class World:
    """What was done to it, by the numbers of the calls, and what was asked of the model."""

    def __init__(self, script: Sequence[Sequence[str]]) -> None:
        self.script = script
        self.done: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.pay, self.look = Probe(self._do, name="pay"), Probe(self._do, name="look")
        self.look.effect = "idempotent"  # type: ignore[attr-defined]

    def _do(self, input: Any, cancel: Any, agent: Any) -> str:  # noqa: A002
        with self._lock:
            self.done[input["n"]] += 1
        return f"did {input['n']}"

    @property
    def tools(self) -> ToolRegistry:
        """Both tools."""
        return ToolRegistry([self.pay, self.look])

    def answers(self) -> list[Any]:
        """What the model answers, turn by turn."""
        turns = (
            wants(*((name, {"n": f"{turn}.{number}"}) for number, name in enumerate(names)))
            for turn, names in enumerate(self.script)
        )
        return [*turns, "done"]

    def calls(self, name: str) -> list[str]:
        """The numbers of the calls of a tool."""
        return [
            f"{turn}.{number}"
            for turn, names in enumerate(self.script)
            for number, each in enumerate(names)
            if each == name
        ]


@given(script=TURNS, crashes=st.lists(st.integers(0, 4), max_size=4))
@QUICK
def test_restarts(script: list[list[str]], crashes: list[int]) -> None:
    """Wherever an agent crashes, how often ever: each answer is bought once, each call made once."""
    world = World(script)
    answers = world.answers()
    at = [turn % len(answers) for turn in crashes]
    model = Model(*([*([ValueError("boom")] * at.count(turn)), answer] for turn, answer in enumerate(answers)))
    with AgentPool(model.driver, tools=world.tools, restart=AT_ONCE, abort_timeout=BOUND) as pool:
        outcome = pool.spawn(config()).outcome(BOUND)
    calls = world.calls("pay") + world.calls("look")
    assert outcome.unwrap().text == "done"
    assert outcome.restarts == len(at)
    assert Counter(model.asked) == Counter(range(len(answers))) + Counter(at)
    assert world.done == Counter(calls)
    assert outcome.usage == TokenUsage(10 * len(answers), 5 * len(answers))
    assert outcome.tool_calls == len(calls)


@pytest.mark.parametrize("policy", list(InDoubt))
@given(script=TURNS, deaths=st.lists(st.integers(0, 6), max_size=5), crash=st.none() | st.integers(0, 4))
@QUICK
def test_processes_that_die(policy: InDoubt, script: list[list[str]], deaths: list[int], crash: int | None) -> None:
    """After any line. What is on paper is a prefix; nothing that stands there is bought or done again; what must be
    done at most once is done at most once, but where somebody has approved it.
    """
    world, desk = World(script), Desk(policy)
    answers = world.answers()
    if crash is not None and crash < len(answers):
        answers[crash] = [ValueError("boom"), answers[crash]]
    model, paper, approved = Model(*answers), desk.papers["bot"], [0]

    def approve(event: Any) -> None:
        if type(event).__name__ == "ApprovalRequested":
            approved[0] += 1
            pool.approve(event.agent_id, event.call_id)

    for room in [*deaths, None]:
        known, before, paper.room = set(paper.paths()), Counter(model.asked), room
        done = world.done.copy()
        with desk.process(model.driver, tools=world.tools, restart=AT_ONCE, on_event=approve) as pool:
            outcome = pool.spawn(config()).outcome(BOUND)
        again = {str(turn) for turn in Counter(model.asked) - before}
        again |= set(world.done - done)
        assert not again & known
        is_prefix(paper.paths())
        if room is not None and paper.room == 0:
            assert outcome.status in (AgentStatus.FAILED, AgentStatus.COMPLETED)
            assert (
                outcome.status is AgentStatus.COMPLETED
                or isinstance(outcome.error, JournalFailed)
                or (policy is InDoubt.FAIL)
            )
    assert max((world.done[call] for call in world.calls("pay")), default=0) <= 1 + approved[0]
    if policy is InDoubt.FAIL and outcome.status is not AgentStatus.COMPLETED:
        assert {"0." in path or "." in path for path in paper.paths("begun")} == {True}
        return
    result = outcome.unwrap()
    told = [message.content for message in result.messages if isinstance(message, ToolResultMessage)]
    numbers = [f"{turn}.{number}" for turn, names in enumerate(script) for number in range(len(names))]
    for number, text in zip(numbers, told, strict=True):
        assert text == f"did {number}" or (policy is InDoubt.TELL and "may or may not" in text)
    assert (result.text, outcome.usage) == ("done", USAGE if not script else outcome.usage)
    assert outcome.usage.total == 15 * len(answers)
    assert outcome.tool_calls == len(numbers)


def is_prefix(paths: list[str]) -> None:
    """No completion stands there without the ends of all calls before it."""
    for place, path in enumerate(paths):
        if "." not in path and path.isdecimal():
            assert [str(turn) for turn in range(int(path))] == [each for each in paths[:place] if each.isdecimal()]
