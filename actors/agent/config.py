"""One agent to be started."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, field_validator
from pydantic.errors import PydanticInvalidForJsonSchema

from ..core.actors.agent_actor import AgentActor
from ..core.records.conversation import AssistantMessage, SystemMessage, ToolResultMessage, UserMessage
from .budget import Budget
from .manifest import AgentManifest
from .structured import shape_of

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SpawnConfig(BaseModel):
    """One agent to be started.

    Args:
        manifest: What it is.
        query: What it has to do.
        agent: An ``Agent`` subclass; None takes the manifest's, or the ``LlmAgent``.
        kwargs: For the constructor of *agent*.
        timeout: Seconds of life from its first start, parks and restarts included.
        deadline: Seconds from admission, the queue included.
        priority: Higher ones start first.
        group: Groups take turns; ``join_all(group=...)`` joins one.
        tag: Anything; comes back in the outcome.
        driver, tools, memory: In place of the pool's.
        messages: The conversation before the query.
        keep_messages: Does the outcome have the conversation?
        output_type: What the answer of an ``LlmAgent`` must be (a pydantic model, ``list[int]``): the result is such a
            value in place of an ``AgentLoopResult``. An answer that does not fit goes back to the model, 3 times.
        budget: What the agent and all below it may spend together; besides those of the pool and the group.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    manifest: AgentManifest
    query: Any
    agent: type[Any] | None = None
    kwargs: dict[str, Any] = {}
    timeout: Seconds | None = None
    deadline: Seconds | None = None
    priority: int = 0
    group: Hashable | None = None
    tag: Any = None
    driver: Any = None
    tools: Any = None
    memory: Any = None
    messages: tuple[UserMessage | AssistantMessage | ToolResultMessage | SystemMessage, ...] = ()
    output_type: Any = None
    budget: Budget | None = None
    keep_messages: bool = True

    def __init__(self, /, *args: Any, **fields: Any) -> None:
        if args:
            if len(args) > 2:
                raise TypeError(
                    f"SpawnConfig takes manifest and query, got {len(args)} positional values; name the others"
                )
            fields.update(zip(("manifest", "query"), args, strict=False))
        super().__init__(**fields)

    @field_validator("group")
    @classmethod
    def _is_hashable(cls, group: Hashable | None) -> Hashable | None:
        try:
            hash(group)
        except TypeError as error:
            raise ValueError(f"a group must be hashable: {error}") from error
        return group

    @field_validator("output_type")
    @classmethod
    def _can_be_checked(cls, output_type: Any) -> Any:
        if output_type is not None:
            try:
                shape_of(output_type)
            except (PydanticUserError, PydanticInvalidForJsonSchema, TypeError) as error:
                raise ValueError(f"pydantic has no JSON Schema for {output_type!r}: {error}") from error
        return output_type

    @field_validator("agent")
    @classmethod
    def _is_agent(cls, agent: type[Any] | None) -> type[Any] | None:
        if agent is not None and not issubclass(agent, AgentActor):
            raise ValueError(f"{agent.__name__} is no subclass of actors.Agent")
        return agent
