"""Tools with which agents work together (``spawn``): start a child, send and wait for messages, see who is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..agent.assembly.llm_agent import LlmAgent
from ..agent.config import SpawnConfig
from ..agent.specialist import answer_of
from ..agent.terms.capability import Spawn
from ..agent.terms.message_text import as_text, heard
from ..errors import SendError, ToolFailed
from .tool import tool

if TYPE_CHECKING:
    from ..agent.agent import Agent
    from ..agent.terms.manifest import AgentManifest

MAX_WAIT = 3600.0
MAX_LISTED = 200

# A grant of depth 0 is enough to talk with others; how deep an agent may start children is looked at by the pool.
TALKS = Spawn(max_depth=0)


@tool(capability=TALKS, timeout=None, effect="idempotent")
def spawn_agent(
    task: Annotated[str, Field(min_length=1)],
    name: Annotated[str, Field(min_length=1, max_length=100)] = "helper",
    instructions: str | None = None,
    timeout: Annotated[float, Field(gt=0, le=MAX_WAIT)] = 600.0,
    *,
    agent: Agent[Any],
) -> str:
    """Start an agent of your own kind for one task, and wait for its answer. It knows nothing but what you tell it.

    Args:
        task: What it has to do, with all that it needs to know.
        name: A name for it.
        instructions: Who it is, in place of your own instructions.
        timeout: Seconds that it may take.
    """
    kin, settings = _kin(agent.manifest, name, instructions), agent.config.settings
    if settings is not None:  # what has to be called first was said of another task
        settings = settings.without_choice()
    return as_text(answer_of(agent, SpawnConfig(kin, task, agent=LlmAgent, timeout=timeout, settings=settings)))


def _kin(manifest: AgentManifest, name: str, instructions: str | None) -> AgentManifest:
    """The manifest of a child: that of its parent, with a name and perhaps instructions of its own."""
    model = manifest.model
    if model.tool_choice == spawn_agent.name:  # else each of them would begin with a child of its own
        model = model.model_copy(update={"tool_choice": None})
    if instructions is not None:
        # A model wrote them: they name nothing of the program's.
        plain = {"prompt_template": False} if "$" in instructions else {}
        model = model.model_copy(update={"system_prompt": instructions, **plain})
    return manifest.model_copy(update={"name": name, "description": "", "model": model, "agent": None})


@tool(capability=TALKS, effect="at_most_once")
def send_message(to: Annotated[int, Field(ge=0)], content: str, *, agent: Agent[Any]) -> str:
    """Send a message to another agent, and do not wait for an answer.

    Args:
        to: The agent's id, from list_agents or from a message of its own; 0 is the program that started all.
        content: What it should know.
    """
    try:
        agent.send(to, content)
    except SendError as error:
        raise ToolFailed(f"{error}; list_agents tells who is there") from error
    return f"sent to {to}"


@tool(capability=TALKS, timeout=None, repeatable=True, effect="idempotent")
def wait_for_message(timeout: Annotated[float, Field(ge=0, le=MAX_WAIT)] = 60.0, *, agent: Agent[Any]) -> Any:
    """Wait for the next message from another agent or from the program, and read it.

    Args:
        timeout: Seconds to wait.
    """
    try:
        return heard(agent.receive(timeout))
    except TimeoutError as error:
        raise ToolFailed(f"no message came within {timeout:g} s") from error


@tool(capability=TALKS, repeatable=True, effect="idempotent")
def list_agents(*, agent: Agent[Any]) -> dict[str, Any]:
    """List the agents that are there: id, name, what each is at, and who started it (0 = the program)."""
    others = agent._context.colleagues()
    shown = [
        {"id": other.id, "name": other.name, "status": other.status, "parent": other.parent_id}
        for other in others[:MAX_LISTED]
    ]
    listing = {"your_id": agent.agent_id, "agents": shown}
    return listing if len(others) <= MAX_LISTED else {**listing, "not_shown": len(others) - MAX_LISTED}


AGENT_TOOLS = (spawn_agent, send_message, wait_for_message, list_agents)
"""All of them, for a ``ToolRegistry``."""
