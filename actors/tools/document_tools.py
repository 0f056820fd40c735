"""A tool with which an agent looks into the documents of its memory (``rag``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..agent.ports import MemoryFilter, MemorySource
from ..agent.terms.capability import Rag
from ..errors import ToolFailed
from .tool import tool

if TYPE_CHECKING:
    from ..agent.agent import Agent
    from ..agent.ports import MemorySubstrate


@tool(capability=Rag(), effect="idempotent")
def search_documents(
    query: Annotated[str, Field(min_length=1)], limit: Annotated[int, Field(ge=1, le=20)] = 5, *, agent: Agent[Any]
) -> list[dict[str, Any]]:
    """Find the pieces of the documents that fit a query, the best first; an empty list when nothing fits. Each says
    which document it is from, and which piece of it, so that you can quote it.

    Args:
        query: Words that stand in what you look for.
        limit: How many pieces at most.
    """
    memory: MemorySubstrate | None = agent.memory
    if memory is None:
        raise ToolFailed('this agent has no documents: give its pool a memory with some (memory=SqliteMemory("..."))')
    return [
        {
            "document": fragment.document,
            "piece": fragment.piece,
            "content": fragment.content,
            "score": round(fragment.score, 3),
        }
        for fragment in memory.recall(query, limit, MemoryFilter(source=MemorySource.DOCUMENT))
    ]


DOCUMENT_TOOLS = (search_documents,)
"""For a ``ToolRegistry``."""
