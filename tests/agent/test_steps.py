"""Effects of an agent of one's own."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from actors import (
    AgentPool,
    AgentStatus,
    EffectInDoubt,
    JournalFailed,
    RemoteError,
    ToolRegistry,
    tool,
)
from actors.agent.ledger import next_child_path, quoted_name

from ..waiting import BOUND, Gate
from .doubles import doing
from .ledgers import Desk
from .test_recalled import AT_ONCE, Model, config, wants

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import AgentOutcome


class World:
    """Counts what is done to it."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def pay(self, amount: Any = 1, *, result: Any = "receipt", error: BaseException | None = None) -> Any:
        """Pay."""
        self.done.append(amount)
        if error is not None:
            raise error
        return result


def once(desk: Desk, fn: Callable[[Any, Any], Any], **fields: Any) -> AgentOutcome[Any]:
    """The outcome of an agent that runs *fn* in a process of its own."""
    with desk.process(**fields) as pool:
        return pool.spawn(doing(fn)).outcome(BOUND)


def begun_only(desk: Desk) -> None:
    """The process died when its last step was begun."""
    paper = desk.papers["doing"]
    paper.lines = [line for line in paper.lines if line[1] == "begun"]


# Once -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["at_most_once", "idempotent"])
def test_what_is_done_is_not_done_again(effect: Any) -> None:
    """Its result comes from the ledger, in this process and in the next."""
    world, desk, crashes = World(), Desk(), iter([True, False, False])
    given = {"a": [1, 2.5, None, True, "\ud800"]}

    def run(agent: Any, _: Any) -> Any:
        result = agent.step("pay", world.pay, 7, result=given, effect=effect)
        if next(crashes):
            result["a"].clear()
            given["a"].clear()
            raise ValueError("boom")
        return result

    outcomes = [once(desk, run, restart=AT_ONCE), once(desk, run)]
    assert [outcome.unwrap() for outcome in outcomes] == [{"a": [1, 2.5, None, True, "\ud800"]}] * 2
    assert world.done == [7]
    assert [line[:2] for line in desk.papers["doing"].lines] == [
        *([("pay", "begun")] if effect == "at_most_once" else []),
        ("pay", "done"),
    ]


def test_without_a_ledger_it_is_a_call() -> None:
    """With its arguments; what it raises, it raises."""
    world = World()

    def run(agent: Any, _: Any) -> Any:
        with pytest.raises(KeyError, match="x"):
            agent.step("pay", world.pay, 2, error=KeyError("x"))
        return agent.step("pay", world.pay, 1, result={1, 2}), agent.step("pay", world.pay, 1)

    with AgentPool() as pool:
        assert pool.spawn(doing(run)).result(BOUND) == ({1, 2}, "receipt")
    assert world.done == [2, 1, 1]


def test_a_restart_without_a_journal() -> None:
    """What was done is not done again, whatever its result; what raised is called again."""
    world, seen, crashes = World(), object(), iter([True, False])
    errors = iter([ValueError("once"), None, None])

    def run(agent: Any, _: Any) -> Any:
        result = agent.step("pay", world.pay, "first", result=seen)
        agent.step("raises", world.pay, "second", error=next(errors))
        if next(crashes):
            raise ValueError("boom")
        return result is seen

    with AgentPool(restart=AT_ONCE) as pool:
        outcome = pool.spawn(doing(run)).outcome(BOUND)
    assert outcome.unwrap() is True
    assert outcome.restarts == 2
    assert world.done == ["first", "second", "second"]


def test_names() -> None:
    """Used again they get a number; none can be taken for another thing that stands in a ledger."""
    world, desk = World(), Desk()
    odd = ["pay", "pay", "a/b", "a~2", "3", "3.1", "@memories", "100%", "\ud800", "ü", "#1"]

    def run(agent: Any, _: Any) -> Any:
        return [agent.step(name, world.pay, result=number) for number, name in enumerate(odd)]

    assert once(desk, run).unwrap() == once(desk, run).unwrap() == list(range(len(odd)))
    paths = desk.papers["doing"].paths()
    assert paths[:2] == ["pay", "pay~2"]
    assert len(set(paths)) == len(odd) == len(world.done)
    assert not any(re.match(r"[0-9.]+$|@", path) or "/" in path for path in paths)
    assert [line[4] for line in desk.papers["doing"].lines if '"a/b"' in line[4]]


def test_quoted_names_are_apart() -> None:
    """A name that looks quoted is quoted again."""
    names = ["3", "%33", "%2533", "a/b", "a%2Fb", "@x", "%40x"]
    assert len({quoted_name(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("args", "fields", "error", "words"),
    [
        (("", len, ()), {}, ValueError, "name of a step"),
        (("x" * 501, len, ()), {}, ValueError, "501"),
        ((5, len, ()), {}, TypeError, "text"),
        (("pay", 5), {}, TypeError, "function"),
        (("pay", len, ()), {"effect": "often"}, ValueError, "often"),
        (("pay", len, ()), {"reconcile": 5}, TypeError, "reconcile"),
    ],
)
@pytest.mark.parametrize("is_recorded", [True, False])
def test_what_is_no_step(args: Any, fields: Any, error: type[Exception], words: str, is_recorded: bool) -> None:
    """Is refused, with and without a journal."""

    def run(agent: Any, _: Any) -> None:
        with pytest.raises(error, match=words):
            agent.step(*args, **fields)

    if is_recorded:
        assert once(Desk(), run).status is AgentStatus.COMPLETED
    else:
        with AgentPool() as pool:
            assert pool.spawn(doing(run)).outcome(BOUND).status is AgentStatus.COMPLETED


def test_an_async_function_is_refused() -> None:
    """Its effect would be over before it has begun."""

    async def pay() -> None:
        pass

    def run(agent: Any, _: Any) -> None:
        with pytest.raises(TypeError, match="async"):
            agent.step("pay", pay)

    assert once(Desk(), run).status is AgentStatus.COMPLETED


def test_two_at_once_under_one_name() -> None:
    """Nobody could say the next time which is which; names of their own do, and so does one after the other."""
    gate, world, desk = Gate(), World(), Desk()

    def slow() -> str:
        gate.arrive()
        return "slow"

    def run(agent: Any, _: Any) -> Any:
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(agent.step("pay", slow)))
        thread.start()
        gate.await_reached()
        with pytest.raises(ValueError, match="under way"):
            agent.step("pay", world.pay)
        other = agent.step("other", world.pay)
        gate.open()
        thread.join(BOUND)
        return [*results, other, agent.step("pay", world.pay)]

    assert once(desk, run).unwrap() == ["slow", "receipt", "receipt"]
    assert sorted(desk.papers["doing"].paths()) == ["other", "pay", "pay~2"]


def test_steps_inside_tools() -> None:
    """Belong to the call: parallel calls do not depend on who was first; what the call has done is not done again."""
    world, desk = World(), Desk()

    @tool(effect="idempotent")
    def order(what: str, agent: Any) -> str:
        """Orders."""
        return str(agent.step("pay", world.pay, what, result=f"paid {what}"))

    model = Model(wants(("order", {"what": "a"}), ("order", {"what": "b"})), "done")
    with desk.process(model.driver, tools=ToolRegistry([order])) as pool:
        pool.spawn(config()).outcome(BOUND).unwrap()
    paper = desk.papers["bot"]
    assert sorted(paper.paths()) == ["0", "0.0", "0.0/pay", "0.1", "0.1/pay", "1"]
    paper.lines = [line for line in paper.lines if line[0] not in ("0.0", "0.1", "1")]
    with desk.process(model.driver, tools=ToolRegistry([order])) as pool:
        outcome = pool.spawn(config()).outcome(BOUND)
    assert [message.content for message in outcome.unwrap().messages[2:4]] == ["paid a", "paid b"]
    assert sorted(world.done) == ["a", "b"]


def test_steps_inside_steps() -> None:
    """Have paths of their own."""
    world, desk = World(), Desk()

    def run(agent: Any, _: Any) -> Any:
        return agent.step("outer", lambda: agent.step("inner", world.pay), effect="idempotent")

    assert once(desk, run).unwrap() == once(desk, run).unwrap() == "receipt"
    assert desk.papers["doing"].paths() == ["outer/inner", "outer"]
    assert world.done == [1]


# In doubt -------------------------------------------------------------------------------------------------------


def test_in_doubt() -> None:
    """It raises, with what it takes to look; an idempotent one is done again."""
    world, desk = World(), Desk()

    def run(agent: Any, _: Any) -> Any:
        return agent.step("pay", world.pay)

    once(desk, run)
    begun_only(desk)
    outcome = once(desk, run)
    error = outcome.error
    assert outcome.status is AgentStatus.FAILED
    assert isinstance(error, EffectInDoubt)
    assert (error.path, error.effect_key) == ("pay", desk.ledgers[-1].effect_key("pay"))
    assert "'pay'" in str(error)
    assert error.effect_key in str(error)
    assert world.done == [1]
    assert once(desk, lambda agent, _: agent.step("pay", world.pay, effect="idempotent")).unwrap() == "receipt"
    assert world.done == [1, 1]


@pytest.mark.parametrize("said", ["was paid", None, ConnectionError("closed")])
def test_reconcile(said: Any) -> None:
    """A result: it was done; None: it is done now; what it raises: it is in doubt."""
    world, desk = World(), Desk()
    looked: list[Any] = []

    def look(key: str, input: Any) -> Any:  # noqa: A002
        looked.append((key, input))
        if isinstance(said, Exception):
            raise said
        return said

    def run(agent: Any, _: Any) -> Any:
        return agent.step("pay", world.pay, 7, result="now", reconcile=look)

    once(desk, run)
    begun_only(desk)
    outcome = once(desk, run)
    assert looked == [(desk.ledgers[0].effect_key("pay"), {"amount": 7, "result": "now"})]
    if isinstance(said, Exception):
        assert isinstance(outcome.error, EffectInDoubt)
        assert "closed" in str(outcome.error)
    else:
        assert outcome.unwrap() == (said or "now")
        assert once(desk, run).unwrap() == (said or "now")
    assert world.done == [7] * (2 if said is None else 1)


def test_what_raised() -> None:
    """Is noted; met again it is in doubt, and says what it raised."""
    world, desk = World(), Desk()

    def run(agent: Any, _: Any) -> Any:
        return agent.step("pay", world.pay, 3, error=ConnectionResetError("cut off"))

    assert once(desk, run).status is AgentStatus.CRASHED
    error = once(desk, run).error
    assert isinstance(error, EffectInDoubt)
    assert "ConnectionResetError: cut off" in str(error)
    assert isinstance(error.__cause__, RemoteError)
    assert error.__cause__.type_name == "ConnectionResetError"
    assert world.done == [3]
    outcome = once(desk, lambda agent, _: agent.step("pay", world.pay, 4, reconcile=lambda key, input: None))  # noqa: A006
    assert outcome.unwrap() == "receipt"
    assert world.done == [3, 4]


def test_what_raised_is_in_doubt_in_the_same_process_too() -> None:
    """With a journal a restart does not do it again."""
    world, desk = World(), Desk()

    def run(agent: Any, _: Any) -> Any:
        return agent.step("pay", world.pay, error=ValueError("boom"))

    outcome = once(desk, run, restart=AT_ONCE)
    assert isinstance(outcome.error, EffectInDoubt)
    assert world.done == [1]


def test_an_idempotent_one_that_raised() -> None:
    """Nothing is noted: it is done again."""
    world, desk, errors = World(), Desk(), iter([ValueError("boom"), None])

    def run(agent: Any, _: Any) -> Any:
        return agent.step("pay", world.pay, error=next(errors), effect="idempotent")

    once(desk, run)
    assert desk.papers["doing"].lines == []
    assert once(desk, run).unwrap() == "receipt"
    assert world.done == [1, 1]


def test_a_cancel_leaves_it_open() -> None:
    """Nobody knows what was done until it came."""
    desk, gate = Desk(), Gate()

    def run(agent: Any, _: Any) -> Any:
        def wait() -> None:
            gate.note()
            agent.sleep(BOUND)

        return agent.step("pay", wait)

    with desk.process() as pool:
        handle = pool.spawn(doing(run))
        gate.await_reached()
        handle.cancel()
        assert handle.outcome(BOUND).status is AgentStatus.CANCELLED
    assert [line[1] for line in desk.papers["doing"].lines] == ["begun"]


# Results --------------------------------------------------------------------------------------------------------


class Receipt(BaseModel):
    """What was paid."""

    number: int


@dataclass(frozen=True)
class Pair:
    """A pair."""

    one: bytes
    two: tuple[int, ...]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Receipt(number=7), Receipt),
        ([Receipt(number=7)], list[Receipt]),
        (Pair(b"x", (1, 2)), Pair),
        ({1, 2}, set[int]),
        ((1, "a"), tuple[int, str]),
    ],
    ids=str,
)
def test_results_of_a_type(value: Any, kind: Any) -> None:
    """Come back as such."""
    world, desk = World(), Desk()

    def run(agent: Any, _: Any) -> Any:
        return agent.step("pay", world.pay, result=value, result_type=kind)

    first, second = once(desk, run).unwrap(), once(desk, run).unwrap()
    assert first == second == value
    assert type(second) is type(value)
    assert world.done == [1]


@pytest.mark.parametrize(
    ("value", "kind"),
    [(value, None) for value in ((1, 2), {1}, object(), float("nan"), {1: 2}, b"x", Receipt(number=1))]
    + [(5, World), (World(), World)],  # of which pydantic makes nothing
    ids=lambda value: type(value).__name__,
)
def test_results_that_are_not_kept(value: Any, kind: Any) -> None:
    """They are returned; the next process does an idempotent one again, and cannot do another."""
    world, desk = World(), Desk()

    def run(agent: Any, _: Any) -> Any:
        agent.step("again", world.pay, "again", result=value, effect="idempotent", result_type=kind)
        agent.step("pay", world.pay, "pay", result=value, result_type=kind)
        agent.step("pay 2", world.pay, "pay 2", result=value, reconcile=lambda key, input: "known")  # noqa: A006
        return "done"

    assert once(desk, run).unwrap() == "done"
    assert len(set(desk.ledgers[0].types)) == 1
    error = once(desk, run).error
    assert isinstance(error, EffectInDoubt)
    assert "was done, its result was not kept: give result_type" in str(error)
    assert world.done == ["again", "pay", "pay 2", "again"]


def test_a_type_that_reads_it_no_more() -> None:
    """As if it had not been kept."""
    world, desk = World(), Desk()
    once(desk, lambda agent, _: agent.step("pay", world.pay, result="x"))
    error = once(desk, lambda agent, _: agent.step("pay", world.pay, result_type=Receipt)).error
    assert isinstance(error, EffectInDoubt)
    assert world.done == [1]


@pytest.mark.parametrize("effect", ["at_most_once", "idempotent"])
def test_after_a_failed_write(effect: Any) -> None:
    """What cannot be recorded is not begun."""
    counts = []
    for room in range(3):
        world, desk = World(), Desk()
        desk.papers["doing"].room = room

        def run(agent: Any, _: Any, world: World = world) -> Any:
            return agent.step("pay", world.pay, effect=effect)

        assert isinstance(once(desk, run).error, JournalFailed) is (room < 1 + (effect == "at_most_once"))
        counts.append(len(world.done))
    assert counts == [0, 1, 1]


# Children -------------------------------------------------------------------------------------------------------


def test_where_children_are_started() -> None:
    """By the effect in which they are, and a count within it: the same in each life."""
    paths: list[str] = []
    crashes = iter([True, False])

    @tool
    def spawns(agent: Any) -> str:
        """Counts."""
        paths.extend(next_child_path(agent) for _ in range(2))
        return "spawned"

    def run(agent: Any, _: Any) -> None:
        paths.extend(next_child_path(agent) for _ in range(2))
        agent.step("step", lambda: paths.append(next_child_path(agent)), effect="idempotent")
        if next(crashes):
            raise ValueError("boom")

    once(Desk(), run, restart=AT_ONCE)
    assert paths == ["#1", "#2", "step#1", "#1", "#2"]
    paths.clear()
    model = Model(wants(("spawns", {})), "done")
    with Desk().process(model.driver, tools=ToolRegistry([spawns])) as pool:
        pool.spawn(config()).outcome(BOUND).unwrap()
    assert paths == ["0.0#1", "0.0#2"]
    with AgentPool() as pool:
        assert pool.spawn(doing(lambda agent, _: next_child_path(agent))).result(BOUND) == ""
