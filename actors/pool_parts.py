"""What a pool is made of: imported with the first one, so that who imports the library does not wait for it."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from .agent.assembly.factory import AgentFactory
from .agent.assembly.resolve import refuse_no_driver
from .agent.session_line import SessionLines
from .agent.session_record import PoolSessions
from .core.supervision.agent_context import LocalContext
from .core.supervision.supervisor import Supervisor
from .drivers.builtin import driver_of, find_driver
from .memory.opened import open_memory
from .sessions.sessions import opened as opened_sessions
from .tools.mcp import McpServers
from .tools.registry import ToolRegistry

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from os import PathLike

    from .agent.assembly.engine import Engine
    from .agent.budget import Budget
    from .agent.config import ToolSource
    from .agent.ports import LlmDriver, MemorySubstrate
    from .core.records.spec import RestartPolicy
    from .core.tracing import Tracing
    from .journal.journal import Journal
    from .sessions.sessions import Sessions


class PoolParts(NamedTuple):
    """What a pool keeps of it."""

    supervisor: Supervisor
    factory: AgentFactory
    sessions: Sessions | None


def make_parts(
    *,
    driver: LlmDriver | str | None,
    memory: MemorySubstrate | None,
    tools: ToolSource | None,
    restart: RestartPolicy | None,
    budget: Budget | None,
    group_budgets: Mapping[Hashable, Budget],
    journal: str | PathLike[str] | Journal | None,
    sessions: str | PathLike[str] | Sessions | None,
    tracing: Tracing | None,
    engine: Engine | None,
    **limits: Any,
) -> PoolParts:
    """A supervisor and what makes its agents; what is opened for them is closed if they cannot be made.

    Args:
        limits: For the supervisor.
    """
    word = driver if isinstance(driver, str) else None
    if isinstance(driver, str):
        driver = driver_of(driver)
    refuse_no_driver(driver)
    with ExitStack() as ends:
        recorder = None
        if journal is not None:
            from .journal.journal import opened

            recorder = opened(journal, ends)
        kept = None if sessions is None else opened_sessions(sessions, ends)
        supervisor = Supervisor(tracing=tracing, lives=None if engine is None else engine.lives, **limits)
        factory = AgentFactory(
            driver=driver,
            memory=memory,
            open_memory=open_memory,
            tools=tools,
            restart=restart,
            budget=budget,
            group_budgets=dict(group_budgets),
            find_driver=find_driver,
            make_registry=ToolRegistry,
            servers=McpServers(),
            context_of=partial(LocalContext, supervisor),
            recorder=recorder,
            sessions=None if kept is None else PoolSessions(kept.store, SessionLines()),
            is_traced=tracing is not None,
            driver_word=word,
        )
        ends.callback(factory.close)
        if engine is not None:
            ends.callback(engine.close)
        supervisor.shutdown.at_end = ends.pop_all().close
    return PoolParts(supervisor, factory, kept)
