"""Names of the ports: every one of them, in ports and in the facade."""

from __future__ import annotations

import ast
import asyncio
import contextvars
import dataclasses
import inspect
import pickle
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import actors
from actors import (
    AssistantMessage,
    Browser,
    CancelToken,
    CompletionRequest,
    CompletionResponse,
    Compute,
    FileRead,
    FileWrite,
    FunctionDriver,
    Inference,
    InMemorySubstrate,
    Mcp,
    Memory,
    MemoryFilter,
    MemorySource,
    Network,
    PrivacyTier,
    Rag,
    RoutingDriver,
    RoutingStrategy,
    ScriptedDriver,
    Shell,
    Spawn,
    StopReason,
    SystemMessage,
    TokenUsage,
    ToolCall,
    ToolDefinition,
    ToolRegistry,
    ToolResult,
    ToolResultMessage,
    UserMessage,
    capability_matches,
    errors,
    tool,
)

from .doubles import WAIT, Background

ASK = CompletionRequest((UserMessage("hello"),))


def ask(driver, text="hello", cancel=None):
    return driver.complete(CompletionRequest((UserMessage(text),)), cancel=cancel or CancelToken())


# names -----------------------------------------------------------------------------------------------------------

NAMES = [
    "AgentPool",
    "SpawnConfig",
    "AgentHandle",
    "AgentOutcome",
    "Agent",
    "LlmAgent",
    "Actor",
    "MessageRouter",
    "AgentMessage",
    "AgentManifest",
    "PoolStats",
    "PoolDump",
    "CompletionRequest",
    "CompletionResponse",
    "TokenUsage",
    "ToolCall",
    "ToolDefinition",
    "ToolResult",
    "SystemMessage",
    "UserMessage",
    "AssistantMessage",
    "ToolResultMessage",
    "Message",
    "LlmDriver",
    "PrivacyTier",
    "CancelToken",
    "Inbox",
    "MemorySubstrate",
    "MemoryFragment",
    "MemorySource",
    "MemoryFilter",
    "InMemorySubstrate",
    "ScriptedDriver",
    "FunctionDriver",
    "RoutingDriver",
    "RoutingStrategy",
    "tool",
    "Tool",
    "ToolRegistry",
    "Capability",
    "Rag",
    "Memory",
    "Browser",
    "Inference",
    "Compute",
    "Shell",
    "FileRead",
    "FileWrite",
    "Network",
    "Mcp",
    "Spawn",
    "capability_matches",
    "LoopGuard",
    "Verdict",
    "VerdictKind",
    "RestartPolicy",
    "Backoff",
    "AgentLoopResult",
    "StopReason",
    "log",
]

ERRORS = [
    "ActorsError",
    "AgentError",
    "DriverError",
    "RateLimited",
    "Overloaded",
    "NetworkError",
    "MalformedAnswer",
    "ModelNotFound",
    "InferenceFailed",
    "CircuitBreak",
    "CapacityError",
    "ContextOverflow",
    "CapabilityDenied",
    "ToolFailed",
    "ManifestError",
    "MemoryFailed",
    "SendError",
    "NotRegistered",
    "InboxFull",
    "InboxClosed",
    "ActorDead",
    "AgentCancelled",
    "AgentTimedOut",
    "AgentCrashed",
    "AgentAbandoned",
    "DeadlockError",
    "PoolClosed",
    "ForkedPoolError",
    "AskTimeout",
]


@pytest.mark.parametrize("name", [*NAMES, *ERRORS])
def test_the_facade_has_every_name(name) -> None:
    """``from actors import name`` works, and it is listed there, or in one of the groups."""
    assert hasattr(actors, name)
    groups = [
        value for one in dir(actors) if inspect.ismodule(value := getattr(actors, one)) and hasattr(value, "__all__")
    ]
    assert any(name in module.__all__ for module in (actors, *groups))


@pytest.mark.parametrize(
    "name",
    [
        "CompletionRequest",
        "CompletionResponse",
        "TokenUsage",
        "ToolCall",
        "ToolDefinition",
        "ToolResult",
        "SystemMessage",
        "UserMessage",
        "AssistantMessage",
        "ToolResultMessage",
        "LlmDriver",
        "PrivacyTier",
        "MemorySubstrate",
        "MemoryFragment",
        "MemorySource",
        "MemoryFilter",
        "Tool",
        "StopReason",
    ],
)
def test_ports_has_its_names(name) -> None:
    """actors.agent.ports is where users find the protocols."""
    import actors.agent.ports as ports

    assert getattr(ports, name) is getattr(actors, name)


@pytest.mark.process
def test_nothing_happens_on_import() -> None:
    """No thread, no output, no optional package."""
    program = (
        "import threading, sys, actors\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "assert not {'typer', 'rich'} & set(sys.modules), 'command line packages'\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_imports_run_one_way() -> None:
    """errors <- core <- agent <- drivers, memory, tools <- pool <- cli; Pykka only under core; no facade inside."""
    root = Path(actors.__file__).parent
    level = {
        "errors": 0,
        "core": 1,
        "agent": 2,
        "drivers": 3,
        "memory": 3,
        "tools": 3,
        "pool": 4,
        "cli": 6,
        "testing": 5,
    }
    wrong = []
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        if parts == ("__init__",) or parts[0] not in level:
            continue
        package = parts[:-1]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            targets = []
            if isinstance(node, ast.Import):
                targets = [alias.name.split(".") for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                targets = [(node.module or "").split(".")]
            elif isinstance(node, ast.ImportFrom):
                base = ["actors", *package[: len(package) - node.level + 1]]
                names = [*base, *(node.module.split(".") if node.module else [])]
                targets = [names] if len(names) > 1 else [[*names, alias.name] for alias in node.names]
            for target in targets:
                if target[0] == "pykka" and parts[0] != "core":
                    wrong.append((parts, target))
                if target[0] in ("typer", "rich") and parts[0] != "cli":
                    wrong.append((parts, target))
                if target == ["actors"] and parts[0] != "cli":
                    wrong.append((parts, target))
                if target[0] == "actors" and len(target) > 1 and level.get(target[1], 0) > level[parts[0]]:
                    wrong.append((parts, target))
    assert wrong == []


# records ---------------------------------------------------------------------------------------------------------


def test_records_are_positional_frozen_dataclasses() -> None:
    """As written, with their defaults."""
    request = CompletionRequest((UserMessage("q"),))
    assert (request.tools, request.system, request.max_tokens, request.temperature, request.model) == (
        (),
        None,
        4096,
        0.3,
        "",
    )
    response = CompletionResponse()
    assert (response.text, response.stop_reason, tuple(response.tool_calls), response.usage) == (
        "",
        StopReason.END_TURN,
        (),
        TokenUsage(0, 0),
    )
    records = [
        request,
        response,
        TokenUsage(1, 2),
        ToolCall("1", "add", {"a": 1}),
        ToolDefinition("add", "Adds.", {"type": "object"}),
        ToolResult("3"),
        SystemMessage("s"),
        UserMessage("u"),
        AssistantMessage("a", (ToolCall("1", "add", {}),)),
        ToolResultMessage("1", "3", False),
    ]
    for record in records:
        assert dataclasses.is_dataclass(record)
        name = dataclasses.fields(record)[0].name
        with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
            setattr(record, name, None)
        assert pickle.loads(pickle.dumps(record)) == record
    assert ToolResult("x").is_error is False
    assert AssistantMessage("x").tool_calls == ()


def test_token_usage_adds() -> None:
    """+ and .total."""
    assert TokenUsage(1, 2) + TokenUsage(10, 20) == TokenUsage(11, 22)
    assert TokenUsage(1, 2).total == 3


def test_enums_are_the_words() -> None:
    """StrEnum values as written."""
    assert [str(tier) for tier in PrivacyTier] == ["sovereign", "private", "standard"]
    assert [str(reason) for reason in StopReason] == ["end_turn", "tool_use", "max_tokens", "stop_sequence"]
    assert [str(source) for source in MemorySource] == ["conversation", "tool_result", "system", "user", "document"]
    assert {str(strategy) for strategy in RoutingStrategy} == {
        "primary_with_fallback",
        "primary_only",
        "fallback_only",
    }


# cancel token ----------------------------------------------------------------------------------------------------


def test_cancel_token() -> None:
    """cancelled, reason, check, wait, on_cancel, and the first reason stays."""
    token = CancelToken()
    told = []
    forget = token.on_cancel(lambda: told.append("forgotten"))
    token.on_cancel(lambda: told.append("told"))
    forget()
    assert (token.cancelled, token.wait(0)) == (False, False)
    token.check()
    waiting = Background(lambda: token.wait(WAIT))
    token.cancel("first")
    token.cancel("second")
    assert waiting.result() is True
    assert (token.cancelled, token.reason) == (True, "first")
    assert told == ["told"]
    with pytest.raises(errors.Cancelled):
        token.check()
    token.on_cancel(lambda: told.append("at once"))
    assert told == ["told", "at once"]


# drivers ---------------------------------------------------------------------------------------------------------


def test_scripted_driver_answers_in_order() -> None:
    """Text, responses and errors; .requests has what it was asked."""
    answer = CompletionResponse("second", usage=TokenUsage(3, 4))
    driver = ScriptedDriver(["first", answer, errors.RateLimited("slow", retry_after=2.0)])
    assert ask(driver, "one").text == "first"
    assert ask(driver, "two") == answer
    with pytest.raises(errors.RateLimited) as caught:
        ask(driver, "three")
    assert caught.value.retry_after == 2.0
    assert [request.messages[0].content for request in driver.requests] == ["one", "two", "three"]


def test_scripted_driver_that_runs_out() -> None:
    """A clear DriverError, not retryable; unless a default is given."""
    driver = ScriptedDriver(["only"])
    ask(driver)
    with pytest.raises(errors.DriverError) as caught:
        ask(driver)
    assert caught.value.retryable is False
    assert str(caught.value)
    always = ScriptedDriver([], default="again")
    assert [ask(always).text for _ in range(3)] == ["again"] * 3


def test_scripted_driver_constants() -> None:
    """Its window is 4096, it is sovereign and free unless priced."""
    driver = ScriptedDriver([])
    assert driver.context_window == 4096
    assert driver.privacy_tier == PrivacyTier.SOVEREIGN
    assert driver.estimate_cost(TokenUsage(100, 100)) == 0.0
    assert ScriptedDriver([], context_window=100).context_window == 100
    assert ScriptedDriver([], usd_per_token=0.01).estimate_cost(TokenUsage(3, 4)) == pytest.approx(0.07)


def test_scripted_driver_helpers() -> None:
    """text() and tool_then_text()."""
    assert ask(ScriptedDriver.text("hello")).text == "hello"
    driver = ScriptedDriver.tool_then_text("add", {"a": 1}, "done")
    first, second = ask(driver), ask(driver)
    assert first.stop_reason == StopReason.TOOL_USE
    assert [(call.name, call.input) for call in first.tool_calls] == [("add", {"a": 1})]
    assert (second.text, second.stop_reason) == ("done", StopReason.END_TURN)


def test_scripted_latency_ends_at_a_cancel() -> None:
    """Seconds, interrupted."""
    driver = ScriptedDriver(["late"], latency=30.0)
    token = CancelToken()
    call = Background(lambda: ask(driver, cancel=token))
    token.cancel("enough")
    with pytest.raises(errors.Cancelled):
        call.result()
    assert call.seconds < 5
    begin = time.monotonic()
    assert ask(ScriptedDriver(["soon"], latency=0.1)).text == "soon"
    assert 0.09 <= time.monotonic() - begin < 3


def test_scripted_driver_is_thread_safe() -> None:
    """Each answer is given once."""
    driver = ScriptedDriver([str(n) for n in range(400)])
    calls = [Background(lambda: [ask(driver).text for _ in range(100)]) for _ in range(4)]
    answers = [text for call in calls for text in call.result()]
    assert sorted(answers, key=int) == [str(n) for n in range(400)]


@pytest.mark.parametrize(
    "driver",
    [ScriptedDriver.text("whole text"), FunctionDriver(lambda request: "whole text")],
    ids=["scripted", "function"],
)
def test_stream_defaults_to_one_delta(driver) -> None:
    """complete, then one text delta; its text is the whole."""
    from actors import TextDelta

    seen = []
    response = driver.stream(ASK, seen.append, cancel=CancelToken())
    assert response.text == "whole text"
    assert "".join(event.text for event in seen if isinstance(event, TextDelta)) == "whole text"


def test_function_driver() -> None:
    """A function of the request gives a text or a response."""
    driver = FunctionDriver(lambda request: request.messages[-1].content.upper())
    assert ask(driver, "hi").text == "HI"
    assert driver.context_window == 4096
    assert driver.privacy_tier == PrivacyTier.SOVEREIGN
    assert FunctionDriver(lambda request: "", context_window=9).context_window == 9
    made = CompletionResponse("x", StopReason.MAX_TOKENS, (), TokenUsage(1, 1))
    assert ask(FunctionDriver(lambda request: made)) == made
    assert driver.estimate_cost(TokenUsage(5, 5)) == 0.0


class Tiered(ScriptedDriver):
    """A scripted driver of another tier."""

    tier = PrivacyTier.STANDARD

    @property
    def privacy_tier(self):
        return self.tier


def test_routing_falls_back_on_a_retryable_error() -> None:
    """Primary, then fallback; metrics count."""
    primary, fallback = ScriptedDriver([errors.Overloaded("busy"), "primary"]), ScriptedDriver(["fallback"])
    driver = RoutingDriver(primary, fallback)
    assert ask(driver).text == "fallback"
    assert ask(driver).text == "primary"
    numbers = {
        name: value
        for name in dir(driver.metrics)
        if not name.startswith("_") and isinstance(value := getattr(driver.metrics, name), int)
    }
    assert {2, 1} <= set(numbers.values()), numbers


def test_routing_does_not_hide_other_errors() -> None:
    """Not retryable: raised, the fallback is not asked."""
    fallback = ScriptedDriver(["fallback"])
    driver = RoutingDriver(ScriptedDriver([errors.ModelNotFound("no such model")]), fallback)
    with pytest.raises(errors.ModelNotFound):
        ask(driver)
    assert list(fallback.requests) == []


def test_routing_strategies() -> None:
    """primary_only and fallback_only."""
    only = RoutingDriver(
        ScriptedDriver([errors.Overloaded("busy")]), ScriptedDriver(["f"]), RoutingStrategy.PRIMARY_ONLY
    )
    with pytest.raises(errors.Overloaded):
        ask(only)
    primary = ScriptedDriver(["p"])
    last = RoutingDriver(primary, ScriptedDriver(["f"]), RoutingStrategy.FALLBACK_ONLY)
    assert ask(last).text == "f"
    assert list(primary.requests) == []
    alone = RoutingDriver(ScriptedDriver([errors.Overloaded("busy")]))
    with pytest.raises(errors.Overloaded):
        ask(alone)


def test_routing_tier_is_the_more_permissive() -> None:
    """Data may go to either."""
    assert RoutingDriver(ScriptedDriver([]), Tiered([])).privacy_tier == PrivacyTier.STANDARD
    assert RoutingDriver(Tiered([]), ScriptedDriver([])).privacy_tier == PrivacyTier.STANDARD
    assert RoutingDriver(ScriptedDriver([]), ScriptedDriver([])).privacy_tier == PrivacyTier.SOVEREIGN


# tools -----------------------------------------------------------------------------------------------------------


@tool
def add(a: int, b: int = 2) -> int:
    """Add two numbers.

    Args:
        a: The first one.
    """
    return a + b


def call(made, **arguments):
    return made.execute(arguments, cancel=CancelToken(), agent=None)


def test_tool_makes_a_tool_and_stays_callable() -> None:
    """Name, description and schema from the function."""
    assert add(1, 2) == 3
    assert add.name == "add"
    assert add.definition.name == "add"
    assert "Add two numbers" in add.definition.description
    schema = add.definition.input_schema
    assert schema["type"] == "object"
    assert schema["properties"]["a"]["type"] == "integer"
    assert set(schema["properties"]) == {"a", "b"}
    assert schema["required"] == ["a"]
    assert add.required_capability is None
    assert add.timeout == 120
    assert isinstance(add, actors.Tool)


def test_tool_with_options() -> None:
    """capability, timeout and name."""

    @tool(capability=Rag(), timeout=3, name="find_it")
    def find(query: str) -> str:
        """Find."""
        return query

    assert (find.name, find.definition.name, find.required_capability, find.timeout) == ("find_it", "find_it", Rag(), 3)
    assert find("x") == "x"


def test_tool_results() -> None:
    """str and ToolResult as they are, anything else as JSON."""

    @tool
    def give(kind: str):
        """Give."""
        return {
            "str": "plain ü",
            "result": ToolResult("bad", True),
            "dict": {"a": [1, None, True]},
            "none": None,
            "int": 5,
        }[kind]

    import json

    assert call(give, kind="str") == ToolResult("plain ü")
    assert call(give, kind="result") == ToolResult("bad", True)
    assert json.loads(call(give, kind="dict").content) == {"a": [1, None, True]}
    assert json.loads(call(give, kind="int").content) == 5
    assert call(give, kind="none").is_error is False


def test_bad_arguments_come_back_readable() -> None:
    """An error that names the argument; unknown ones are an error too."""

    def outcome(**arguments):
        try:
            return call(add, **arguments)
        except Exception as error:
            return ToolResult(str(error), True)

    for arguments, word in [({"a": "many"}, "a"), ({}, "a"), ({"a": 1, "colour": 2}, "colour")]:
        result = outcome(**arguments)
        assert result.is_error
        assert word in result.content
        assert "Traceback" not in result.content


def test_cancel_and_agent_are_not_in_the_schema() -> None:
    """They are handed in by the loop."""

    @tool
    def look(path: str, cancel: CancelToken, agent: object) -> str:
        """Look."""
        return f"{path} {cancel.cancelled} {agent}"

    assert set(look.definition.input_schema["properties"]) == {"path"}
    assert look.execute({"path": "p"}, cancel=CancelToken(), agent="me").content == "p False me"


def test_async_tool_runs() -> None:
    """On the private event loop, in the context of the caller."""
    var = contextvars.ContextVar("var", default="no")

    @tool
    async def wait(word: str) -> str:
        """Wait."""
        await asyncio.sleep(0)
        return word + var.get()

    var.set("yes")
    assert call(wait, word="w").content in ("wyes", "wno")


def test_registry() -> None:
    """register, get, names, definitions_for, len."""

    @tool(capability=Shell(allowed_commands=("ls",)))
    def ls() -> str:
        """List."""
        return ""

    registry = ToolRegistry([add])
    registry.register(ls)
    assert len(registry) == 2
    assert list(registry.names()) == ["add", "ls"]
    assert registry.get("add") is add
    assert registry.get("nothing") is None
    assert [made.name for made in registry.definitions_for(())] == ["add"]
    assert [made.name for made in registry.definitions_for((Shell(allowed_commands=("*",)),))] == ["add", "ls"]
    assert len(ToolRegistry()) == 0


# capabilities ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Rag, Memory, Browser, Inference, Compute])
def test_a_plain_grant_matches_its_kind(kind) -> None:
    """Equal kinds only."""
    assert capability_matches([kind()], kind())
    others = {Rag, Memory, Browser, Inference, Compute} - {kind}
    assert not any(capability_matches([other()], kind()) for other in others)
    assert not capability_matches([], kind())


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (Shell, "allowed_commands"),
        (FileRead, "allowed_paths"),
        (FileWrite, "allowed_paths"),
        (Network, "allowed_hosts"),
    ],
)
def test_a_grant_of_items_allows_each_required_item(kind, field) -> None:
    """All of them; "*" allows all."""

    def grant(*items):
        return kind(**{field: items})

    assert capability_matches([grant("/a", "/b")], grant("/a"))
    assert capability_matches([grant("/a", "/b")], grant("/b", "/a"))
    assert not capability_matches([grant("/a")], grant("/a", "/b"))
    assert capability_matches([grant("*")], grant("/x", "/y"))
    assert not capability_matches([grant()], grant("/x"))
    assert not capability_matches([grant("/a")], grant("*"))


def test_mcp_and_spawn_grants() -> None:
    """Server and tool; depth granted >= depth required."""
    assert capability_matches([Mcp(server="s", tool="t")], Mcp(server="s", tool="t"))
    assert capability_matches([Mcp(server="s", tool="*")], Mcp(server="s", tool="t"))
    assert not capability_matches([Mcp(server="s", tool="t")], Mcp(server="s", tool="u"))
    assert not capability_matches([Mcp(server="r", tool="*")], Mcp(server="s", tool="t"))
    assert capability_matches([Spawn(max_depth=3)], Spawn(max_depth=3))
    assert capability_matches([Spawn(max_depth=3)], Spawn(max_depth=1))
    assert not capability_matches([Spawn(max_depth=1)], Spawn(max_depth=2))


def test_capability_matches_takes_one_grant_or_several() -> None:
    """Both readings of ``granted``."""
    assert capability_matches(Rag(), Rag())
    assert capability_matches((Memory(), Rag()), Rag())
    assert not capability_matches(Memory(), Rag())


# memory ----------------------------------------------------------------------------------------------------------


def test_memory_ranks_by_words() -> None:
    """Repaired: not the whole query as a substring; best first; scores in [0, 1]."""
    memory = InMemorySubstrate()
    memory.remember("a", "The harbour is closed on Sunday.")
    best = memory.remember("a", "Ferry tickets for the harbour ferry cost five crowns.")
    memory.remember("a", "Bread is sold at the market.")
    found = memory.recall("how much does a ferry ticket to the harbour ferry cost?")
    assert found[0].id == best
    assert all(0.0 <= fragment.score <= 1.0 for fragment in found)
    assert [fragment.score for fragment in found] == sorted((f.score for f in found), reverse=True)
    assert found[0].content.startswith("Ferry tickets")
    assert found[0].source == MemorySource.CONVERSATION
    assert found[0].created_at.tzinfo is not None


def test_memory_limit_and_filters() -> None:
    """limit (5 unless said), agent, source, since."""
    memory = InMemorySubstrate()
    for number in range(8):
        memory.remember("ann", f"apple number {number}", MemorySource.USER if number % 2 else MemorySource.SYSTEM)
    memory.remember("bob", "apple of bob")
    assert len(memory.recall("apple")) == 5
    assert len(memory.recall("apple", 2)) == 2
    assert len(memory.recall("apple", limit=100)) == 9
    assert [f.content for f in memory.recall("apple", filter=MemoryFilter(agent="bob"))] == ["apple of bob"]
    users = memory.recall("apple", 100, MemoryFilter(source=MemorySource.USER))
    assert {f.source for f in users} == {MemorySource.USER}
    assert len(users) == 4
    now = datetime.now(UTC)
    assert len(memory.recall("apple", 100, MemoryFilter(since=now - timedelta(hours=1)))) == 9
    assert memory.recall("apple", 100, MemoryFilter(since=now + timedelta(hours=1))) == []
    assert memory.recall("zebra") == []


def test_memory_forget_set_get() -> None:
    """A forgotten fragment is gone; values are kept for each agent."""
    memory = InMemorySubstrate()
    key = memory.remember("ann", "apple")
    memory.forget(key)
    assert memory.recall("apple") == []
    memory.set("ann", "colour", {"r": 1})
    assert memory.get("ann", "colour") == {"r": 1}
    assert memory.get("bob", "colour") is None
    assert memory.get("ann", "other") is None
    memory.set("ann", "colour", "blue")
    assert memory.get("ann", "colour") == "blue"


def test_memory_is_bounded_if_asked() -> None:
    """The oldest fragments go."""
    memory = InMemorySubstrate(max_fragments=3)
    for number in range(10):
        memory.remember("ann", f"apple {number}")
    assert {f.content for f in memory.recall("apple", 100)} == {"apple 7", "apple 8", "apple 9"}


def test_memory_is_thread_safe() -> None:
    """Writers, readers and forgetters at once; ids are unique."""
    memory = InMemorySubstrate()

    def work(agent):
        ids = [memory.remember(agent, f"apple {n}") for n in range(100)]
        memory.recall("apple", 10)
        for key in ids[:50]:
            memory.forget(key)
        return ids

    calls = [Background(lambda n=n: work(f"agent {n}")) for n in range(4)]
    ids = [key for made in calls for key in made.result()]
    assert len(set(ids)) == 400
    assert len(memory.recall("apple", 1000)) == 200


def test_memory_recall_is_quick() -> None:
    """10,000 fragments in a few milliseconds (the best of several tries, with room for a busy machine)."""
    memory = InMemorySubstrate()
    words = [f"word{n}" for n in range(500)]
    for number in range(10_000):
        memory.remember("ann", " ".join(words[(number * step) % 500] for step in (1, 3, 7, 11, 13)))
    best = min(timed(lambda: memory.recall("word7 word21 word49")) for _ in range(7))
    assert best < 0.1


def timed(fn):
    begin = time.perf_counter()
    fn()
    return time.perf_counter() - begin


# errors ----------------------------------------------------------------------------------------------------------

MADE = {
    "AgentCrashed": ("ValueError", "boom", "a traceback"),
    "AgentAbandoned": (errors.AgentCancelled("x"),),
    "ContextOverflow": (10, 5),
    "ManifestError": (["name: empty", "model: bad"],),
    "DeadlockError": ("wait", ["a", "b", "a"]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_each_error_survives_pickling(name) -> None:
    """Class, text and fields."""
    kind = getattr(errors, name)
    error = kind(*MADE.get(name, ("text",)))
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert str(back) == str(error)
    assert back.args == error.args
    assert isinstance(error, errors.ActorsError)


def test_fields_survive_pickling() -> None:
    """Not only text."""
    from actors import AgentMessage

    limited = pickle.loads(pickle.dumps(errors.RateLimited("slow", retry_after=2.5)))
    assert (limited.retry_after, limited.retryable) == (2.5, True)
    full = pickle.loads(pickle.dumps(errors.InboxFull("full", AgentMessage(sender=1, to=2, content="c"))))
    assert full.message.content == "c"
    overflow = pickle.loads(pickle.dumps(errors.ContextOverflow(10, 5)))
    assert (overflow.required, overflow.available) == (10, 5)
    assert pickle.loads(pickle.dumps(errors.DeadlockError("w", ["a", "b"]))).path == ("a", "b")


def test_taxonomy() -> None:
    """Who is whose child."""
    for name in [
        "DriverError",
        "CircuitBreak",
        "ContextOverflow",
        "CapabilityDenied",
        "ToolFailed",
        "ManifestError",
        "MemoryFailed",
    ]:
        assert issubclass(getattr(errors, name), errors.AgentError)
    for name in ["RateLimited", "Overloaded", "NetworkError", "MalformedAnswer"]:
        assert issubclass(getattr(errors, name), errors.DriverError)
        assert getattr(errors, name)("x").retryable is True
    for name in ["ModelNotFound", "InferenceFailed"]:
        assert getattr(errors, name)("x").retryable is False
    assert issubclass(errors.CapacityError, errors.CircuitBreak)
    for name in ["NotRegistered", "InboxFull", "InboxClosed", "ActorDead"]:
        assert issubclass(getattr(errors, name), errors.SendError)
    for name in ["AgentCancelled", "AgentTimedOut", "AgentCrashed", "AgentAbandoned"]:
        assert not issubclass(getattr(errors, name), TimeoutError)
        assert not issubclass(getattr(errors, name), errors.AgentError)
    assert issubclass(errors.AskTimeout, TimeoutError)
    assert errors.DriverError().retry_after is None
    assert threading.main_thread() is not None
