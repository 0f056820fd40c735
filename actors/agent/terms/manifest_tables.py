"""The tables of a manifest for what stands beside the model: context, other agents, guardrails, a memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field, field_validator

from ...public import publish
from .manifest_table import (
    Count,
    ManifestOrPath,
    ManifestTable,
    ObjectPath,
    Text,
    ToolName,
    Word,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .keywords import (
        AgentKeywords,
        ContextKeywords,
        GuardrailKeywords,
        HandoffKeywords,
        MemoryKeywords,
    )


SUMMARIZE: Final = "summarize"
"""The policy that wants summaries."""


class ContextTable(ManifestTable, frozen=True):
    """What becomes of a conversation that no longer fits the context window.

    Args:
        policy: ``drop_oldest`` leaves out the oldest turns; ``summarize`` puts one summary in their place;
            ``package.module:function`` asks a function of your own.
        keep_last: So many of the last messages stay as they are.
        summary_model: The model that summarizes; None: the agent's own.
        summary_every: At most one summary in so many turns.
    """

    policy: Word = "drop_oldest"
    keep_last: Count = 6
    summary_model: Word | None = None
    summary_every: Count = 4

    if TYPE_CHECKING:

        def __init__(self, /, **fields: Unpack[ContextKeywords]) -> None: ...

    @field_validator("policy")
    @classmethod
    def _is_policy(cls, policy: str) -> str:
        if policy in ("drop_oldest", SUMMARIZE):
            return policy
        module, colon, name = policy.partition(":")
        if not (module and colon and name):
            raise ValueError(
                f"policy is 'drop_oldest', 'summarize' or a function as 'package.module:function', not {policy!r}"
            )
        return policy


class HandoffTable(ManifestTable, frozen=True):
    """Another manifest under which the conversation may go on: the model sees a tool ``transfer_to_NAME``.

    Args:
        name: Of the tool; letters, digits, ``_`` and ``-``.
        manifest: Its file, from this manifest's folder; in Python also the ``AgentManifest`` itself.
        description: When to hand off, for the model.
    """

    name: ToolName
    manifest: ManifestOrPath
    description: Text = ""

    if TYPE_CHECKING:

        def __init__(self, /, **fields: Unpack[HandoffKeywords]) -> None: ...


class AgentTable(ManifestTable, frozen=True):
    """Another agent as a tool ``agent_NAME(query)``: its result is what it answers.

    Args:
        name: Of the tool; letters, digits, ``_`` and ``-``.
        manifest: Its file, from this manifest's folder; in Python also the ``AgentManifest`` itself.
        description: What it is good for, for the model.
        own_grants: It has the grants of its own manifest, also those that this one has not. Whoever writes that here
            says so for this agent alone.
    """

    name: ToolName
    manifest: ManifestOrPath
    description: Text = ""
    own_grants: Annotated[bool, Field(strict=True)] = False

    if TYPE_CHECKING:

        def __init__(self, /, **fields: Unpack[AgentKeywords]) -> None: ...

    def without_own_grants(self) -> AgentTable:
        """It, with no more grants than whoever calls it."""
        return self.model_copy(update={"own_grants": False})


class GuardrailTable(ManifestTable, frozen=True):
    """What is checked on the way.

    Args:
        use: ``package.module:name``, each a guardrail: a function, or an object with some of the methods.
        concurrent: May ``check_input`` run beside the first completion?
    """

    use: tuple[ObjectPath, ...] = ()
    concurrent: Annotated[bool, Field(strict=True)] = False

    if TYPE_CHECKING:

        def __init__(self, /, **fields: Unpack[GuardrailKeywords]) -> None: ...


class MemoryTable(ManifestTable, frozen=True):
    """Where the agent remembers, and whether it does.

    Args:
        path: A file of a ``SqliteMemory``, from this manifest's folder; None: the memory is the pool's.
        remember: Its query and answer are remembered. False where all who share a memory may read it, and not each
            other's words. Nobody remembers more than whoever started it, or handed the conversation on.
    """

    path: Word | None = None
    remember: bool = True

    if TYPE_CHECKING:

        def __init__(self, /, **fields: Unpack[MemoryKeywords]) -> None: ...


def names_of(entries: Any) -> list[Any]:
    """The names in a list of tables, as they were given."""
    return [entry.get("name") if isinstance(entry, dict) else getattr(entry, "name", None) for entry in entries or ()]


publish("actors.manifests", AgentTable, ContextTable, GuardrailTable, HandoffTable, MemoryTable)
