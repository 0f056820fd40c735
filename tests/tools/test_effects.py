"""What tools say of their effects, and the key of a call."""

from __future__ import annotations

import copy
import functools
import importlib
import pkgutil
from typing import TYPE_CHECKING, Any, NewType

import pytest

import actors.tools
from actors import (
    AgentManifest,
    AgentPool,
    CancelToken,
    ScriptedDriver,
    SpawnConfig,
    ToolRegistry,
    needs_approval,
    tool,
)
from actors.agent.effects import effect_of
from actors.agent.ledger import MemoryLedger, Scope, inside
from actors.agent.terms.effect import Effect
from actors.ports import CompletionResponse, StopReason, ToolCall, ToolDefinition, ToolResult
from actors.tools.memory_tools import memory_set
from actors.tools.tool import FunctionTool

from .isolated import keyed

if TYPE_CHECKING:
    from collections.abc import Mapping

IDEMPOTENT, AT_MOST_ONCE = Effect.IDEMPOTENT, Effect.AT_MOST_ONCE

BOUND = 30.0

BUILT_IN = {
    "read_file": IDEMPOTENT, "list_files": IDEMPOTENT, "find_files": IDEMPOTENT, "grep_files": IDEMPOTENT,
    "write_file": IDEMPOTENT, "edit_file": AT_MOST_ONCE, "run_command": AT_MOST_ONCE, "fetch_url": IDEMPOTENT,
    "memory_remember": AT_MOST_ONCE, "memory_recall": IDEMPOTENT, "memory_recall_shared": IDEMPOTENT,
    "memory_forget": IDEMPOTENT, "memory_set": IDEMPOTENT, "memory_get": IDEMPOTENT, "spawn_agent": IDEMPOTENT,
    "send_message": AT_MOST_ONCE, "wait_for_message": IDEMPOTENT, "list_agents": IDEMPOTENT, "ask_model": IDEMPOTENT,
    "search_documents": IDEMPOTENT,
}  # fmt: skip
"""Every tool of the package: a new one is declared here, too, after a thought."""


def call(made: Any, **arguments: Any) -> ToolResult:
    result: ToolResult = made.execute(arguments, cancel=CancelToken(), agent=None)
    return result


def scope(path: str = "3.1") -> Scope:
    return Scope(MemoryLedger(), path)


# Declared -----------------------------------------------------------------------------------------------------------


def test_every_tool_of_the_package_is_declared() -> None:
    """With the effect that is meant."""
    found: dict[str, Effect] = {}
    for module in pkgutil.iter_modules(actors.tools.__path__):
        for value in vars(importlib.import_module(f"actors.tools.{module.name}")).values():
            if isinstance(value, FunctionTool):
                found[value.name] = value.effect
    assert found == BUILT_IN


def test_a_tool_without_a_word_is_done_at_most_once() -> None:
    """The careful one; also one of a class of its own, and one that has to be approved has that of the tool inside."""
    bare, said = tool(lambda: 1, name="bare"), tool(effect="idempotent", name="said")(lambda: 1)
    assert (bare.effect, bare.reconcile) == (AT_MOST_ONCE, None)
    assert said.effect is tool(lambda: 1, name="said", effect=Effect.IDEMPOTENT).effect is IDEMPOTENT
    assert effect_of(Own()) is AT_MOST_ONCE
    assert effect_of(needs_approval(memory_set)) is IDEMPOTENT


@pytest.mark.parametrize("word", ["twice", "", None, 1, ["idempotent"], "IDEMPOTENT"])
def test_another_word_is_refused(word: Any) -> None:
    """With those that there are; also of a tool of one's own, when it is registered."""
    text = f"tool it: effect is 'at_most_once' or 'idempotent', not {word!r}"
    with pytest.raises(ValueError, match=r"^tool it: ") as caught:
        tool(lambda: 1, name="it", effect=word)
    assert str(caught.value) == text
    with pytest.raises(ValueError, match=r"^tool it: ") as caught:
        ToolRegistry([Own(effect=word)])
    assert str(caught.value) == text


def test_a_registry_looks_at_reconcile() -> None:
    """It has to be callable; the word of an effect is one as text, too."""
    own = Own(effect="idempotent", reconcile=None)
    assert effect_of(own) is IDEMPOTENT
    assert ToolRegistry([own]).get("it") is own
    with pytest.raises(TypeError, match="tool it: reconcile is a function, not 'paid'"):
        ToolRegistry([Own(reconcile="paid")])


class Own:
    """A tool without the decorator."""

    name = "it"
    definition = ToolDefinition("it", "Do.", {"type": "object", "properties": {}})
    required_capability = None
    timeout = None

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)

    def execute(self, input: Mapping[str, Any], *, cancel: CancelToken, agent: Any) -> ToolResult:  # noqa: A002
        return ToolResult("done")


# The key ------------------------------------------------------------------------------------------------------------


def test_the_key_is_filled_in_and_not_shown() -> None:
    """It names the call: each try of it has the same one, another call another one."""

    @tool
    def pay(amount: int, effect_key: str) -> list[Any]:
        return [amount, effect_key]

    assert list(pay.definition.input_schema["properties"]) == ["amount"]
    assert "- effect_key: unknown argument" in call(pay, amount=1, effect_key="chosen by a model").content
    ledger = MemoryLedger()
    with inside(Scope(ledger, "3.1")):
        first = call(pay, amount=1).content
    with inside(Scope(ledger, "3.1")):
        assert call(pay, amount=1).content == first == f'[1,"{ledger.effect_key("3.1")}"]'
    with inside(Scope(ledger, "3.2")):
        assert call(pay, amount=1).content != first
    assert pay(2, "as a function") == [2, "as a function"]


def test_outside_of_an_agent_each_call_has_a_key_of_its_own() -> None:
    """Letters and digits, for a header."""
    made = tool(lambda effect_key: effect_key, name="key")
    keys = {call(made).content for _ in range(20)}
    assert len(keys) == 20
    assert all(key.isascii() and key.isalnum() for key in keys)


def test_a_child_that_keeps_no_ledger_has_keys_of_its_own() -> None:
    """It is spawned inside its parent's call, whose key would name all that it does."""
    seen: list[str] = []

    @tool
    def pay(effect_key: str) -> None:
        seen.append(effect_key)

    ask = CompletionResponse("", StopReason.TOOL_USE, (ToolCall("a", "pay", {}), ToolCall("b", "pay", {})))
    here = scope()
    with AgentPool(ScriptedDriver([ask, "done"]), tools=ToolRegistry([pay])) as pool, inside(here):
        pool.spawn(SpawnConfig(AgentManifest(), "Pay twice.")).result(BOUND)
    assert len({*seen, here.ledger.effect_key("3.1")}) == 3


class Bank:
    """Something that has tools."""

    def pay(self, effect_key: str) -> str:
        """Pay."""
        return effect_key

    async def wait(self, effect_key: str) -> str:
        """Pay, and wait for it."""
        return effect_key


def of_two(amount: int, effect_key: str = "", cancel: Any = None) -> list[Any]:
    """Pay with more."""
    return [amount, effect_key, cancel is None]


def test_methods_partials_and_async_tools_get_it_too() -> None:
    """Whatever a tool can be made of."""
    bank, here = Bank(), scope()
    key = here.ledger.effect_key("3.1")
    with inside(here):
        assert call(tool(bank.pay)).content == call(tool(bank.wait)).content == key
        assert call(tool(functools.partial(of_two, 5))).content == f'[5,"{key}",false]'
        assert call(needs_approval(tool(bank.pay))).content == key


@pytest.mark.process
def test_it_goes_to_a_process_of_its_own() -> None:
    """It is text; what belongs to this process does not."""
    here = scope()
    with inside(here):
        assert call(keyed, text="x").content == f'["x","{here.ledger.effect_key("3.1")}"]'


@pytest.mark.parametrize("other", [int, bytes, str | None, NewType("Key", str)])
def test_a_parameter_of_that_name_is_text(other: Any) -> None:
    """Who means something else by it is told at once."""

    def pay(effect_key: Any) -> None: ...

    pay.__annotations__["effect_key"] = other
    with pytest.raises(TypeError, match=r"^tool pay: 'effect_key' is filled in .* write effect_key: str, or give"):
        tool(pay)


# Reconcile ----------------------------------------------------------------------------------------------------------


@tool(reconcile=lambda key, given: {"key": key, **given} if given["amount"] > 1 else None)
def pay(amount: int, note: str = "-", *, effect_key: str) -> str:
    """Pay."""
    return f"{amount} {note} {effect_key}"


def test_reconcile_answers_with_a_result() -> None:
    """With the key and the arguments as the function got them; None is None."""
    assert pay.reconcile is not None
    assert pay.reconcile("k", {"amount": "2"}) == ToolResult('{"key":"k","amount":2}')
    assert pay.reconcile("k", {"arguments": '{"amount": 3, "note": "n"}'}) == ToolResult(
        '{"key":"k","amount":3,"note":"n"}'
    )
    assert pay.reconcile("k", {"amount": 1}) is None
    assert getattr(needs_approval(pay), "reconcile", None) is pay.reconcile


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("text", ToolResult("text")), ("", ToolResult("")), (0, ToolResult("0")), (True, ToolResult("true")),
        ([], ToolResult("[]")), (ToolResult("no money", is_error=True), ToolResult("no money", is_error=True)),
    ],
)  # fmt: skip
def test_whatever_it_answers_but_none_is_a_result(value: Any, result: ToolResult) -> None:
    """As a value of the tool itself; also what is empty."""
    made = tool(lambda: 1, name="it", reconcile=lambda _key, _input: value)
    assert made.reconcile is not None
    assert made.reconcile("k", {}) == result


async def late(effect_key: str, input: dict[str, Any]) -> str:  # noqa: A002
    return "paid"


def test_an_answer_that_says_nothing_is_an_error() -> None:
    """False means that it was not done, and would be told as its result; a coroutine means nothing."""

    def fail(_key: str, _input: Any) -> str:
        raise LookupError("the bank does not answer")

    def doubt(reconcile: Any) -> Any:
        return tool(lambda n: n, name="it", reconcile=reconcile).reconcile

    with pytest.raises(TypeError, match=r"answered with False: .* or None when it was not done"):
        doubt(lambda _key, _input: False)("k", {"n": 1})
    with pytest.raises(TypeError, match="has to be a plain function"):
        doubt(lambda key, given: late(key, given))("k", {"n": 1})
    with pytest.raises(LookupError, match="the bank does not answer"):
        doubt(fail)("k", {"n": 1})
    with pytest.raises(ValueError, match="n: missing"):
        doubt(fail)("k", {})


class Late:
    async def __call__(self, effect_key: str, input: dict[str, Any]) -> str:  # noqa: A002
        return effect_key


@pytest.mark.parametrize(
    ("kind", "reconcile", "effect", "text"),
    [
        (TypeError, "paid", "at_most_once", "reconcile is a function, not 'paid'"),
        (TypeError, late, "at_most_once", "no async one"),
        (TypeError, functools.partial(late, "k"), "at_most_once", "no async one"),
        (TypeError, Late(), "at_most_once", "no async one"),
        (TypeError, lambda: None, "at_most_once", "cannot be called with a key and the arguments"),
        (TypeError, lambda _key, _input, _more: None, "at_most_once", "cannot be called with a key and the arguments"),
        (ValueError, lambda _key, _input: None, "idempotent", "of no use with effect='idempotent'"),
    ],
)
def test_a_reconcile_that_cannot_be_asked_is_refused(
    kind: type[Exception], reconcile: Any, effect: Any, text: str
) -> None:
    """At once, and with the name of the tool."""
    with pytest.raises(kind, match=f"^tool it: .*{text}"):
        tool(lambda: 1, name="it", effect=effect, reconcile=reconcile)


def test_one_that_does_not_tell_its_parameters_is_taken() -> None:
    """Some that are written in C do not."""
    assert tool(lambda: 1, name="it", reconcile=max).reconcile is not None


def test_a_copy_has_the_same_effect() -> None:
    """Nothing of it hangs on the object."""
    other = copy.copy(pay)
    assert (other.effect, other.reconcile) == (pay.effect, pay.reconcile)
