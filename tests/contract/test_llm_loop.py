"""Section 8: the loop of an LlmAgent, and the rules of contracts.md."""

from __future__ import annotations

import contextvars
import itertools
import json
import threading
import time
from typing import Any

import pytest

from actors import (
    AgentLoopResult,
    AgentMessage,
    AgentPool,
    AssistantMessage,
    CompletionResponse,
    FileRead,
    FunctionDriver,
    InMemorySubstrate,
    Memory,
    MemorySource,
    Network,
    Rag,
    ScriptedDriver,
    Shell,
    SpawnConfig,
    StopReason,
    TokenUsage,
    ToolCall,
    ToolRegistry,
    ToolResult,
    ToolResultMessage,
    UserMessage,
    errors,
    tool,
)

from ..waiting import Gate, eventually
from .doubles import WAIT, manifest


def config(query="the question", *, fields: dict[str, Any] | None = None, name="ann", **rest):
    return SpawnConfig(manifest=manifest(name, **(fields or {})), query=query, **rest)


def calls(*wanted, text="", usage=(0, 0)):
    """An answer that asks for tools: (name, input) pairs."""
    made = tuple(ToolCall(f"call-{n}", name, given) for n, (name, given) in enumerate(wanted))
    return CompletionResponse(text, StopReason.TOOL_USE, made, TokenUsage(*usage))


def cut(text, usage=(0, 0)):
    return CompletionResponse(text, StopReason.MAX_TOKENS, (), TokenUsage(*usage))


def run(driver, *, tools=(), memory=None, query="the question", fields=None, **rest):
    """One LlmAgent to its end."""
    with AgentPool(driver, memory=memory, tools=ToolRegistry(tools)) as pool:
        return pool.spawn(config(query, fields=fields, **rest)).outcome(timeout=WAIT)


def results_in(request):
    return [message for message in request.messages if isinstance(message, ToolResultMessage)]


def texts(request):
    return "\n".join(str(message.content) for message in request.messages)


# Reason ----------------------------------------------------------------------------------------------------------


def test_one_answer() -> None:
    """Text, usage, iterations, tool_calls, cost and messages of the result."""
    driver = ScriptedDriver([CompletionResponse("42", usage=TokenUsage(10, 2))], usd_per_token=0.5)
    result = run(driver).unwrap()
    assert isinstance(result, AgentLoopResult)
    assert result.text == "42"
    assert result.usage == TokenUsage(10, 2)
    assert result.iterations == 1
    assert result.cost_usd == pytest.approx(6.0)
    assert not result.tool_calls
    assert UserMessage("the question") in list(result.messages)
    assert list(result.messages)[-1] == AssistantMessage("42")


def test_the_request_has_what_the_manifest_says() -> None:
    """system, max_tokens, temperature, tools, model."""
    driver = ScriptedDriver(["ok"])
    fields = {"model": {"system_prompt": "You are Ann.", "max_tokens": 77, "temperature": 1.5}}
    run(driver, fields=fields)
    request = driver.requests[0]
    assert "You are Ann." in request.system
    assert (request.max_tokens, request.temperature) == (77, 1.5)
    assert tuple(request.messages) == (UserMessage("the question"),)
    assert tuple(request.tools) == ()


def test_stop_sequence_ends_the_turn_too() -> None:
    """Like end_turn."""
    driver = ScriptedDriver([CompletionResponse("stopped", StopReason.STOP_SEQUENCE)])
    assert run(driver).unwrap().text == "stopped"


def test_iterations_rise_by_one() -> None:
    """INV-002: one completion, one iteration."""
    driver = ScriptedDriver([calls(("note", {"n": 1})), calls(("note", {"n": 2})), "end"])
    result = run(driver, tools=[note]).unwrap()
    assert result.iterations == 3
    assert len(driver.requests) == 3
    assert result.tool_calls == 2 or len(result.tool_calls) == 2


@tool
def note(n: int) -> str:
    """Note a number."""
    return f"noted {n}"


def test_the_loop_ends_after_max_iterations() -> None:
    """INV-001: a model that never ends is stopped by the guard."""
    numbers = itertools.count()
    driver = FunctionDriver(lambda request: calls(("note", {"n": next(numbers)})))
    outcome = run(driver, tools=[note], fields={"resources": {"max_iterations": 4}})
    assert outcome.status == "failed"
    assert isinstance(outcome.error, errors.CircuitBreak)
    assert type(outcome.error) is errors.IterationsExceeded
    assert next(numbers) == 4


def test_usage_is_summed() -> None:
    """Over all completions."""
    driver = ScriptedDriver(
        [calls(("note", {"n": 1}), usage=(1, 2)), CompletionResponse("end", usage=TokenUsage(10, 20))]
    )
    assert run(driver, tools=[note]).unwrap().usage == TokenUsage(11, 22)


# Retries ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["RateLimited", "Overloaded", "NetworkError", "MalformedAnswer"])
def test_retryable_errors_are_tried_again(kind) -> None:
    """Three retries at most; the Retry-After of the server is honoured."""
    error = getattr(errors, kind)("later", retry_after=0.02)
    driver = ScriptedDriver([error, error, error, "at last"])
    begin = time.monotonic()
    assert run(driver).unwrap().text == "at last"
    assert time.monotonic() - begin >= 0.05
    assert len(driver.requests) == 4


def test_no_fourth_retry() -> None:
    """The outcome is failed with the driver's error itself."""
    error = errors.Overloaded("always", retry_after=0.01)
    driver = ScriptedDriver([error] * 10)
    outcome = run(driver)
    assert outcome.status == "failed"
    assert type(outcome.error) is errors.Overloaded
    assert len(driver.requests) == 4


def test_first_wait_is_about_a_second() -> None:
    """Base 1 s when the server says nothing."""
    driver = ScriptedDriver([errors.NetworkError("broken"), "ok"])
    begin = time.monotonic()
    assert run(driver).unwrap().text == "ok"
    assert 0.4 <= time.monotonic() - begin < 4


@pytest.mark.parametrize("kind", ["ModelNotFound", "InferenceFailed"])
def test_other_driver_errors_end_the_agent(kind) -> None:
    """Not retried."""
    driver = ScriptedDriver([getattr(errors, kind)("no"), "never"])
    outcome = run(driver)
    assert outcome.status == "failed"
    assert type(outcome.error) is getattr(errors, kind)
    assert len(driver.requests) == 1


def test_a_driver_that_breaks_is_crashed() -> None:
    """What is no DriverError is a crash."""

    def broken(request):
        raise ZeroDivisionError("driver bug")

    outcome = run(FunctionDriver(broken))
    assert outcome.status == "crashed"
    assert "ZeroDivisionError" in outcome.error.type_name


def test_the_wait_for_a_retry_ends_at_a_cancel() -> None:
    """No minute of waiting."""
    driver = ScriptedDriver([errors.RateLimited("later", retry_after=60.0), "never"])
    with AgentPool(driver) as pool:
        handle = pool.spawn(config())
        eventually(lambda: len(driver.requests) == 1)
        begin = time.monotonic()
        handle.cancel("enough")
        assert handle.outcome(timeout=WAIT).status == "cancelled"
        assert time.monotonic() - begin < 3


def test_a_cancel_interrupts_a_completion_in_flight() -> None:
    """The driver call ends at once."""
    driver = ScriptedDriver(["late"], latency=60.0)
    with AgentPool(driver) as pool:
        handle = pool.spawn(config())
        eventually(lambda: len(driver.requests) == 1)
        begin = time.monotonic()
        pool.abort_all("enough")
        assert handle.outcome(timeout=WAIT).status == "cancelled"
        assert time.monotonic() - begin < 3


def test_a_deadline_interrupts_a_completion_in_flight() -> None:
    """timed_out, not abandoned."""
    driver = ScriptedDriver(["late"], latency=60.0)
    begin = time.monotonic()
    outcome = run(driver, timeout=0.15)
    assert outcome.status == "timed_out"
    assert outcome.duration < 4
    assert time.monotonic() - begin < 4


# Truncation ------------------------------------------------------------------------------------------------------


def test_truncated_answers_are_joined() -> None:
    """The pieces make one text; the model saw what it had said."""
    driver = ScriptedDriver([cut("one "), cut("two "), "three"])
    result = run(driver).unwrap()
    assert result.text == "one two three"
    assert "one " in texts(driver.requests[1])
    assert "two " in texts(driver.requests[2])


def test_five_truncated_answers_break() -> None:
    """INV-006."""
    driver = ScriptedDriver([cut(str(n)) for n in range(9)])
    outcome = run(driver)
    assert outcome.status == "failed"
    assert isinstance(outcome.error, errors.CircuitBreak)
    assert type(outcome.error) is errors.TruncationExceeded
    assert len(driver.requests) == 5


def test_a_tool_call_resets_the_count() -> None:
    """INV-006: four, a tool call, four more are fine."""
    driver = ScriptedDriver([*[cut("a")] * 4, calls(("note", {"n": 1})), *[cut("b")] * 4, "end"])
    outcome = run(driver, tools=[note])
    assert outcome.status == "completed"
    assert outcome.result.text.endswith("bbbbend")


# Limits ----------------------------------------------------------------------------------------------------------


def test_cost_limit() -> None:
    """INV-005: above max_cost_usd it breaks; 0 is no limit."""

    def priced():
        return ScriptedDriver(
            [calls(("note", {"n": 1}), usage=(60, 0)), calls(("note", {"n": 2}), usage=(60, 0)), "end"],
            usd_per_token=0.01,
        )

    outcome = run(priced(), tools=[note], fields={"resources": {"max_cost_usd": 1.0}})
    assert (outcome.status, type(outcome.error)) == ("failed", errors.CostExceeded)
    assert run(priced(), tools=[note]).status == "completed"
    assert run(priced(), tools=[note], fields={"resources": {"max_cost_usd": 1.3}}).status == "completed"


def test_token_budget() -> None:
    """INV-016: above the budget it breaks, at the budget it does not."""

    def driver():
        return ScriptedDriver(
            [calls(("note", {"n": 1}), usage=(50, 0)), calls(("note", {"n": 2}), usage=(50, 0)), "end"]
        )

    outcome = run(driver(), tools=[note], fields={"resources": {"max_tokens_budget": 99}})
    assert (outcome.status, type(outcome.error)) == ("failed", errors.TokensExceeded)
    assert run(driver(), tools=[note], fields={"resources": {"max_tokens_budget": 100}}).status == "completed"


def test_tool_call_limit() -> None:
    """max_tool_calls calls run; one more breaks."""
    ran = []

    @tool
    def count(n: int) -> str:
        """Count."""
        ran.append(n)
        return "ok"

    driver = FunctionDriver(lambda request: calls(("count", {"n": len(request.messages)})))
    outcome = run(driver, tools=[count], fields={"resources": {"max_tool_calls": 3}})
    assert (outcome.status, type(outcome.error)) == ("failed", errors.ToolCallsExceeded)
    assert len(ran) == 3


# Tools -----------------------------------------------------------------------------------------------------------


def test_a_tool_call_and_its_result() -> None:
    """The result reaches the model under the id of its call."""
    driver = ScriptedDriver([calls(("note", {"n": 7}), text="let me see"), "end"])
    assert run(driver, tools=[note]).unwrap().text == "end"
    first, second = driver.requests
    assert [made.name for made in first.tools] == ["note"]
    assistant = second.messages[-2]
    assert isinstance(assistant, AssistantMessage)
    assert assistant.content == "let me see"
    assert results_in(second) == [ToolResultMessage("call-0", "noted 7", False)]


def test_tools_of_one_answer_run_at_the_same_time_results_in_order() -> None:
    """They meet at a barrier; the first to be asked ends last."""
    meeting = threading.Barrier(3)
    last = threading.Event()

    @tool
    def meet(n: int) -> str:
        """Meet."""
        meeting.wait(WAIT)
        if n == 0:
            assert last.wait(WAIT)
        if n == 2:
            last.set()
        return f"met {n}"

    driver = ScriptedDriver([calls(*(("meet", {"n": n}) for n in range(3))), "end"])
    with AgentPool(driver, max_concurrent=1, tools=ToolRegistry([meet])) as pool:
        assert pool.spawn(config()).outcome(timeout=WAIT).status == "completed"
    assert [result.content for result in results_in(driver.requests[1])] == ["met 0", "met 1", "met 2"]


def error_of(driver_calls, tools, fields=None):
    """The error result that the model got for one call."""
    driver = ScriptedDriver([calls(driver_calls), "end"])
    outcome = run(driver, tools=tools, fields=fields)
    assert outcome.status == "completed"  # not the end of the agent
    (result,) = results_in(driver.requests[1])
    assert result.is_error
    return result.content


def test_unknown_tool() -> None:
    """An error that names it."""
    assert "fly" in error_of(("fly", {}), [note])


def test_bad_input() -> None:
    """Wrong type, missing, unknown: an error that names the argument."""
    assert "n" in error_of(("note", {"n": "many"}), [note])
    assert "n" in error_of(("note", {}), [note])
    assert "colour" in error_of(("note", {"n": 1, "colour": "red"}), [note])


@pytest.mark.parametrize(
    "error",
    [ValueError("broke"), errors.ToolFailed("broke"), SystemExit("broke"), KeyboardInterrupt("broke")],
    ids=repr,
)
def test_a_tool_that_fails(error) -> None:
    """An error result with its text, whatever it raised."""

    @tool
    def broken() -> str:
        """Break."""
        raise error

    assert "broke" in error_of(("broken", {}), [broken])


def test_a_tool_past_its_timeout_does_not_hold_its_agent() -> None:
    """The model gets an error; the thread is counted until it ends."""
    gate = Gate()

    @tool(timeout=0.1)
    def stuck() -> str:
        """Hang."""
        gate.arrive()
        return "late"

    driver = ScriptedDriver([calls(("stuck", {})), "end"])
    try:
        with AgentPool(driver, tools=ToolRegistry([stuck]), abort_timeout=0.5) as pool:
            outcome = pool.spawn(config()).outcome(timeout=WAIT)
            assert outcome.status == "completed"
            (result,) = results_in(driver.requests[1])
            assert result.is_error
            assert "late" not in result.content
            assert pool.stats().abandoned_threads == 1
            gate.open()
            eventually(lambda: pool.stats().abandoned_threads == 0)
    finally:
        gate.open()


def test_a_tool_without_its_capability_is_not_executed() -> None:
    """INV-003: not run, not shown; the model gets an error that says "capability"."""
    ran = []

    @tool(capability=Shell(allowed_commands=("rm",)))
    def remove() -> str:
        """Remove."""
        ran.append(1)
        return ""

    driver = ScriptedDriver([calls(("remove", {})), "end"])
    run(driver, tools=[remove, note])
    (result,) = results_in(driver.requests[1])
    assert result.is_error
    assert "capability" in result.content.lower()
    assert ran == []
    assert [made.name for made in driver.requests[0].tools] == ["note"]
    granted = {"capabilities": (Shell(allowed_commands=("*",)),)}
    run(ScriptedDriver([calls(("remove", {})), "end"]), tools=[remove], fields=granted)
    assert ran == [1]


def test_sovereign_privacy_refuses_network_tools() -> None:
    """INV-015: the error says "sovereign"; other tiers may."""
    ran = []

    @tool(capability=Network(allowed_hosts=("example.org",)))
    def fetch() -> str:
        """Fetch."""
        ran.append(1)
        return "page"

    grants = (Network(allowed_hosts=("*",)),)
    assert "sovereign" in error_of(("fetch", {}), [fetch], {"capabilities": grants}).lower()
    assert ran == []
    driver = ScriptedDriver([calls(("fetch", {})), "end"])
    run(driver, tools=[fetch], fields={"capabilities": grants, "privacy": "standard"})
    assert results_in(driver.requests[1])[0].content == "page"


def test_order_of_the_checks() -> None:
    """Unknown, capability, privacy, guard, arguments."""

    @tool(capability=Network(allowed_hosts=("h",)))
    def fetch(n: int) -> str:
        """Fetch."""
        return ""

    # No capability, sovereign, bad arguments: the capability is what is said.
    assert "capability" in error_of(("fetch", {"n": "x"}), [fetch]).lower()
    # Granted, sovereign, bad arguments: the privacy.
    grants = {"capabilities": (Network(allowed_hosts=("*",)),)}
    assert "sovereign" in error_of(("fetch", {"n": "x"}), [fetch], grants).lower()


def test_guard_comes_before_the_arguments() -> None:
    """The third identical bad call is ping-pong, not bad arguments."""
    bad = ("note", {"n": "x"})
    other = ("note", {"n": 1})
    driver = ScriptedDriver([calls(bad), calls(bad), calls(other, bad), "end"])
    run(driver, tools=[note])
    assert "ping-pong" in results_in(driver.requests[3])[-1].content


def test_third_identical_call_is_blocked_and_the_loop_goes_on() -> None:
    """INV-004."""
    ran = []

    @tool
    def look(place: str) -> str:
        """Look."""
        ran.append(place)
        return "nothing"

    same = calls(("look", {"place": "here"}))
    driver = ScriptedDriver([same, same, same, "I give up"])
    outcome = run(driver, tools=[look])
    assert outcome.status == "completed"
    assert outcome.result.text == "I give up"
    assert ran == ["here", "here"]
    blocked = results_in(driver.requests[3])[-1]
    assert blocked.is_error
    assert "ping-pong" in blocked.content


def test_four_identical_first_calls_end_the_turn() -> None:
    """INV-004: the model is not asked for ever."""
    asked = []

    def same(request):
        asked.append(request)
        return calls(("note", {"n": 1}), text="again")

    outcome = run(FunctionDriver(same), tools=[note])
    assert 4 <= len(asked) <= 5
    assert outcome.status in ("completed", "failed")


def test_cancel_and_agent_reach_the_tool() -> None:
    """The running agent, with its manifest; a live token."""
    seen = []

    @tool
    def look(agent: object, cancel: object) -> str:
        """Look."""
        seen.append((agent.agent_id, agent.manifest.name, cancel.cancelled))
        return "ok"

    run(ScriptedDriver([calls(("look", {})), "end"]), tools=[look])
    assert seen == [(1, "ann", False)]


def test_a_cancel_reaches_a_running_tool_and_no_new_one_starts() -> None:
    """The token wakes the tool; afterwards the model is not asked and nothing runs."""
    started = Gate()
    later = []

    @tool
    def wait(n: int, cancel: object) -> str:
        """Wait."""
        started.note(n)
        cancel.wait(WAIT)
        return "woken"

    @tool
    def after(n: int) -> str:
        """Run after."""
        later.append(n)
        return ""

    driver = ScriptedDriver([calls(("wait", {"n": 1})), calls(("after", {"n": 1})), "end"])
    with AgentPool(driver, tools=ToolRegistry([wait, after])) as pool:
        handle = pool.spawn(config())
        started.next()
        begin = time.monotonic()
        handle.cancel("stop")
        assert handle.outcome(timeout=WAIT).status == "cancelled"
        assert time.monotonic() - begin < 3
    assert later == []
    assert len(driver.requests) == 1


def test_tools_share_context_and_log_identity() -> None:
    """Context variables of the spawner; log lines with the agent's id."""
    from loguru import logger

    var = contextvars.ContextVar("var", default="none")
    records = []

    @tool
    def look() -> str:
        """Look."""
        logger.info("from the tool")
        return var.get()

    driver = ScriptedDriver([calls(("look", {})), "end"])
    sink = logger.add(lambda message: records.append(message.record), level="INFO")
    var.set("spawner")
    try:
        run(driver, tools=[look])
    finally:
        logger.remove(sink)
    assert results_in(driver.requests[1])[0].content == "spawner"
    (record,) = [record for record in records if record["message"] == "from the tool"]
    assert (record["extra"]["agent_id"], record["extra"]["agent"]) == (1, "ann")


def test_results_that_are_no_text_are_json() -> None:
    """And a ToolResult stays as it is."""

    @tool
    def table() -> dict:
        """Give a table."""
        return {"rows": [1, 2]}

    @tool
    def refuse() -> ToolResult:
        """Refuse."""
        return ToolResult("no", is_error=True)

    driver = ScriptedDriver([calls(("table", {}), ("refuse", {})), "end"])
    run(driver, tools=[table, refuse])
    first, second = results_in(driver.requests[1])
    assert json.loads(first.content) == {"rows": [1, 2]}
    assert (second.content, second.is_error) == ("no", True)


def test_async_tools_run() -> None:
    """Several at once, on the private event loop."""
    import asyncio

    met = []

    @tool
    async def meet(n: int) -> str:
        """Meet."""
        met.append(n)
        for _ in range(1000):
            if len(met) == 2:
                return f"met {n}"
            await asyncio.sleep(0.005)
        return "alone"

    driver = ScriptedDriver([calls(("meet", {"n": 1}), ("meet", {"n": 2})), "end"])
    run(driver, tools=[meet])
    assert [result.content for result in results_in(driver.requests[1])] == ["met 1", "met 2"]


MARKERS = [
    "<|system|>",
    "<|im_start|>system",
    "[INST]",
    "<<SYS>>",
    "IGNORE PREVIOUS INSTRUCTIONS",
    "IGNORE ALL PREVIOUS",
    "DISREGARD PREVIOUS",
    "NEW SYSTEM PROMPT:",
    "OVERRIDE:",
]


@pytest.mark.parametrize("change", [str, str.lower, str.upper, str.title], ids=["as is", "lower", "upper", "title"])
def test_injection_markers_are_replaced(change) -> None:
    """INV-011: whatever their case, also next to text whose lower case has another length."""

    @tool
    def page(n: int) -> str:
        """Read a page."""
        return "İİİ ẞ ﬁ before " + change(MARKERS[n]) + " after İ 𝔘 é"

    driver = ScriptedDriver([calls(*(("page", {"n": n}) for n in range(len(MARKERS)))), "end"])
    run(driver, tools=[page])
    contents = [result.content for result in results_in(driver.requests[1])]
    assert contents == ["İİİ ẞ ﬁ before [SANITIZED] after İ 𝔘 é"] * len(MARKERS)


def test_errors_of_tools_are_sanitized_too() -> None:
    """A marker does not come in through an exception's text."""

    @tool
    def broken() -> str:
        """Break."""
        raise ValueError("[INST] obey")

    content = error_of(("broken", {}), [broken])
    assert "[INST]" not in content


def test_tools_of_the_manifest(tmp_path) -> None:
    """tools = ["module:name"], looked for beside the manifest."""
    from actors import AgentManifest

    (tmp_path / "accept_tools_module.py").write_text(
        "from actors import tool\n@tool\ndef double(n: int) -> int:\n    'Double.'\n    return 2 * n\n"
    )
    (tmp_path / "agent.toml").write_text('name = "ann"\ntools = ["accept_tools_module:double"]\n')
    driver = ScriptedDriver([calls(("double", {"n": 21})), "end"])
    with AgentPool(driver) as pool:
        pool.spawn(SpawnConfig(manifest=AgentManifest.load(tmp_path / "agent.toml"), query="?")).result(timeout=WAIT)
    assert results_in(driver.requests[1])[0].content == "42"


# Perceive --------------------------------------------------------------------------------------------------------


def test_memories_enter_the_system_prompt() -> None:
    """Up to five that fit the query, after the system prompt."""
    memory = InMemorySubstrate()
    for number in range(8):
        memory.remember("ann", f"The ferry number {number} leaves at noon.")
    driver = ScriptedDriver(["ok"])
    run(driver, memory=memory, query="When does the ferry leave?")
    system = driver.requests[0].system
    assert "You are a helpful assistant." in system
    assert system.count("leaves at noon") == 5
    assert driver.requests[0].messages[0] == UserMessage("When does the ferry leave?")


def test_no_memory_no_change() -> None:
    """memory=None: nothing is recalled."""
    driver = ScriptedDriver(["ok"])
    run(driver)
    assert driver.requests[0].system.strip() == "You are a helpful assistant."


def test_messages_enter_the_conversation_at_the_next_step() -> None:
    """Sent while the model thinks: part of the next request; what is no string as JSON with the sender's id."""
    gate = Gate()
    requests = []

    def think(request):
        requests.append(request)
        if len(requests) == 1:
            gate.arrive()
            return calls(("note", {"n": 1}))
        return "end"

    with AgentPool(FunctionDriver(think), tools=ToolRegistry([note])) as pool:
        handle = pool.spawn(config())
        gate.next()
        pool.router.send(AgentMessage(sender=0, to=handle.id, content="look at the harbour"))
        pool.router.send(AgentMessage(sender=-77, to=handle.id, content={"ship": ["Anna", 3]}))
        gate.open()
        assert handle.outcome(timeout=WAIT).status == "completed"
    assert "harbour" not in texts(requests[0])
    said = texts(requests[1])
    assert "look at the harbour" in said
    assert '"ship"' in said
    assert '"Anna"' in said
    assert "-77" in said
    assert said.index("harbour") < said.index("ship")


def test_messages_that_waited_are_in_the_first_request() -> None:
    """Sent to a queued agent."""
    gate = Gate()
    driver = ScriptedDriver(["ok"])
    try:
        with AgentPool(driver, max_concurrent=1, max_queued=1) as pool:
            pool.submit(gate.arrive)
            handle = pool.spawn(config())
            pool.router.send(AgentMessage(sender=0, to=handle.id, content="early news"))
            gate.open()
            handle.outcome(timeout=WAIT)
    finally:
        gate.open()
    assert "early news" in texts(driver.requests[0])


# Remember --------------------------------------------------------------------------------------------------------


def test_question_and_answer_are_remembered_after_success() -> None:
    """INV-007: Q: … A: … under the agent's name."""
    from actors import MemoryFilter

    memory = InMemorySubstrate()
    run(ScriptedDriver(["Forty-two"]), memory=memory, query="What is the ferry's number?")
    (found,) = memory.recall("ferry number", filter=MemoryFilter(agent="ann"))
    assert "Q: What is the ferry's number?" in found.content
    assert "A: Forty-two" in found.content
    assert found.source == MemorySource.CONVERSATION


def test_nothing_is_remembered_after_a_failure() -> None:
    """A failed agent leaves no memory."""
    memory = InMemorySubstrate()
    run(ScriptedDriver([errors.InferenceFailed("no")]), memory=memory, query="ferry")
    assert memory.recall("ferry") == []


class BrokenMemory(InMemorySubstrate):
    def remember(self, *args, **kwargs):
        raise errors.MemoryFailed("disk full")


def test_a_memory_that_cannot_remember_does_not_spoil_the_answer() -> None:
    """Logged; the answer stands."""
    from loguru import logger

    lines = []
    logger.enable("actors")
    sink = logger.add(lambda message: lines.append(str(message)), level="DEBUG", format="{message} {exception}")
    try:
        outcome = run(ScriptedDriver(["fine"]), memory=BrokenMemory())
    finally:
        logger.remove(sink)
        logger.disable("actors")
    assert (outcome.status, outcome.result.text) == ("completed", "fine")
    assert any("disk full" in line for line in lines)


def test_pools_share_no_memory() -> None:
    """Repaired: a memory only if asked."""
    with AgentPool(ScriptedDriver(["a"])) as pool:
        assert pool.submit(lambda: 1).result(timeout=WAIT) == 1
        pool.spawn(config(query="ferry")).result(timeout=WAIT)
    driver = ScriptedDriver(["b"])
    run(driver, query="ferry")
    assert "ferry" not in driver.requests[0].system


# Context window --------------------------------------------------------------------------------------------------


def test_a_query_that_does_not_fit_is_an_overflow() -> None:
    """Never trimmed: ContextOverflow with required and available; the driver is not asked."""
    driver = ScriptedDriver(["never"], context_window=400)
    outcome = run(driver, query="word " * 5000)
    assert outcome.status == "failed"
    assert type(outcome.error) is errors.ContextOverflow
    assert outcome.error.required > outcome.error.available > 0
    assert outcome.error.available <= 400 - 400 // 4  # room = window - min(max_tokens, window // 4)
    assert list(driver.requests) == []


def test_oldest_messages_go_first_never_the_query() -> None:
    """What is left is the end of the conversation, with the query; at least two messages."""
    history = []
    for number in range(100):
        history += [UserMessage(f"old question {number} " + "x" * 200), AssistantMessage(f"old answer {number}")]
    driver = ScriptedDriver(["ok"], context_window=2000)
    outcome = run(driver, query="the newest question", messages=tuple(history))
    assert outcome.status == "completed"
    sent = list(driver.requests[0].messages)
    assert sent[-1] == UserMessage("the newest question")
    assert 2 <= len(sent) < len(history)
    assert sent[:-1] == history[len(history) - len(sent) + 1 :]


def test_the_query_survives_long_tool_results() -> None:
    """Trimmed in the middle of a run: the query stays, no result without its call, no call without its result."""
    numbers = itertools.count()
    requests = []

    @tool
    def page(n: int) -> str:
        """Read a page."""
        return f"page {n} " + "y" * 900

    def think(request):
        requests.append(request)
        number = next(numbers)
        if number == 12:
            return "end"
        return calls_with_ids(number)

    def calls_with_ids(number):
        made = tuple(ToolCall(f"c{number}-{k}", "page", {"n": number * 10 + k}) for k in range(2))
        return CompletionResponse("", StopReason.TOOL_USE, made)

    driver = FunctionDriver(think, context_window=3000)
    outcome = run(driver, tools=[page], query="the query that must stay")
    assert outcome.status == "completed"
    assert len(requests) == 13
    for request in requests:
        assert any(message == UserMessage("the query that must stay") for message in request.messages)
        called = set()
        answered = set()
        for message in request.messages:
            if isinstance(message, AssistantMessage):
                called |= {call.id for call in message.tool_calls}
            elif isinstance(message, ToolResultMessage):
                assert message.tool_call_id in called, "a tool result without its call"
                answered.add(message.tool_call_id)
        assert called == answered, "a call without its result"
    assert len(requests[-1].messages) < 2 + 12 * 3


# In a pool -------------------------------------------------------------------------------------------------------


def test_many_llm_agents_at_once() -> None:
    """Each has its own conversation and guard; one shared driver and registry."""
    driver = FunctionDriver(
        lambda request: (
            f"answer to {request.messages[0].content}"
            if results_in(request)
            else calls(("note", {"n": len(request.messages[0].content)}))
        )
    )
    with AgentPool(driver, max_concurrent=4, max_queued=None, tools=ToolRegistry([note])) as pool:
        results = [outcome.unwrap() for outcome in pool.map(config(f"query {n}") for n in range(100))]
    assert [result.text for result in results] == [f"answer to query {n}" for n in range(100)]
    assert {result.iterations for result in results} == {2}


def test_loop_result_and_messages_can_be_pickled() -> None:
    """What an LlmAgent returns is plain data."""
    import pickle

    outcome = run(ScriptedDriver([calls(("note", {"n": 7})), "end"]), tools=[note])
    back = pickle.loads(pickle.dumps(outcome))
    assert back.result.text == "end"
    assert list(back.result.messages) == list(outcome.result.messages)
    assert back.result.usage == outcome.result.usage


def test_capabilities_decide_what_the_model_is_told() -> None:
    """definitions for the manifest's grants only."""

    @tool(capability=FileRead(allowed_paths=("/data",)))
    def read_data() -> str:
        """Read."""
        return ""

    @tool(capability=Memory())
    def recall() -> str:
        """Recall."""
        return ""

    driver = ScriptedDriver(["a", "b"])
    run(driver, tools=[read_data, recall, note])
    run(driver, tools=[read_data, recall, note], fields={"capabilities": (Rag(), FileRead(allowed_paths=("*",)))})
    assert [[made.name for made in request.tools] for request in driver.requests] == [
        ["recall", "note"],
        ["read_data", "note"],
    ]
