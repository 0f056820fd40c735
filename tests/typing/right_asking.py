"""A first answer as users write it."""

# pyright: strict
from __future__ import annotations

from typing import assert_type

from pydantic import BaseModel

import actors
from actors import (
    AgentLoopResult,
    AgentOutcome,
    AgentPool,
    Budget,
    FileRead,
    FunctionDriver,
    ModelSettings,
    ToolRegistry,
)


class Point(BaseModel):
    x: int


@actors.tool
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


driver = FunctionDriver(lambda request: str(request.settings.seed))

assert_type(actors.ask("openai:gpt-5", "q"), str)
assert_type(actors.ask(driver, ["any", "thing"], tools=[add], temperature=0, stop=["a"], timeout=3), str)
assert_type(actors.ask("echo", "q", output_type=Point), Point)
assert_type(
    actors.ask("echo", "q", output_type=list[int], tools=ToolRegistry([add]), reasoning_effort="low"), list[int]
)
assert_type(actors.outcome_of("echo", "q", system_prompt="Be.", seed=7), AgentOutcome[AgentLoopResult])
assert_type(actors.outcome_of("echo", "q", output_type=Point, budget=Budget(max_tokens=5)), AgentOutcome[Point])
actors.ask("echo", "q", tool_choice="add", capabilities=[FileRead(allowed_paths=["docs"])], options={"a": 1})
AgentPool("openai:gpt-5")
ModelSettings(tool_choice="required", prompt_cache=True, parallel_tool_calls=False, stop="END")
