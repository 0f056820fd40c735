"""Calls that were begun, and of which nobody knows whether they were done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    AgentStatus,
    ApprovalRequested,
    EffectInDoubt,
    ToolRegistry,
    ToolResult,
    needs_approval,
    tool,
)
from actors.agent.ledger import DONE, InDoubt

from ..waiting import BOUND
from .doubles import Probe
from .ledgers import Desk
from .test_recalled import AT_ONCE, Model, config, wants

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import Event

PAY = ("pay", {"amount": 5})


class Reconciled(Probe):
    """A tool that says itself whether it was done."""

    def __init__(self, look: Callable[[str, Any], Any], **fields: Any) -> None:
        super().__init__(name="pay", **fields)
        self.look = look
        self.looked: list[tuple[str, Any]] = []

    def reconcile(self, effect_key: str, input: Any) -> Any:  # noqa: A002
        """Look."""
        self.looked.append((effect_key, dict(input)))
        return self.look(effect_key, input)


def begun(desk: Desk, pay: Any, *more: tuple[str, dict[str, Any]], tools: tuple[Any, ...] = (), **fields: Any) -> Model:
    """A model whose agent died when its call of *pay* was begun, and those of *more* were done."""
    model = Model(wants(PAY, *more), "done")
    with desk.process(model.driver, tools=ToolRegistry([pay, *tools])) as pool:
        pool.spawn(config(**fields)).outcome(BOUND)
    paper = desk.papers["bot"]
    ends = {f"0.{number}" for number in range(1, len(more) + 1)}
    paper.lines = [line for line in paper.lines if line[0] in ("0", *ends) or line[:2] == ("0.0", "begun")]
    return model


def resumed(desk: Desk, model: Model, *tools: Any, **fields: Any) -> Any:
    """The outcome of the next process."""
    with desk.process(model.driver, tools=ToolRegistry(tools), **fields) as pool:
        return pool.spawn(config()).outcome(BOUND)


def told(outcome: Any, number: int = 0) -> Any:
    """What the model was told of a call."""
    return outcome.unwrap().messages[2 + number]


def test_the_model_is_told() -> None:
    """That it may or may not have been done, under which key, and not to repeat it blindly; the same ever after."""
    pay, desk = Probe(name="pay"), Desk()
    model = begun(desk, pay)
    outcome = resumed(desk, model, pay)
    message = told(outcome)
    key = desk.ledgers[-1].effect_key("0.0")
    assert message.is_error
    assert all(part in message.content for part in ("pay", "may or may not have been done", key, "Do not simply call"))
    assert (len(pay.calls), outcome.tool_calls) == (1, 1)
    assert resumed(desk, model, pay).unwrap() == outcome.unwrap()
    assert model.asked == [0, 1, 1]


def test_one_done_and_one_in_doubt() -> None:
    """What is done is recalled; only the other is in doubt."""
    pay, note, desk = Probe(name="pay"), Probe(), Desk()
    model = begun(desk, pay, ("note", {"n": 1}), tools=(note,))
    outcome = resumed(desk, model, pay, note)
    assert "may or may not" in told(outcome).content
    assert told(outcome, 1).content == "done"
    assert (len(pay.calls), len(note.calls), outcome.tool_calls) == (1, 1, 2)


def test_idempotent_ones_are_run_again() -> None:
    """With the same key."""
    keys: list[str] = []

    @tool(effect="idempotent")
    def pay(amount: int, effect_key: str) -> str:
        """Pays."""
        keys.append(effect_key)
        return f"paid {amount}"

    desk = Desk()
    model = begun(desk, pay)
    desk.papers["bot"].lines.append(("0.0", "begun", "tool", "", '{"effect":"at_most_once","tool":"pay"}'))
    outcome = resumed(desk, model, pay)
    assert told(outcome).content == "paid 5"
    assert keys == [desk.ledgers[0].effect_key("0.0")] * 2


@pytest.mark.parametrize("said", ["paid before", ToolResult("refused", is_error=True), {"receipt": 7}])
def test_it_was_done(said: Any) -> None:
    """What reconcile returns is the result."""
    pay, desk = Reconciled(lambda key, input: said), Desk()  # noqa: A006
    model = begun(desk, pay)
    outcome = resumed(desk, model, pay)
    expected = {"paid before": ("paid before", False)}.get(said if isinstance(said, str) else "")
    if isinstance(said, ToolResult):
        expected = (said.content, True)
    assert (told(outcome).content, told(outcome).is_error) == (expected or ('{"receipt": 7}', False))
    assert pay.looked == [(desk.ledgers[0].effect_key("0.0"), {"amount": 5})]
    assert len(pay.calls) == 1
    resumed(desk, model, pay)
    assert len(pay.looked) == 1


def test_it_was_not_done() -> None:
    """None: it is run, with the same key, and is in doubt anew when the process dies again."""
    pay, desk = Reconciled(lambda key, input: None), Desk()  # noqa: A006
    model = begun(desk, pay)
    outcome = resumed(desk, model, pay)
    assert told(outcome).content == "done"
    assert len(pay.calls) == 2
    assert desk.papers["bot"].paths("begun") == ["0.0", "0.0"]


def test_its_word_is_no_result() -> None:
    """Then it says nothing, and what cannot be told to a model ends no agent."""
    pay, desk = Reconciled(lambda key, input: ToolResult(5)), Desk()  # type: ignore[arg-type]  # noqa: A006
    outcome = resumed(desk, begun(desk, pay), pay)
    assert "may or may not have been done" in told(outcome).content
    assert len(pay.calls) == 1


@pytest.mark.parametrize("policy", ["tell", "fail"])
def test_it_cannot_tell(policy: str, agent_log: list[str]) -> None:
    """It is in doubt, by the policy."""

    def look(key: str, input: Any) -> Any:  # noqa: A002
        raise ConnectionError("the bank is closed")

    pay, desk = Reconciled(look), Desk(InDoubt(policy))
    model = begun(desk, pay)
    outcome = resumed(desk, model, pay)
    assert len(pay.calls) == 1
    assert any("the bank is closed" in line for line in agent_log)
    if policy == "tell":
        assert "may or may not" in told(outcome).content
    else:
        assert isinstance(outcome.error, EffectInDoubt)


def test_the_agent_fails() -> None:
    """With what it takes to look: key of the agent, path, key of the effect. It stays so until it is settled."""
    pay, desk = Probe(name="pay"), Desk(InDoubt.FAIL)
    model = begun(desk, pay, key="k")
    paper = desk.papers["bot"] = desk.papers["k"]
    paper.lines = [line for line in paper.lines if line[:2] in (("0", "done"), ("0.0", "begun"))]
    for _ in range(2):
        with desk.process(model.driver, tools=ToolRegistry([pay])) as pool:
            outcome = pool.spawn(config(key="k")).outcome(BOUND)
        error = outcome.error
        assert outcome.status is AgentStatus.FAILED
        assert isinstance(error, EffectInDoubt)
        assert (error.key, error.path, error.effect_key) == ("k", "0.0", desk.ledgers[-1].effect_key("0.0"))
    assert len(pay.calls) == 1
    desk.in_doubt = InDoubt.TELL
    with desk.process(model.driver, tools=ToolRegistry([pay])) as pool:
        assert pool.spawn(config(key="k")).outcome(BOUND).status is AgentStatus.COMPLETED


@pytest.mark.parametrize("approved", [True, False])
@pytest.mark.parametrize("has_rule", [True, False])
def test_somebody_is_asked(approved: bool, has_rule: bool) -> None:
    """Approve runs it, deny tells the model; a rule that approves in silence does not count, nor an approval of old."""
    probe = Probe(name="pay")
    pay = needs_approval(probe) if has_rule else probe
    desk = Desk(InDoubt.ASK)
    asked: list[Event] = []

    def answer(event: Event) -> None:
        if isinstance(event, ApprovalRequested):
            asked.append(event)
            (pool.approve if approved else pool.deny)(event.agent_id, event.call_id)

    model = Model(wants(PAY), "done")
    with desk.process(model.driver, tools=ToolRegistry([pay]), on_event=None) as pool:
        handle = pool.spawn(config())
        if has_rule:
            while not handle.approve("c1"):
                pass
        handle.outcome(BOUND)
    paper = desk.papers["bot"]
    paper.lines = [line for line in paper.lines if line[:2] in (("0", "done"), ("0.0", "begun")) or "@" in line[0]]
    with desk.process(model.driver, tools=ToolRegistry([pay]), on_event=answer) as pool:
        outcome = pool.spawn(config()).outcome(BOUND)
    assert [(event.in_doubt, event.default) for event in asked] == [(True, "deny")]  # type: ignore[attr-defined]
    assert (told(outcome).content == "done") is approved
    assert len(probe.calls) == 1 + approved
    assert paper.paths()[-3:] == ["0.0/@approval~2", "0.0", "1"]
    resumed(desk, model, pay, on_event=answer)
    assert len(asked) == 1


def test_each_doubt_is_asked_of_by_itself() -> None:
    """Who approved it once more has not approved it for ever."""
    pay, desk = Probe(name="pay"), Desk(InDoubt.ASK)
    model = begun(desk, pay)
    paper = desk.papers["bot"]
    paths = []

    def answer(event: Event) -> None:
        if isinstance(event, ApprovalRequested):
            pool.approve(event.agent_id, event.call_id)

    for _ in range(2):
        with desk.process(model.driver, tools=ToolRegistry([pay]), on_event=answer) as pool:
            pool.spawn(config()).outcome(BOUND).unwrap()
        paths.append([line[0] for line in paper.lines if "@" in line[0]])
        paper.lines = [line for line in paper.lines if line[:2] != ("0.0", "done") and line[0] != "1"]
    assert paths == [["0.0/@approval~2"], ["0.0/@approval~2", "0.0/@approval~3"]]
    assert len(pay.calls) == 3


def test_a_life_that_ended_in_between() -> None:
    """In one process it is the same: nobody knows."""
    pay = Probe(name="pay")
    is_first = [True]

    def enter(original: Any) -> Any:
        def enter(path: str, state: Any, *rest: Any, **more: Any) -> None:
            if path == "0.0" and state is DONE and is_first:
                is_first.clear()
                return
            original(path, state, *rest, **more)

        return enter

    class Forgetful(Desk):
        def record(self, identity: Any) -> Any:
            made = super().record(identity)
            made.ledger.enter = enter(made.ledger.enter)  # type: ignore[method-assign]
            return made

    desk = Forgetful()
    model = Model(wants(PAY), [ValueError("boom"), "done"])
    with desk.process(model.driver, tools=ToolRegistry([pay]), restart=AT_ONCE) as pool:
        outcome = pool.spawn(config()).outcome(BOUND)
    assert "may or may not" in told(outcome).content
    assert (len(pay.calls), outcome.tool_calls) == (1, 1)


def test_words_that_are_none() -> None:
    """A tool whose effect is no word is refused when it is registered."""
    pay = Probe(name="pay")
    pay.effect = "often"  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="often"):
        ToolRegistry([pay])
