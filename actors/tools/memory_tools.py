"""Tools with which an agent uses its own memory (``memory``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..agent.ports import MemoryFilter
from ..agent.terms.capability import Memory
from ..errors import ToolFailed
from .tool import tool

if TYPE_CHECKING:
    from ..agent.agent import Agent
    from ..agent.ports import MemoryFragment, MemorySubstrate


@tool(capability=Memory(), effect="at_most_once")
def memory_remember(content: Annotated[str, Field(min_length=1)], *, agent: Agent[Any]) -> str:
    """Store a text in long-term memory, to be found again by its words.

    Args:
        content: What to remember, in full sentences with the words by which you will look for it.
    """
    return f"remembered under id {_memory(agent).remember(agent.manifest.name, content)}"


@tool(capability=Memory(), effect="idempotent")
def memory_recall(
    query: str, limit: Annotated[int, Field(ge=1, le=50)] = 5, *, agent: Agent[Any]
) -> list[dict[str, Any]]:
    """Find what you remembered, the best first; an empty list when nothing fits.

    Args:
        query: Words to look for.
        limit: How many memories at most.
    """
    own = MemoryFilter(agent=agent.manifest.name)
    return [{"id": fragment.id, **_shown(fragment)} for fragment in _memory(agent).recall(query, limit, own)]


# Without ids: an agent forgets only its own. Not among MEMORY_TOOLS: who shares notes between agents says so.
@tool(capability=Memory(), effect="idempotent")
def memory_recall_shared(
    query: str, limit: Annotated[int, Field(ge=1, le=50)] = 5, *, agent: Agent[Any]
) -> list[dict[str, Any]]:
    """Find what you and all other agents remembered, the best first; an empty list when nothing fits.

    Args:
        query: Words to look for.
        limit: How many memories at most.
    """
    return [_shown(fragment) for fragment in _memory(agent).recall(query, limit)]


# Any id is taken, since a memory does not say whose a fragment is: an agent learns only those of its own.
@tool(capability=Memory(), effect="idempotent")
def memory_forget(id: str, *, agent: Agent[Any]) -> str:  # noqa: A002 - the word that memory_recall uses
    """Drop a memory.

    Args:
        id: Its id, as memory_remember and memory_recall give it.
    """
    _memory(agent).forget(id)
    return "forgotten"


@tool(capability=Memory(), effect="idempotent")
def memory_set(key: Annotated[str, Field(min_length=1)], value: Any, *, agent: Agent[Any]) -> str:
    """Store a value under a key, in place of what was there; null drops it.

    Args:
        key: The name of the value.
        value: Any JSON value.
    """
    _memory(agent).set(agent.manifest.name, key, value)
    return f"stored under {key!r}"


@tool(capability=Memory(), effect="idempotent")
def memory_get(key: str, *, agent: Agent[Any]) -> Any:
    """Read the value stored under a key; null when there is none.

    Args:
        key: The name that memory_set was given.
    """
    return _memory(agent).get(agent.manifest.name, key)


MEMORY_TOOLS = (memory_remember, memory_recall, memory_forget, memory_set, memory_get)
"""Those for an agent's own memories, for a ``ToolRegistry``."""


def _shown(fragment: MemoryFragment) -> dict[str, Any]:
    place = {} if fragment.document is None else {"document": fragment.document, "piece": fragment.piece}
    return {
        **place,
        "content": fragment.content,
        "source": fragment.source,
        "score": round(fragment.score, 3),
        "created_at": fragment.created_at,
    }


def _memory(agent: Agent[Any]) -> MemorySubstrate:
    memory: MemorySubstrate | None = agent.memory
    if memory is None:
        raise ToolFailed("this agent has no memory: give its pool one (memory=InMemorySubstrate())")
    return memory
