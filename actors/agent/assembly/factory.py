"""What an agent is given: its class, driver, memory and tools; found once, in the caller's thread."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from ...core.crash import report
from ...core.process import event_loop
from ...core.records.spec import AgentSpec
from ...core.records.trusted import trusted
from ...errors import CapabilityDenied, ManifestError
from ..account import BudgetAccount
from ..budget import FamilyBudget
from ..children import ChildRecord
from ..config import SpawnConfig, ToolSource
from ..depth import depth_limit, max_depth
from ..function_agent import FunctionAgent, FunctionManifests
from ..ledger import MemoryLedger
from ..loop.steps import Steps
from ..ports import PrivacyTier, Tool, Tools
from ..provider import model_asked, provider_of
from ..recorder import Identity
from ..session_keys import SessionKeys
from ..session_record import SessionRecord
from ..takes import refuse_query
from ..terms.manifest import AgentManifest
from . import resolve
from .destinations import Destinations, shapes_after
from .finder import Finder, Named
from .llm_agent import LlmAgent, steps_of
from .plain import PlainPlan, PlainPlans

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
    from pathlib import Path

    from ...core.records.spec import Record, RestartPolicy, Runnable
    from ...core.supervision.agent_context import AgentContext
    from ...core.supervision.handle import AgentHandle
    from ...core.waiting.cancel import CancelToken
    from ..account import Account
    from ..agent import Agent
    from ..budget import Budget
    from ..children import ChildrenElsewhere
    from ..guardrails import Guardrails
    from ..ledger import Ledger
    from ..named_step import NamedStep
    from ..ports import ClosesIdle, LlmDriver, MemorySubstrate
    from ..recorder import Recorder
    from ..session_record import AgentTurn, PoolSessions
    from ..specialist import Specialist
    from ..terms.structured import Shape
    from ..transfer import Destination, Transfer
    from .resolve import FindBuiltIn

ResultT = TypeVar("ResultT")


class ToolServers(Protocol):
    """Where the tools of a manifest's ``mcp_servers`` come from."""

    def tools_for(self, manifest: AgentManifest, cancel: CancelToken) -> list[Tool]:
        """Those that *manifest* grants."""

    def close(self) -> None:
        """End the servers."""


NO_ACCOUNT = BudgetAccount(())
GOODBYE = 2.0
"""Seconds that a pool waits for what was cancelled on the private loop."""


@dataclass(slots=True)
class AgentParts:
    """What one agent has. ``tools`` is filled in on the agent's thread.

    Locks: ``account``, ``ledger`` and ``turn`` are written by the thread that starts the agent, or on a node by its
    own, before it lives.
    """

    factory: AgentFactory
    config: SpawnConfig[Any]
    manifest: AgentManifest
    agent_class: type[Agent[Any]]
    driver: LlmDriver | None
    memory: MemorySubstrate | None
    tools: Tools
    tool_source: ToolSource | None
    account: Account
    shape: Shape | None
    ledger: Ledger | None = None
    deps: Any = field(default=None, repr=False)
    turn: AgentTurn | None = None
    transfers: tuple[Transfer, ...] = ()
    guardrails: Guardrails | None = None
    is_child: bool = False
    has_no_tools: bool = False

    def build(self, cell: object) -> Callable[[], Runnable]:
        """Fetch the tools, and return the function that constructs the agent."""
        context = self.factory.context_of(cell)
        if self.ledger is not None:
            self.ledger.begin_life()
        if self.turn is not None:
            self.turn.begin_life()
        if not self.has_no_tools:
            self.tools = self.factory.tools_for(self, context)
        agent: Agent[Any] = self.agent_class.__new__(self.agent_class)
        agent._context = context
        agent._parts = self

        def make() -> Runnable:
            agent.__init__(**self.config.kwargs)  # type: ignore[misc]  # the second half of a construction
            return agent

        return make

    def traits(self) -> dict[str, Any]:
        """What whoever traces it is told of the agent: fields of ``TracedAgent``."""
        manifest, driver = self.manifest, self.driver
        return {
            "version": manifest.version,
            "description": manifest.description or None,
            "provider": None if driver is None else provider_of(driver),
            "model": model_asked(manifest.model.name, driver) or None,
            "session": self.config.session,
        }

    def spawn_child(
        self, config: SpawnConfig[ResultT], parent: Agent[Any], specialist: Specialist | None = None
    ) -> AgentHandle[ResultT]:
        """Start a child of *parent*; *specialist* is what its manifest calls the child, where it does."""
        return self.factory.spawn_child(config, parent, self.tool_source, specialist)

    def hand_on(self, destination: Destination, agent: Agent[Any]) -> None:
        """Give *agent* what it has under another manifest. A life that begins anew begins with these parts again."""
        config, settings = self.config, self.config.settings
        if settings is not None and settings.forces_call:  # it has been called: that was said of the first answer
            config = config.model_copy(update={"settings": settings.without_choice()})
        parts: AgentParts = replace(
            self,
            config=config,
            manifest=destination.manifest,
            driver=destination.driver,
            shape=destination.shape,
            transfers=destination.transfers,
            guardrails=destination.guardrails,
        )
        self.factory.keep(parts.driver)
        parts.tools = self.factory.tools_for(parts, agent._context)
        agent._parts = parts

    def do(self, step: NamedStep[ResultT], agent: Agent[Any]) -> ResultT:
        """Do *step* of *agent*."""
        assert self.ledger is not None  # without one it is only called
        return Steps(agent, self.ledger).do(step)


class AgentFactory:
    """Turns a ``SpawnConfig`` into what the supervisor needs, and checks it before anything is admitted.

    Args:
        open_memory: Opens the file that a manifest names as its memory; it is closed here.
        find_driver: A built-in driver's factory by its name.
        make_registry: Makes a set of tools.
        servers: The MCP servers of the pool.
        context_of: What an agent has of its pool, by what the pool itself calls it.
        recorder: Records what agents buy and do (a journal); None records nothing.
        sessions: The conversations that go on; None has none.
        is_traced: Is anybody told of the spans of its agents?
        driver_word: How *driver* was named; None: it was given as it is.

    Threads: any.
    Locks: none; ``elsewhere`` is set once, before the first agent: who starts children where this is not the program.
    """

    def __init__(
        self,
        *,
        driver: LlmDriver | None,
        memory: MemorySubstrate | None,
        open_memory: Callable[[Path], MemorySubstrate],
        tools: ToolSource | None,
        restart: RestartPolicy | None,
        budget: Budget | None,
        group_budgets: Mapping[Hashable, Budget],
        find_driver: FindBuiltIn,
        make_registry: Callable[[Iterable[Tool]], Tools],
        servers: ToolServers,
        context_of: Callable[[Any], AgentContext],
        recorder: Recorder | None = None,
        sessions: PoolSessions | None = None,
        is_traced: bool = False,
        driver_word: str | None = None,
    ) -> None:
        self._driver = driver
        self._memory = memory
        self._tools = tools
        self._restart = restart
        self._budget = budget
        self._group_budgets = group_budgets
        self._drivers: weakref.WeakValueDictionary[int, ClosesIdle] = weakref.WeakValueDictionary()
        self.finder = Finder(find_driver, open_memory)
        self._make_registry = make_registry
        self._servers = servers
        self.context_of = context_of
        self._recorder = recorder
        self._sessions = sessions
        self._is_traced = is_traced
        self.elsewhere: ChildrenElsewhere | None = None
        self.no_tools = make_registry(())
        """What an agent may call before its tools are there."""
        self._function_manifest = AgentManifest(privacy=PrivacyTier.STANDARD, capabilities=())
        if driver_word is not None:
            self.finder.name(driver, Named("driver", self._function_manifest, driver_word, "driver"))
        given = (driver, memory, budget, restart, recorder, sessions)
        gives_nothing = all(one is None for one in given) and not (self._group_budgets or is_traced)
        self._plans = PlainPlans() if gives_nothing else None
        self._functions = FunctionManifests(self._function_manifest)
        like = SpawnConfig(self._function_manifest, "", agent=FunctionAgent, kwargs={})
        self._function_config: SpawnConfig[Any] = like

    @property
    def budget(self) -> Budget | None:
        """What all agents may spend together."""
        return self._budget

    @property
    def restart(self) -> RestartPolicy | None:
        """How often an agent that crashed is started again."""
        return self._restart

    @property
    def driver(self) -> LlmDriver | None:
        """Who answers when nothing else is said."""
        return self._driver

    @property
    def memory(self) -> MemorySubstrate | None:
        """Where agents remember when nothing else is said."""
        return self._memory

    @property
    def tools(self) -> Tools:
        """What an agent without a manifest may call: made once, for all who ask."""
        source, manifest = self._tools, self._function_manifest
        return self.finder.once(("tools",), lambda: self._given_tools(source, manifest))

    def spec(self, config: SpawnConfig[Any]) -> AgentSpec:
        """What the supervisor needs to start *config*.

        Raises:
            TypeError: *config* is no ``SpawnConfig``.
            ValueError: The agent needs a driver and has none.
            TypeError: A tool cannot take its ``deps``, or it has none.
            ValueError: Its system prompt names something that its ``deps`` have not.
            CapabilityDenied: Its privacy is stricter than its driver's tier.
            ManifestError: Something that the manifest names cannot be imported.
        """
        if not isinstance(config, SpawnConfig):
            raise _other(config)
        if self._plans is not None and (plan := self._plans.of(config)) is not None:
            return self._plain_spec(config, plan)
        return self._spec(config, config.manifest, self._driver, self._memory, self._tools)

    def _plain_spec(self, config: SpawnConfig[Any], plan: PlainPlan) -> AgentSpec:
        """What the supervisor needs to start *config*, which asks for nothing that is not in its *plan*."""
        tools = self._tools
        parts = AgentParts(
            self, config, plan.manifest, plan.agent_class, None, None, self.no_tools, tools, NO_ACCOUNT, None,
            None, None, None, (), None, False, tools is None,
        )  # fmt: skip
        return plan.spec(config, parts.build)

    def function_spec(self, fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> AgentSpec:
        """What the supervisor needs to run a plain function."""
        if not callable(fn):
            raise TypeError(f"submit needs a function, got {type(fn).__name__}")
        name = getattr(fn, "__name__", None)
        name = name if isinstance(name, str) and name else type(fn).__name__
        manifest = self._functions.of(name)
        like = self._function_config
        fields = {**like.__dict__, "manifest": manifest, "kwargs": {"fn": fn, "args": args, "kwargs": kwargs}}
        config = trusted(SpawnConfig, fields, like.__pydantic_fields_set__)
        if self._plans is not None and (plan := self._plans.of(config)) is not None:
            return self._plain_spec(config, plan)
        return self._spec(config, manifest, self._driver, self._memory, self._tools)

    def spawn_child(
        self,
        config: SpawnConfig[ResultT],
        parent: Agent[Any],
        tools: ToolSource | None,
        specialist: Specialist | None = None,
    ) -> AgentHandle[ResultT]:
        """Start a child of *parent*: it has never more than its parent, and what it is not given is its parent's. A
        *specialist* has the grants that *parent*'s manifest says it has.
        """
        if not isinstance(config, SpawnConfig):
            raise _other(config)
        if self.elsewhere is not None:
            return self.elsewhere.spawn(config, parent, specialist)
        context = parent._context
        limit = depth_limit(parent)
        if limit is not None and context.depth + 1 > limit:
            raise CapabilityDenied(f"depth limit {limit} reached: {context.label} may start no children")
        own_grants = specialist is not None and specialist.own_grants
        manifest: AgentManifest = config.manifest.narrowed(parent.manifest, own_grants=own_grants)
        manifest._folder = config.manifest.folder  # type: ignore[misc]  # only fields are frozen
        is_named = specialist is not None
        spec: AgentSpec = self._spec(config, manifest, parent.driver, parent.memory, tools, parent, is_named=is_named)
        return context.spawn(spec)

    def _spec(
        self,
        config: SpawnConfig[Any],
        manifest: AgentManifest,
        driver: LlmDriver | None,
        memory: MemorySubstrate | None,
        tools: ToolSource | None,
        parent: Agent[Any] | None = None,
        *,
        is_named: bool = False,
    ) -> AgentSpec:
        agent_class = config.agent or self.finder.agent_class(manifest)
        talks = agent_class is LlmAgent or issubclass(agent_class, LlmAgent)
        chosen = config.driver
        if isinstance(chosen, str):
            manifest, chosen = self.finder.worded(manifest, chosen)
        elif chosen is None and manifest.model.driver is not None:
            chosen = self.finder.driver(manifest)
        driver = driver if chosen is None else chosen
        own = config.memory
        if own is None and manifest.memory is not None:
            own = self.finder.memory(manifest)
        memory = memory if own is None else own
        tools = tools if config.tools is None else config.tools
        deps = config.deps
        if deps is None and parent is not None:
            deps = parent.deps
        account = self._account(config, manifest, parent)
        misfit = resolve.misfit(manifest, agent_class, driver, counts_cost=account.limits_cost)
        if driver is not None:
            misfit = misfit or resolve.settings_misfit(manifest, config.settings, driver)
        if memory is not None:
            misfit = misfit or resolve.memory_misfit(manifest, memory)
        if misfit is not None:
            raise misfit
        if driver is not None:
            self.keep(driver)
        if config.session is not None and not talks:
            raise ValueError(
                f"session= needs an LlmAgent, or a class that extends it: of {agent_class.__name__} nothing would be "
                "stored"
            )
        if talks:
            refuse_query(config.query, config.messages, driver, manifest.privacy)
        has_shape = config.output_type is not None or manifest.output is not None
        shape = self.finder.shape(config, manifest, agent_class) if has_shape else None
        if talks:
            self.finder.refuse_unfit(manifest, agent_class, tools, deps)
        rails = None
        if config.guardrails or manifest.guardrails.use or parent is not None:
            rails = self.finder.guardrails(config, manifest, agent_class, parent)
        parts = AgentParts(
            self, config, manifest, agent_class, driver, memory, self.no_tools, tools, account, shape,
            deps=deps, guardrails=rails, is_child=parent is not None,
        )  # fmt: skip
        if config.handoffs or manifest.handoffs:
            parts = replace(parts, transfers=self._transfers(parts))
        if manifest.agents:
            self.finder.specialists(manifest)
        deepest = max_depth(manifest, parent, is_named=is_named)
        spec = AgentSpec(
            manifest.name, config.query, parts.build, config.timeout, config.deadline, config.priority, config.group,
            config.tag, self._restart, deepest, config.stream, config.on_event,
        )  # fmt: skip
        if talks:
            spec.steps = steps_of(agent_class)
        if config.key is not None:
            spec.key = config.key
        if self._is_traced:
            spec.traits = parts.traits
        if config.session is not None:
            spec.record = parts.turn = self._turn(parts, parent)
        elif self._recorder is not None or self._restart is not None:
            spec.record = self._open_books(parts, parent)
        return spec

    def _turn(self, parts: AgentParts, parent: Agent[Any] | None) -> SessionRecord:
        """What the agent has of its session, and what else is recorded of it.

        Raises:
            ValueError: The pool has no sessions.
        """
        if self._sessions is None:
            raise ValueError("session= needs a pool with sessions, as in AgentPool(..., sessions='chats.db')")
        config, keys = parts.config, None
        if self._recorder is not None and config.key is None and parent is None:  # a child's key is its place
            keys = SessionKeys(self._sessions.store, self._recorder)
        return SessionRecord(self._sessions, config, parts, partial(self._open_books, parts, parent), keys)

    def _open_books(self, parts: AgentParts, parent: Agent[Any] | None, key: str | None = None) -> Record | None:
        """Give the agent a ledger, and make what records it: for later processes, or for later lives.

        Args:
            key: In place of the one that it was given.
        """
        if self._recorder is not None and parts.agent_class is not FunctionAgent:
            config = parts.config if key is None else parts.config.model_copy(update={"key": key})
            shapes = shapes_after(parts.transfers) if parts.transfers else {}
            identity = Identity(config, parts.manifest, parts.agent_class, parts.shape, parts.account, parent, shapes)
            record = self._recorder.record(identity)
            parts.ledger = record.ledger
            return record
        if self._restart is not None:
            parts.ledger = ledger = MemoryLedger()
            if parent is not None and isinstance(parent._parts.ledger, MemoryLedger):
                return ChildRecord(parts, ledger, parent, parent._parts.ledger)
        return None

    def broken_off(self, session: str) -> list[Any]:
        """What was asked in *session* when an earlier process died, as far as a journal tells: one query, or none."""
        if self._sessions is None or self._recorder is None:
            return []
        return SessionKeys(self._sessions.store, self._recorder).broken_off(session)

    def _account(self, config: SpawnConfig[Any], manifest: AgentManifest, parent: Agent[Any] | None) -> Account:
        """Whom an agent is charged to: a child is charged to all that its parent is charged to, too."""
        budgets: list[Budget] = []
        if parent is not None:
            budgets += parent._parts.account.budgets
        elif self._budget is not None:
            budgets.append(self._budget)
        if self._group_budgets and config.group in self._group_budgets:
            budgets.append(self._group_budgets[config.group])
        if config.budget is not None:
            budgets.append(config.budget)
        budgets += FamilyBudget.granted_by(manifest)
        return BudgetAccount(budgets) if budgets else NO_ACCOUNT

    def keep(self, driver: Any) -> None:
        """Remember a driver that is used here, to close its idle connections in the end."""
        if not hasattr(driver, "close_idle") or id(driver) in self._drivers:
            return
        try:
            self._drivers[id(driver)] = driver
        except TypeError:  # a class that allows no weak reference: who made it closes it
            pass

    def close(self) -> None:
        """Let calls that were given up unwind, end the servers of tools, and close the idle connections of all drivers
        that were used here.
        """
        event_loop.settle(GOODBYE)
        self._servers.close()
        for driver in list(self._drivers.values()):
            try:
                driver.close_idle()
            except Exception:  # noqa: BLE001 - a connection that cannot be closed must not keep a pool open
                report("closing the idle connections of {} failed", type(driver).__name__)
        self.finder.close()

    def _transfers(self, parts: AgentParts) -> tuple[Transfer, ...]:
        """Where the conversation may be handed on to."""
        if not issubclass(parts.agent_class, LlmAgent):
            name = parts.agent_class.__name__
            raise ManifestError([f"handoffs: an LlmAgent alone hands its conversation on, and {name} is none"])
        return Destinations(self.finder, parts).find()

    def tools_for(self, parts: AgentParts, context: AgentContext) -> Tools:
        """The tools of one agent: those it is given, those that its manifest and its servers name, and those by which
        it hands on and asks others.
        """
        manifest = parts.manifest
        tools = self._given_tools(parts.tool_source, manifest)
        if not (manifest.tools or manifest.mcp_servers or manifest.agents or parts.transfers):
            return tools
        own = self.finder.tools(manifest)
        own += [*parts.transfers, *self.finder.specialists(manifest)]
        if manifest.mcp_servers:
            own += self._servers.tools_for(manifest, context.token)
        names = {tool.name for tool in own}
        given = (tools.get(name) for name in tools.names() if name not in names)
        return self._make_registry([*own, *(tool for tool in given if tool is not None)])

    def _given_tools(self, source: ToolSource | None, manifest: AgentManifest) -> Tools:
        if source is None:
            return self.no_tools
        if hasattr(source, "definitions_for"):
            return cast("Tools", source)
        return source(manifest) if callable(source) else self._make_registry(source)


def _other(config: object) -> TypeError:
    return TypeError(f"expected a SpawnConfig, got {type(config).__name__}")
