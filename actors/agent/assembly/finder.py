"""Finds what manifests name, once for a pool."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ...core.crash import report
from ...errors import ManifestError
from ..context_policy import policy_function
from ..dependencies import known_tools, refuse_deps
from ..guardrails import Guardrails, rails_of
from ..loop.prompt import refuse_prompt
from ..specialist import Specialist
from ..terms.driver_word import DriverWord
from ..terms.linked import linked
from ..terms.prompt_function import PromptFunction
from ..terms.structured import shape_of
from . import resolve
from .llm_agent import LlmAgent

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

    from ..agent import Agent
    from ..config import SpawnConfig, ToolSource
    from ..guardrails import Rail
    from ..ports import LlmDriver, MemorySubstrate, Tool
    from ..terms.linked import LinkTable
    from ..terms.manifest import AgentManifest
    from ..terms.structured import Shape
    from .resolve import FindBuiltIn

T = TypeVar("T")


class Named(NamedTuple):
    """What a manifest or a config names, as it is named: whoever finds it elsewhere makes another one like it."""

    kind: str
    manifest: AgentManifest
    path: str
    place: str = ""


class Finder:
    """Finds what manifests name; each thing is imported, made or read once, for all agents of a pool.

    Args:
        find_driver: A built-in driver's factory by its name.
        open_memory: Opens the file of a memory.

    Threads: any. What was found is kept in ``_found``, ``_named`` and ``_memories``, which change by single operations.
    """

    def __init__(self, find_driver: FindBuiltIn, open_memory: Callable[[Path], MemorySubstrate]) -> None:
        self._find_driver = find_driver
        self._open_memory = open_memory
        self._memories: list[Any] = []
        self._found: dict[tuple[Hashable, ...], Any] = {}
        self._named: dict[int, tuple[Named, Any]] = {}  # with what it names: nothing else gets its id

    def name_of(self, made: object) -> Named | None:
        """How *made*, a driver or a memory, is named; None: somebody gave it as it is."""
        known = self._named.get(id(made))
        return None if known is None else known[0]

    def name(self, made: object, named: Named) -> None:
        """*made* was found as *named*."""
        self._named.setdefault(id(made), (named, made))

    def named(self, named: Named) -> Any:
        """What *named* names here.

        Raises:
            ManifestError: It cannot be had.
        """
        if named.kind == "memory":
            return self.memory(named.manifest)
        return self._driver(named.manifest, named.path, named.place)

    def once(self, key: tuple[Hashable, ...], find: Callable[[], T]) -> T:
        """What *find* found when it was first asked for *key*."""
        if key not in self._found:
            self._found.setdefault(key, find())
        found: T = self._found[key]
        return found

    def agent_class(self, manifest: AgentManifest) -> type[Agent[Any]]:
        """The class that ``agent`` names."""
        if manifest.agent is None:
            return LlmAgent
        return self.once((manifest.folder, manifest.agent), lambda: resolve.agent_class(manifest))

    def shape(self, config: SpawnConfig, manifest: AgentManifest, agent_class: type[Agent[Any]]) -> Shape | None:
        """What the answer of an ``LlmAgent`` has to be; None: text."""
        if not issubclass(agent_class, LlmAgent):
            return None
        if config.output_type is not None:
            return shape_of(config.output_type)
        if isinstance(manifest.output, str):
            key = (manifest.folder, manifest.output, "output")
            return self.once(key, lambda: resolve.output_shape(manifest))
        return None if manifest.output is None else resolve.output_shape(manifest)

    def driver(self, manifest: AgentManifest) -> LlmDriver | None:
        """The driver that *manifest* names; None when it names none."""
        if manifest.model.driver is None:
            return None
        return self._driver(manifest, manifest.model.driver, resolve.DRIVER)

    def worded(self, manifest: AgentManifest, path: str) -> tuple[AgentManifest, LlmDriver | None]:
        """*manifest* as it is where *path*, a word or a factory, answers in place of what it names, and that driver."""
        word = DriverWord.parse(path, "driver")
        model = manifest.model.model_copy(update={"driver": path}) if word is None else word.instead_of(manifest.model)
        manifest = resolve.with_model(manifest, model)
        return manifest, self._driver(manifest, path, "driver")

    def _driver(self, manifest: AgentManifest, path: str, place: str) -> LlmDriver | None:
        """One driver for all agents of a model, so that what it limits is limited for all of them."""
        word, model = DriverWord.parse(path, place), manifest.model
        asked = (path, model, manifest.folder) if word is None else word.key(model)
        key = "driver", manifest.privacy, asked
        made = self.once(key, lambda: resolve.driver(manifest, self._find_driver, path, place))
        if made is not None and id(made) not in self._named:
            self.name(made, Named("driver", manifest, path, place))
        return made

    def memory(self, manifest: AgentManifest) -> MemorySubstrate | None:
        """The memory that *manifest* names; None when it names none."""
        path = None if manifest.memory is None else manifest.memory.path
        if path is None:
            return None
        made = self.once((manifest.folder, path, "memory"), lambda: self._opened_memory(manifest, path))
        if id(made) not in self._named:
            self.name(made, Named("memory", manifest, path))
        return made

    def _opened_memory(self, manifest: AgentManifest, path: str) -> MemorySubstrate:
        memory = resolve.memory(manifest, path, self._open_memory)
        self._memories.append(memory)  # also one that another thread was first to open
        return memory

    def close(self) -> None:
        """Close what was opened here."""
        for memory in self._memories:
            try:
                memory.close()
            except Exception:  # noqa: BLE001 - all that was remembered is stored: nothing depends on the end of it
                report("closing the memory of a manifest failed")

    def tools(self, manifest: AgentManifest) -> list[Tool]:
        """The tools that *manifest* names."""
        return [
            self.once((manifest.folder, path, "tool"), lambda index=index: resolve.tool(manifest, index))  # type: ignore[misc]
            for index, path in enumerate(manifest.tools)
        ]

    def linked(self, manifest: AgentManifest, table: LinkTable, index: int) -> AgentManifest:
        """The manifest that an entry of *table* names.

        Raises:
            ManifestError: It cannot be had.
        """
        path = getattr(manifest, table)[index].manifest
        if not isinstance(path, str):
            return linked(manifest, table, index)
        return self.once((manifest.folder, path, "manifest"), lambda: linked(manifest, table, index))

    def rails(self, manifest: AgentManifest) -> tuple[Rail, ...]:
        """The guardrails that *manifest* names.

        Raises:
            ManifestError: One of them cannot be imported, or is none.
        """
        if not manifest.guardrails.use:
            return ()
        key = (manifest.folder, manifest.guardrails, "guardrails")
        return self.once(key, lambda: resolve.guardrails(manifest))

    def guardrails(
        self, config: SpawnConfig, manifest: AgentManifest, agent_class: type[Agent[Any]], parent: Agent[Any] | None
    ) -> Guardrails | None:
        """Those of an agent: its own, the manifest's first, and those that hold for all below its parent, which have
        the last word. None when there are none.

        Raises:
            ManifestError: The manifest names one that cannot be had.
            TypeError: The config has one that is none.
            ValueError: Nobody would ask them.
        """
        if not config.guardrails and not manifest.guardrails.use and parent is None:
            return None
        own = (*self.rails(manifest), *rails_of(config.guardrails))
        if own and not issubclass(agent_class, LlmAgent):
            raise ValueError(
                f"agent {manifest.name!r} has guardrails, and its class {agent_class.__name__} is no LlmAgent: nobody "
                "would ask them; make it one, or give them to the LlmAgents that it starts"
            )
        above = None if parent is None else parent._parts.guardrails
        rails = own if above is None else (*own, *above.inherited)
        return Guardrails(rails) if rails else None

    def specialists(self, manifest: AgentManifest) -> list[Specialist]:
        """The agents that *manifest* names, as tools.

        Raises:
            ManifestError: The manifest of one cannot be had.
        """
        return [
            Specialist(entry.name, entry.description, self.linked(manifest, "agents", index), entry.own_grants)
            for index, entry in enumerate(manifest.agents)
        ]

    def refuse_unfit(
        self, manifest: AgentManifest, agent_class: type[Agent[Any]], source: ToolSource | None, deps: object
    ) -> None:
        """Look, before an ``LlmAgent`` is admitted, at its system prompt, at what becomes of a conversation that does
        not fit, and at those of its tools that are known by then: to others it happens at their calls.

        Raises:
            TypeError: A tool cannot take *deps*.
            ManifestError: A function that the manifest names cannot be had.
            ValueError: The prompt names what *deps* have not.
        """
        if source is not None:
            refuse_deps(manifest, known_tools(source), deps)
        if manifest.tools:
            with suppress(ManifestError):  # one that cannot be had: the agent fails with that
                refuse_deps(manifest, self.tools(manifest), deps)
        prompt = manifest.model.system_prompt
        if not isinstance(prompt, str) or "$" in prompt:
            self._refuse_prompt(manifest, agent_class, deps)
        policy = manifest.context.policy
        if ":" in policy:
            self.once((manifest.folder, policy, "policy"), lambda: policy_function(manifest))

    def _refuse_prompt(self, manifest: AgentManifest, agent_class: type[Agent[Any]], deps: object) -> None:
        """An agent with instructions of its own may never ask what the manifest says."""
        if isinstance(manifest.model.system_prompt, PromptFunction):
            key = (manifest.folder, manifest.model.system_prompt, "prompt")
            self.once(key, lambda: resolve.prompt_function(manifest))
        elif getattr(agent_class, "instructions", None) is LlmAgent.instructions:
            refuse_prompt(manifest, deps)
