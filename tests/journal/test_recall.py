"""Outcomes are kept, and come back in the next process: nothing is run for them."""

from __future__ import annotations

import dataclasses
import math
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from pydantic import BaseModel

from actors import (
    Agent,
    AgentEnded,
    AgentError,
    AgentLoopResult,
    AgentManifest,
    AgentPool,
    AgentStatus,
    Attachment,
    Backoff,
    Budget,
    CompletionResponse,
    FunctionDriver,
    Journal,
    ModelNotFound,
    NetworkError,
    RemoteError,
    ResourceLimits,
    RestartPolicy,
    ScriptedDriver,
    Spawn,
    SpawnConfig,
    StopReason,
    TokenUsage,
)
from actors.testing import Cassette

from ..waiting import BOUND
from .programs import MANIFEST, Counting, World, entries, run, states

if TYPE_CHECKING:
    from pathlib import Path

    from actors import AgentOutcome

LONE = "half \ud83d of a pair"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


@pytest.mark.parametrize(
    "result",
    [{"a": [1, 2.5, True, None]}, "text", LONE, "", 0, [], None, 10**300, 1e300],
    ids=lambda value: repr(value)[:12],
)
def test_what_completed_comes_back_without_being_run(path: Path, result: Any) -> None:
    """Exactly as it was, and it says that it was recalled."""
    world = World(q=lambda _: result)
    (first,) = run(path, [world.config("q")])
    (again,) = run(path, [world.config("q", tag=7)])
    assert (first.result, first.recalled) == (result, False)
    assert (again.status, again.result, again.recalled, again.tag) == (AgentStatus.COMPLETED, result, True, 7)
    assert type(again.result) is type(result)
    assert world.runs["q"] == 1
    assert states(path, str(first.key)) == ["admitted", "begun", "ended"]


def test_an_outcome_comes_back_with_all_its_fields(path: Path) -> None:
    """But for the id, which belongs to the process."""
    world = World()
    (first,) = run(path, [world.config("q", key="k")])
    other, again = run(path, [world.config("other"), world.config("q", key="k")])
    assert (other.agent_id, again.agent_id) == (1, 2)
    assert again == first.model_copy(update={"agent_id": 2, "recalled": True})
    assert again.ended_at.tzinfo is not None


def answer(text: str, **more: Any) -> CompletionResponse:
    return CompletionResponse(text, StopReason.END_TURN, usage=TokenUsage(100, 20, reasoning_tokens=3), **more)


def test_the_answer_of_an_llm_agent_comes_back(path: Path) -> None:
    """As what it is, with its conversation, which the file has once; the driver is not asked."""
    config = SpawnConfig(MANIFEST, f"say {LONE}")
    driver = ScriptedDriver([answer(f"hello {LONE}", reasoning="hm")], usd_per_token=0.01)
    (first,) = run(path, [config], driver=driver)
    (again,) = run(path, [config], driver=ScriptedDriver([]))
    assert type(again.result) is AgentLoopResult
    assert again == first.model_copy(update={"recalled": True})
    assert again.result.messages == first.messages != ()
    assert again.usage == TokenUsage(100, 20, reasoning_tokens=3)
    (fields,) = [data["fields"] for _, _, state, data in entries(path) if state == "ended"]
    assert "messages" not in fields["result"][1]
    assert len(fields["messages"]) == 2


class Point(BaseModel):
    x: int
    day: date


def test_a_value_of_an_output_type_comes_back(path: Path) -> None:
    """By its type."""
    config = SpawnConfig(MANIFEST, "q", output_type=Point)
    point = Point(x=1, day=date(2026, 1, 2))
    (first,) = run(path, [config], driver=ScriptedDriver([answer(point.model_dump_json())]))
    (again,) = run(path, [config], driver=ScriptedDriver([]))
    assert first.result == again.result == point
    assert type(again.result) is Point


class Typed(Counting):
    result_type: ClassVar[Any] = set[Point | int]


def test_a_result_comes_back_by_the_type_that_its_class_names(path: Path) -> None:
    """Whatever pydantic can read and write."""
    world = World(q=lambda _: {1, 2})
    run(path, [world.config("q", agent=Typed)])
    (again,) = run(path, [world.config("q", agent=Typed)])
    assert (again.result, again.recalled, world.runs["q"]) == ({1, 2}, True, 1)


@dataclasses.dataclass
class Plain:
    x: int


CYCLE: list[Any] = []
CYCLE.append(CYCLE)
DEEP: list[Any] = []
for _ in range(200):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "result",
    [(1, 2), {1: "a"}, {1, 2}, math.nan, math.inf, object(), Plain(1), Point(x=1, day=date(2026, 1, 2)), b"x",
     type("Words", (str,), {})("x"), CYCLE, DEEP, 10**10_000, "\ud83d\ude00", {"a": [{"b": (1,)}]}],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_json_does_not_hold_exactly_is_not_kept(path: Path, result: Any, log_lines: list[str]) -> None:
    """The log says so, once for each type; the agent is run again the next time, and the file has one end of it."""
    world = World(q=lambda _: result, r=lambda _: result)
    for _ in range(2):
        first, second = run(path, [world.config("q"), world.config("r")])
        assert (first.recalled, second.recalled) == (False, False)
        assert first.result is result
    assert world.runs["q"] == 2
    said = [line for line in log_lines if "not kept" in line]
    assert len(said) == 2  # by each of the two processes
    assert type(result).__name__ in said[0]
    assert "result_type" in said[0]
    assert states(path, str(first.key)) == ["admitted", "begun", "ended", "begun"]


def test_a_type_that_reads_its_result_no_more_has_it_made_again(path: Path) -> None:
    """It is as if it had not been kept."""
    world = World(q=lambda _: {1, 2})
    run(path, [world.config("q", agent=Typed, key="k")])
    Typed.result_type = set[Point]
    try:
        (again,) = run(path, [world.config("q", agent=Typed, key="k")])
    finally:
        Typed.result_type = set[Point | int]
    assert (again.recalled, world.runs["q"]) == (False, 2)


class Nothing:
    """Pydantic makes nothing of it."""


def test_a_type_of_which_pydantic_makes_nothing_harms_nobody(path: Path) -> None:
    """What is of it is not kept; the agent has completed all the same, and plain results come back."""
    unreadable = type("Unreadable", (Counting,), {"result_type": Nothing})
    world = World(q=lambda _: Nothing(), r=5)
    first, second = ([world.config(query, agent=unreadable, key=query) for query in "qr"] for _ in range(2))
    assert [(one.status, one.recalled) for one in run(path, first)] == [("completed", False)] * 2
    assert [(one.status, one.recalled) for one in run(path, second)] == [("completed", False), ("completed", True)]


class MyError(AgentError):
    pass


@pytest.mark.parametrize("error", [MyError("no"), ValueError("no")])
def test_what_did_not_complete_is_run_again(path: Path, error: Exception) -> None:
    """Unless its status is final."""
    world = World(q=error)
    (first,) = run(path, [world.config("q")])
    world.answers["q"] = "yes"
    (again,) = run(path, [world.config("q")])
    assert first.status in (AgentStatus.FAILED, AgentStatus.CRASHED)
    assert (again.status, again.result, again.recalled, world.runs["q"]) == (AgentStatus.COMPLETED, "yes", False, 2)
    assert states(path, str(first.key)) == ["admitted", "begun", "ended", "begun", "ended"]


def test_a_failure_becomes_final_when_that_is_said_later(path: Path) -> None:
    """The next time it is not run again; what had completed is made of its steps, as it was to be run again."""
    world = World(q=MyError("no"))
    outcomes = []
    for final in ((), ("completed", "failed"), ("completed", "failed")):
        with Journal(path, final=final) as journal:
            outcomes.append(run(journal, [world.config("q", key="q"), world.config("r", key="r")]))
            assert journal.check() == []
    assert [[(one.status, one.recalled) for one in each] for each in outcomes] == [
        [("failed", False), ("completed", False)],
        [("failed", True), ("completed", False)],
        [("failed", True), ("completed", True)],
    ]
    assert str(outcomes[2][0].error).endswith("no")
    assert outcomes[2][0].started_at == outcomes[0][0].started_at


def test_a_failure_is_final_where_that_is_said(path: Path) -> None:
    """Then its error comes back; a class of a user's is told, and never imported."""
    world = World(q=MyError("no"))
    for _ in range(2):
        with Journal(path, final=("completed", "failed")) as journal:
            (outcome,) = run(journal, [world.config("q")])
    assert (outcome.status, outcome.recalled, world.runs["q"]) == (AgentStatus.FAILED, True, 1)
    assert isinstance(outcome.error, RemoteError)
    assert outcome.error.type_name.endswith("MyError")
    assert outcome.error.text == "no"


class Hooked(Counting):
    called: ClassVar[list[str]] = []

    def on_start(self) -> None:
        self.called.append("start")

    def on_end(self, outcome: AgentOutcome[Any]) -> None:
        self.called.append("end")


def test_who_is_recalled_is_not_built(path: Path) -> None:
    """No object, no hook, no approval, no driver; its end is told, and takes a slot as always."""
    world = World()
    run(path, [world.config("q", agent=Hooked)])
    Hooked.called.clear()
    seen: list[Any] = []
    with AgentPool(journal=path, on_event=seen.append) as pool:
        outcome = pool.spawn(world.config("q", agent=Hooked)).outcome(10)
    assert outcome.recalled
    assert Hooked.called == []
    assert [event.recalled for event in seen if isinstance(event, AgentEnded)] == [True]
    assert pool.stats().started == 1


def test_an_end_is_on_disk_before_anybody_sees_it(path: Path) -> None:
    """Also before the agent's own hook does."""
    seen: list[list[str]] = []

    class Looking(Counting):
        def on_end(self, outcome: AgentOutcome[Any]) -> None:
            seen.append(states(path, str(outcome.key)))

    run(path, [World().config("q", agent=Looking, key="k")])
    assert seen == [["admitted", "begun", "ended"]]


def test_what_was_spent_counts_for_budgets_again(path: Path) -> None:
    """Once for each process, and without being refused; the next one that asks is."""
    manifest = AgentManifest(name="m", resources=ResourceLimits(max_iterations=3))
    configs = [SpawnConfig(manifest, "one", key="1"), SpawnConfig(manifest, "two", key="2")]
    run(path, configs, driver=ScriptedDriver([answer("1"), answer("2")], usd_per_token=0.01))
    budget = Budget(max_tokens=150, name="the purse")
    again = run(
        path, [*configs, SpawnConfig(manifest, "three")], driver=ScriptedDriver([]), budget=budget, max_concurrent=1
    )
    assert [outcome.status for outcome in again] == ["completed", "completed", "failed"]
    assert budget.spent.tokens == 240
    assert budget.spent.iterations == 3  # the turn of the third began
    assert budget.spent.cost_usd == pytest.approx(2.4)
    assert type(again[2].error).__name__ == "TokensExceeded"


def test_figures_of_a_pool_have_what_was_recalled(path: Path) -> None:
    """As if it had been bought here: the totals are those of the whole run."""
    config = SpawnConfig(MANIFEST, "q")
    run(path, [config], driver=ScriptedDriver([answer("1")]))
    with AgentPool(ScriptedDriver([]), journal=path) as pool:
        pool.spawn(config).outcome(10)
        assert pool.stats().usage.total == 120


def test_a_driver_that_counts_in_other_numbers_does_no_harm(path: Path) -> None:
    """Whatever a user's driver puts into its figures, the outcome is kept."""

    class Odd(ScriptedDriver):
        def estimate_cost(self, usage: TokenUsage) -> float:
            return True

    config = SpawnConfig(MANIFEST, "q")
    (first,) = run(path, [config], driver=Odd([answer("1")]))
    (again,) = run(path, [config], driver=ScriptedDriver([]))
    assert (again.recalled, again.cost_usd) == (True, first.cost_usd)


def test_messages_that_are_none_are_not_kept(path: Path) -> None:
    """A driver of a user's puts into its answers what it pleases: the agent is run again from its ledger."""

    class Odd(ScriptedDriver):
        def complete(self, request: Any, *, cancel: Any = None) -> CompletionResponse:
            return answer("fine", attachment=Attachment("me", {"data": object()}))

    config = SpawnConfig(MANIFEST, "q")
    first, again = (run(path, [config], driver=Odd([]))[0] for _ in range(2))
    assert first.ok
    assert again.ok


def test_functions_are_not_recorded(path: Path) -> None:
    """Nothing is promised of them."""
    with AgentPool(journal=path) as pool:
        outcome = pool.submit(divmod, 7, 2).outcome(10)
    assert (outcome.result, outcome.key) == ((3, 1), None)
    assert entries(path) == []


@pytest.mark.parametrize("times", [1, 3])
def test_a_cancelled_agent_goes_on_the_next_time(path: Path, times: int, gate: Any) -> None:
    """Ctrl-C and the end of a pool are no end of the work."""

    def wait(agent: Counting) -> None:
        gate.note()
        agent.receive()

    world = World(q=wait)
    for _ in range(times):
        with AgentPool(journal=path) as pool:
            handle = pool.spawn(world.config("q"))
            gate.next()
            handle.cancel()
            assert handle.outcome(10).status == AgentStatus.CANCELLED
    world.answers["q"] = "done"
    (last,) = run(path, [world.config("q")])
    assert (last.result, world.runs["q"]) == ("done", times + 1)


def test_who_was_cancelled_in_the_queue_is_run_the_next_time(path: Path, gate: Any) -> None:
    """And an end that was final before stays so: a cancel in the queue takes nothing back."""
    world = World(hold=lambda _: gate.hold())
    run(path, [world.config("done")])
    with AgentPool(journal=path, max_concurrent=1, max_queued=None) as pool:
        pool.spawn(world.config("hold"))
        gate.await_reached()
        queued = [pool.spawn(world.config("done")), pool.spawn(world.config("new"))]
        for handle in queued:
            handle.cancel()
        assert [handle.outcome(10).status for handle in queued] == ["cancelled", "cancelled"]
        gate.open()
    done, new = run(path, [world.config("done"), world.config("new")])
    assert (done.recalled, new.recalled) == (True, False)
    assert world.runs == {"done": 1, "hold": 1, "new": 1}


def test_a_crash_of_the_journals_reading_harms_its_agent_alone(path: Path) -> None:
    """An end that was written by nobody of ours."""
    import sqlite3
    import zlib

    world = World()
    run(path, [world.config("q", key="k"), world.config("r")])
    text = '{"v":1,"status":"completed","kept":true,"fields":{}}'
    connection = sqlite3.connect(path)
    connection.execute(
        "UPDATE entry SET payload = ?, checksum = ? WHERE agent = 'k' AND state = 'ended'",
        (text, zlib.crc32(text.encode())),
    )
    connection.commit()
    connection.close()
    broken, whole = run(path, [world.config("q", key="k"), world.config("r")])
    assert broken.status == AgentStatus.FAILED
    assert "actors journal check" in str(broken.error)
    assert whole.recalled


def test_what_was_paid_for_no_answer(path: Path) -> None:
    """It is told and counted, bought nothing, and its place is taken by the next try."""
    paid = NetworkError("cut", retry_after=0.0)
    paid.tokens = (7, 3)
    answers: list[Any] = [paid, ModelNotFound("gone"), CompletionResponse("done", usage=TokenUsage(10, 5))]

    def answer(_: Any) -> Any:
        said = answers.pop(0)
        if isinstance(said, Exception):
            raise said
        return said

    def run_once() -> AgentOutcome[Any]:
        with AgentPool(FunctionDriver(answer), journal=path) as pool:
            return pool.spawn(SpawnConfig(MANIFEST, "q", key="k")).outcome(BOUND)

    assert isinstance(run_once().error, ModelNotFound)
    with Journal.read(path) as journal:
        (agent,), (effect,) = journal.agents(), journal.effects("k")
        assert journal.check() == []
    assert (agent.status, agent.steps, agent.bought, agent.input_tokens) == ("failed", 1, 0, 7)
    assert (effect.state, effect.path, effect.input_tokens, effect.text) == ("raised", "0", 7, "ModelNotFound: gone")
    with Cassette.from_journal(path) as cassette:
        assert cassette.unused == ()

    assert run_once().usage == TokenUsage(17, 8)
    with Journal.read(path) as journal:
        (agent,), (effect,) = journal.agents(), journal.effects("k")
        assert journal.check() == []
    assert (agent.status, agent.bought, agent.input_tokens) == ("completed", 1, 17)
    assert (effect.state, effect.input_tokens) == ("done", 17)
    with Cassette.from_journal(path) as cassette:
        assert len(cassette.unused) == 1


class Insisting(Agent[str]):
    """Has a child; when that fails it crashes, and in its first process it gives up."""

    gives_up: ClassVar[bool] = True

    def run(self, query: str) -> str:
        outcome = self.spawn(SpawnConfig(MANIFEST, query)).outcome()
        if outcome.error is not None:
            raise AgentError("no") if self.gives_up else RuntimeError("boom")
        return str(outcome.result.text)


def test_what_a_child_paid_for_no_answer_counts_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its parent is started again in a process that has counted it."""
    answers: list[Any] = [CompletionResponse("done", usage=TokenUsage(10, 5))]
    for _ in range(2):
        paid = NetworkError("cut", retry_after=0.0)
        paid.tokens = (7, 3)
        answers = [paid, ModelNotFound("gone"), *answers]

    def answer(_: Any) -> Any:
        said = answers.pop(0)
        if isinstance(said, Exception):
            raise said
        return said

    manifest = AgentManifest(name="insisting", capabilities=(Spawn(max_depth=1),))
    at_once = RestartPolicy(max_restarts=1, backoff=Backoff(base=0.0, jitter=0.0))
    seen = []
    for gives_up in (True, False):
        monkeypatch.setattr(Insisting, "gives_up", gives_up)
        with AgentPool(FunctionDriver(answer), journal=path, restart=at_once) as pool:
            seen.append(pool.spawn(SpawnConfig(manifest, "q", agent=Insisting, key="k")).outcome(BOUND))
            assert pool.stats().usage == seen[-1].usage_total
    assert [outcome.status for outcome in seen] == ["failed", "completed"]
    assert [outcome.usage_total for outcome in seen] == [TokenUsage(7, 3), TokenUsage(24, 11)]
