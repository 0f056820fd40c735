"""What an agent has, in two parts: what many have in common, and what is its own."""

from __future__ import annotations

from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from ..config import SpawnConfig
from ..function_agent import FunctionAgent
from .factory import NO_ACCOUNT, AgentParts

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from ..agent import Agent
    from ..config import ToolSource
    from ..guardrails import Guardrails
    from ..ports import LlmDriver, MemorySubstrate
    from ..terms.manifest import AgentManifest
    from ..terms.structured import Shape
    from ..transfer import Destination, Transfer
    from .factory import AgentFactory

IN_COMMON = ("output_type", "settings", "keep_messages", "stream", "history")
OWN = ("kwargs", "messages", "key", "session", "timeout", "deadline", "priority")
"""The fields of a config that go where an agent lives. The others stand in the parts themselves, or are the program's:
who is told of it, its tag and its group.
"""
FUNCTION = "fn"


@dataclass(frozen=True, slots=True)
class AgentKit:
    """What an agent has in common with others: found, cut down and checked.

    Args:
        tools: Where its tools come from.
        config: Of its config, the fields of ``IN_COMMON`` that were set.
        fn: Of an agent that is a plain function, this function, where it stands at the top of a module.
    """

    manifest: AgentManifest
    agent_class: type[Agent[Any]]
    driver: LlmDriver | None
    memory: MemorySubstrate | None
    tools: ToolSource | None
    shape: Shape | None
    transfers: tuple[Transfer, ...]
    guardrails: Guardrails | None
    config: Mapping[str, Any]
    fn: Any = None

    @classmethod
    def of(cls, parts: AgentParts) -> AgentKit:
        """That of an agent with *parts*."""
        config = parts.config
        given = {name: getattr(config, name) for name in IN_COMMON if name in config.model_fields_set}
        return cls(
            parts.manifest, parts.agent_class, parts.driver, parts.memory, parts.tool_source, parts.shape,
            parts.transfers, parts.guardrails, given, _common_function(parts),
        )  # fmt: skip


class AgentOwn(NamedTuple):
    """What an agent has alone.

    Args:
        config: Of its config, the fields of ``OWN`` that were set.
    """

    query: Any
    config: Mapping[str, Any]
    deps: Any = None

    @classmethod
    def of(cls, parts: AgentParts) -> AgentOwn:
        """That of an agent with *parts*."""
        config = parts.config
        given = {name: getattr(config, name) for name in OWN if name in config.model_fields_set}
        if parts.agent_class is FunctionAgent and _common_function(parts) is not None:
            given["kwargs"] = {name: value for name, value in config.kwargs.items() if name != FUNCTION}
        return cls(config.query, given, parts.deps)


def equip(factory: AgentFactory, kit: AgentKit, own: AgentOwn) -> AgentParts:
    """The parts of an agent that was checked elsewhere: nothing is checked again. Whom it is charged to, and what is
    recorded of it, is for whoever checked it to say.
    """
    if kit.driver is not None:
        factory.keep(kit.driver)
    return AgentParts(
        factory, _config_of(kit, own), kit.manifest, kit.agent_class, kit.driver, kit.memory, factory.no_tools,
        kit.tools, NO_ACCOUNT, kit.shape, deps=own.deps, transfers=kit.transfers, guardrails=kit.guardrails,
    )  # fmt: skip


def _config_of(kit: AgentKit, own: AgentOwn) -> SpawnConfig[Any]:
    """The config of an agent with both: nothing is checked again."""
    fields: dict[str, Any] = {**kit.config, **own.config}
    if kit.fn is not None:
        fields["kwargs"] = {**own.config["kwargs"], FUNCTION: kit.fn}
    return SpawnConfig.model_construct(
        manifest=kit.manifest, query=own.query, agent=kit.agent_class, deps=own.deps, **fields
    )


def sources_of(parts: AgentParts) -> tuple[list[object], tuple[Hashable, ...]]:
    """What the kit of *parts* is made of: objects, and plain values. Equal for two agents, their kits are the same; but
    for a child: what it has also depends on its parent.
    """
    config = parts.config
    objects = [
        config.manifest, parts.agent_class, parts.driver, parts.memory, parts.tool_source, config.output_type,
        config.settings, _common_function(parts),
    ]  # fmt: skip
    objects += config.handoffs
    objects += config.guardrails
    word = config.driver if isinstance(config.driver, str) else None
    set_of = tuple(name in config.model_fields_set for name in IN_COMMON)
    return objects, (word, config.keep_messages, config.stream, config.history, set_of, len(config.handoffs))


def destinations_of(transfers: Iterable[Transfer]) -> list[Destination]:
    """All that *transfers* lead to, in whatever circles."""
    found = list(dict.fromkeys(transfer.destination for transfer in transfers))
    for destination in found:  # it grows
        found += [each.destination for each in destination.transfers if each.destination not in found]
    return found


def _common_function(parts: AgentParts) -> Any:
    """The function of an agent that is one, if others may be the same: not made anew for each, and holding nothing."""
    if parts.agent_class is not FunctionAgent:
        return None
    fn = parts.config.kwargs[FUNCTION]
    is_plain = type(fn) in (FunctionType, BuiltinFunctionType) or isinstance(fn, type)
    return fn if is_plain and "<" not in fn.__qualname__ and getattr(fn, "__closure__", None) is None else None
