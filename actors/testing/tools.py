"""What every tool promises, as tests."""

from __future__ import annotations

import inspect
import json
import re
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ..agent.config import SpawnConfig
from ..agent.effects import effect_of
from ..agent.ports import CompletionResponse, PrivacyTier, StopReason, Tool, ToolDefinition, ToolResult
from ..agent.terms.approval_rules import ApprovalRule
from ..agent.terms.effect import Effect
from ..agent.terms.manifest import AgentManifest
from ..core.records.conversation import ToolCall, ToolResultMessage
from ..core.waiting.cancel import CancelToken
from ..drivers.scripted import ScriptedDriver
from ..errors import Cancelled
from ..pool import AgentPool
from ..tools.registry import ToolRegistry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..agent.ports import MemorySubstrate
    from ..agent.terms.capability import Capability

BOUND = 30.0
"""Seconds after which a wait has failed. None of them is meant to take long."""
AT_ONCE = 8
NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")

ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 10**30, 1e308, "", "\0", "\n", "../" * 50, "\u202e\ufffd\U0001f600", "x" * 100_000, [], [[[]]],
    {"": {}},
)  # fmt: skip
"""What a model may send in place of any argument."""


class ToolConformance:
    """The suite for tools. Subclass it, say how to make yours and what it takes, and let pytest collect it.

    What a tool has to be closed with goes into ``self.cleanup``, an ``ExitStack`` that each test closes.
    """

    cleanup: ExitStack

    def setup_method(self) -> None:
        """Before each test."""
        self.cleanup = ExitStack()

    def teardown_method(self) -> None:
        """After each test."""
        self.cleanup.close()

    # What a subclass says ---------------------------------------------------------------------------------------

    def tool(self) -> Tool:
        """The tool."""
        raise NotImplementedError

    def input(self) -> Mapping[str, Any]:
        """Arguments of a call that succeeds, again and again."""
        raise NotImplementedError

    def grants(self) -> tuple[Capability, ...]:
        """What an agent has to be granted for that call; by default what the tool says that it needs."""
        needed = self.tool().required_capability
        return () if needed is None else (needed,)

    def memory(self) -> MemorySubstrate | None:
        """The memory of the agent that calls."""
        return None

    # The tests --------------------------------------------------------------------------------------------------

    def test_what_it_is(self) -> None:
        """Its name, its definition and its time make sense."""
        tool = self.tool()
        assert isinstance(tool, Tool)
        assert NAME.fullmatch(tool.name), f"no provider takes the name {tool.name!r}"
        assert isinstance(tool.definition, ToolDefinition)
        assert tool.definition.name == tool.name
        assert tool.definition.description.strip(), "a model has nothing to choose it by"
        assert tool.timeout is None or tool.timeout > 0
        assert ToolRegistry([tool]).get(tool.name) is tool

    def test_what_it_may_say_of_its_calls(self) -> None:
        """Its optional attributes are such as they are read."""
        tool = self.tool()
        assert isinstance(getattr(tool, "approval", None), ApprovalRule | None)
        assert isinstance(getattr(tool, "repeatable", False), bool)
        assert callable(getattr(tool, "check", len))
        effect, reconcile = effect_of(tool), getattr(tool, "reconcile", None)
        if reconcile is not None:
            assert effect is Effect.AT_MOST_ONCE, "what is idempotent is simply made again: nobody asks reconcile"
            inspect.signature(reconcile).bind("key", self.input())

    def test_its_schema_describes_an_object(self) -> None:
        """In JSON, with every argument of the good call."""
        schema = self.tool().definition.input_schema
        json.dumps(schema)
        assert schema.get("type") == "object"
        properties = schema.get("properties", {})
        assert set(self.input()) <= set(properties), "the good call has arguments that the schema does not know"
        assert set(schema.get("required", ())) <= set(properties)
        assert not {"cancel", "agent", "effect_key"} & set(properties), "these are filled in, not asked of a model"

    def test_a_good_call_succeeds(self) -> None:
        """With a text; twice."""
        for _ in range(2):
            result = self._call(self.input())
            assert not result.is_error, result.content
            assert isinstance(result.content, str)

    def test_without_its_capability_nobody_may_call_it(self) -> None:
        """It is not offered, and a call is refused."""
        if self.tool().required_capability is None:
            return
        assert ToolRegistry([self.tool()]).definitions_for(()) == []
        result = self._call(self.input(), grants=())
        assert result.is_error
        assert "capability" in result.content

    def test_an_unknown_argument_is_an_error(self) -> None:
        """A readable one, that names it."""
        result = self._call({**self.input(), "no_such_argument": 1})
        assert result.is_error
        assert "no_such_argument" in result.content

    def test_a_missing_argument_is_an_error(self) -> None:
        """For each that is required."""
        for name in self.tool().definition.input_schema.get("required", ()):
            given = {key: value for key, value in self.input().items() if key != name}
            result = self._call(given)
            assert result.is_error
            assert name in result.content

    def test_odd_arguments_do_no_harm(self) -> None:
        """Whatever a model sends in place of an argument, it gets an answer."""
        for name in self.tool().definition.input_schema.get("properties", {}):
            for value in ODD_VALUES:
                assert isinstance(self._call({**self.input(), name: value}).content, str)

    def test_a_cancelled_call_ends(self) -> None:
        """When it was cancelled before: by ``Cancelled``, or with an answer."""
        token = CancelToken()
        token.cancel("before")
        done = threading.Event()

        def call() -> None:
            try:
                self.tool().execute(self.input(), cancel=token, agent=None)
            except (Cancelled, Exception):  # noqa: BLE001 - without an agent it may fail in any way, but end
                pass
            done.set()

        threading.Thread(target=call, daemon=True).start()
        assert done.wait(BOUND), "it does not end"

    def test_it_serves_many_agents_at_once(self) -> None:
        """Each gets its answer."""
        results: list[ToolResultMessage] = []
        threads = [threading.Thread(target=lambda: results.append(self._call(self.input()))) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        assert [result.is_error for result in results] == [False] * AT_ONCE

    def test_its_answer_is_a_result(self) -> None:
        """A ``ToolResult`` with a text, or an exception; called as the loop calls it."""
        seen: list[Any] = []
        tool = self.tool()

        class Looked:
            name, definition, timeout = tool.name, tool.definition, tool.timeout
            required_capability = tool.required_capability

            def execute(self, input: Mapping[str, Any], *, cancel: CancelToken, agent: Any) -> ToolResult:  # noqa: A002
                result = tool.execute(input, cancel=cancel, agent=agent)
                seen.append(result)
                return result

        self._call(self.input(), tool=Looked())
        assert isinstance(seen[0], ToolResult)
        assert isinstance(seen[0].content, str)

    def _call(
        self, arguments: Mapping[str, Any], *, grants: tuple[Capability, ...] | None = None, tool: Tool | None = None
    ) -> ToolResultMessage:
        """Call it by an agent in a pool; what the model is told."""
        tool = tool or self.tool()
        ask = CompletionResponse("", StopReason.TOOL_USE, (ToolCall("call", tool.name, arguments),))
        manifest = AgentManifest(
            name="caller",
            capabilities=self.grants() if grants is None else grants,
            privacy=PrivacyTier.PRIVATE,
        )
        driver = ScriptedDriver([ask, "done"], default="an answer", context_window=10_000_000)
        with AgentPool(driver, tools=ToolRegistry([tool]), memory=self.memory()) as pool:
            outcome = pool.spawn(SpawnConfig(manifest, "Call it.")).outcome(BOUND)
        (result,) = [message for message in outcome.unwrap().messages if isinstance(message, ToolResultMessage)]
        return result
