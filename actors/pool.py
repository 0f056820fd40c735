"""The user's door: starts agents, hands out outcomes."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from .agent.assembly.engine import engine_or_none
from .agent.budget import Budget
from .conversation import ConversationHost
from .core.process.at_exit import at_exit
from .core.records.outcomes import FailurePolicy, FailureWord, Outcomes
from .core.supervision.arguments import above_zero, policy, restart_or_none, seconds, sink_or_none, whole, yes_or_no
from .pool_actors import ActorHost
from .pool_view import PoolView

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Hashable, Iterable, Iterator, Mapping
    from os import PathLike

    from .agent.assembly.engine import Engine
    from .agent.config import SpawnConfig, ToolSource
    from .agent.ports import LlmDriver, MemorySubstrate
    from .core.actors.reference import ActorRef
    from .core.messaging.dead_letter import DeadLetter
    from .core.messaging.router import Inbox, MessageRouter
    from .core.records.event import Event
    from .core.records.message import AgentId
    from .core.records.outcome import AgentOutcome
    from .core.records.spec import AgentSpec, RestartPolicy
    from .core.supervision.async_map import AsyncMapIterator
    from .core.supervision.handle import AgentHandle
    from .core.supervision.map import MapIterator
    from .core.supervision.supervisor import Supervisor
    from .core.tracing import Tracing
    from .journal.journal import Journal
    from .sessions.sessions import Sessions

P = ParamSpec("P")
T = TypeVar("T")


class AgentPool(ActorHost, ConversationHost, PoolView):
    """Runs agents on threads, at most ``max_concurrent`` at once, and owes you one outcome for each.

    A context manager, for ``with`` and for ``async with``: leaving it normally drains, leaving it by an exception
    aborts.

    Example:
        ```python
        from actors import AgentManifest, AgentPool, SpawnConfig

        poet = AgentManifest(name="poet")
        with AgentPool("echo", max_concurrent=8) as pool:  # "openai:NAME" asks a model
            for outcome in pool.map(SpawnConfig(poet, subject) for subject in ("rain", "snow")):
                print(outcome.query, outcome.status, outcome.unwrap().text)
        ```

        ```text
        rain completed rain
        snow completed snow
        ```

    Args:
        driver: Answers completion requests; or a word for one (``openai:gpt-5``, ``anthropic:NAME``,
            ``openai:NAME@http://127.0.0.1:11434/v1``, ``echo``, ``package.module:factory``), whose key is in the
            environment. None when no agent needs one.
        max_concurrent: Slots; 0 refuses every agent.
        max_queued: How many admitted agents may wait for a slot; 0, the default, refuses who finds no slot
            (``CapacityError``), None has no bound.
        inbox_capacity: Messages that fit each inbox.
        memory: Where agents remember; None remembers nothing.
        tools: A ``ToolRegistry``, or a function ``AgentManifest -> ToolRegistry`` called for each agent on its thread.
        on_event: Gets every event of all agents, one at a time, on a thread of its own.
        restart: How often an agent that crashed is started again.
        budget: What all agents of the pool may spend together.
        group_budgets: What the agents of a group may spend together, by group.
        max_live: Threads running or parked; None takes the larger of 64 and 16 x ``max_concurrent``.
        shutdown_timeout: Seconds that leaving the block may wait for agents to end by themselves; None has no bound.
        abort_timeout: Seconds that a cancelled agent has to end, before it is abandoned.
        failure: What becomes of the others when an agent of the pool fails, crashes or runs out of time: ``collect``
            lets them run, ``cancel_rest`` cancels all that are owed to the caller then. (Those of a ``map`` are a set
            of their own; a later spawn, and who is owed to its handle alone, is not touched.)
        owed: False owes each outcome to its handle alone: no join yields it, and nothing is kept of an agent whose
            handle is let go of. For servers.
        stalled_after: Seconds without progress after which an agent is reported, by an ``AgentStalled`` and in the
            log; noticed within a quarter more. None never looks.
        on_undelivered: Called with each dead letter, in the thread that made it.
        journal: Records agents, so that a program that died goes on: a path (opened and closed here), or a ``Journal``.
        sessions: Conversations that go on: a path (opened and closed here), or ``Sessions``.
        tracing: Gets spans of agents, completions and tool calls in the threads that do the work: ``OpenTelemetry()``.
        events_with_content: Do events tell what was said: queries, prompts, answers, arguments, results, messages? It
            may be private.
        engine: Where the agents live, if not here: ``RayEngine()`` of ``actors.cluster`` has them on the nodes of a
            cluster. It ends with the pool.
        name: For threads and messages.

    Threads: any, but for the waits for all (``join_all``, ``drain``, ``close``) inside an agent of the pool.
    """

    def __init__(
        self,
        driver: LlmDriver | str | None = None,
        max_concurrent: int = 4,
        *,
        max_queued: int | None = 0,
        inbox_capacity: int = 32,
        memory: MemorySubstrate | None = None,
        tools: ToolSource | None = None,
        on_event: Callable[[Event], object] | None = None,
        restart: RestartPolicy | None = None,
        budget: Budget | None = None,
        group_budgets: Mapping[Hashable, Budget] | None = None,
        max_live: int | None = None,
        shutdown_timeout: float | None = None,
        abort_timeout: float = 5.0,
        failure: FailurePolicy | FailureWord = FailurePolicy.COLLECT,
        owed: bool = True,
        stalled_after: float | None = None,
        on_undelivered: Callable[[DeadLetter], object] | None = None,
        journal: str | PathLike[str] | Journal | None = None,
        sessions: str | PathLike[str] | Sessions | None = None,
        tracing: Tracing | None = None,
        events_with_content: bool = False,
        engine: Engine | None = None,
        name: str | None = None,
    ) -> None:
        self._supervisor: Supervisor | None = None  # __del__ looks at it, whatever goes wrong below
        whole(0, max_concurrent=max_concurrent, max_queued=0 if max_queued is None else max_queued)
        whole(1, inbox_capacity=inbox_capacity, max_live=1 if max_live is None else max_live)
        seconds(abort_timeout=abort_timeout, shutdown_timeout=0 if shutdown_timeout is None else shutdown_timeout)
        yes_or_no(owed=owed, events_with_content=events_with_content)
        sink_or_none(on_event)
        above_zero(stalled_after=stalled_after)
        restart_or_none(restart)
        engine_or_none(engine)
        for one in (budget, *(group_budgets or {}).values()):
            if one is not None and not isinstance(one, Budget):
                raise TypeError(f"budget and group_budgets take Budgets, got {one!r}")
        from .core.tracing import tracing_or_none
        from .pool_parts import make_parts

        tracing_or_none(tracing)
        failure = policy(failure)
        self.name: str = name or f"pool-{at_exit().next_number()}"
        parts = make_parts(
            driver=driver,
            memory=memory,
            tools=tools,
            restart=restart,
            budget=budget,
            group_budgets=group_budgets or {},
            journal=journal,
            sessions=sessions,
            tracing=tracing,
            engine=engine,
            name=self.name,
            max_concurrent=max_concurrent,
            max_queued=max_queued,
            max_live=max_live,
            inbox_capacity=inbox_capacity,
            abort_timeout=abort_timeout,
            sink=on_event,
            on_undelivered=on_undelivered,
            stalled_after=stalled_after,
            failure=failure,
            with_content=events_with_content,
        )
        self._supervisor, self._factory, self._sessions = parts
        self._shutdown_timeout = shutdown_timeout
        self._owed = owed
        supervisor: Supervisor = parts.supervisor
        supervisor.pool.actors.door = weakref.ref(self)
        if engine is not None:
            try:
                engine.begin(supervisor, parts.factory)
            except BaseException:
                supervisor.shutdown.close("its engine did not begin")
                raise

    # Starting agents --------------------------------------------------------------------------------------------

    def spawn(self, config: SpawnConfig[T], *, timeout: float | None = 0, owed: bool | None = None) -> AgentHandle[T]:
        """Start one agent.

        Example:
            ```python
            from actors import AgentManifest, AgentPool, SpawnConfig

            with AgentPool("echo") as pool:
                handle = pool.spawn(SpawnConfig(AgentManifest(name="poet"), "rain", timeout=60))
                print(handle.result().text)
            ```

            ```text
            rain
            ```

        Args:
            config: What it is and what it has to do.
            timeout: Seconds to wait for room, first come first served; 0 does not wait, None waits for ever.
            owed: False owes the outcome to the handle alone: no join yields it. None does as the pool does.
        Raises:
            CapacityError: No slot and no place in the queue is free: wait for room with ``timeout``, or let agents
                queue with ``AgentPool(max_queued=None)``.
            PoolClosed: The pool drains or is closed.
            ValueError: The agent needs a driver and has none.
            CapabilityDenied: Its privacy is stricter than its driver's tier.
            ManifestError: Something that its manifest names cannot be imported.
        """
        return self._admit([self._factory.spec(config)], timeout, owed, keeps_events=True)[0]

    def _begin_ask(self, config: SpawnConfig[T], timeout: float | None) -> AgentHandle[T]:
        spec: AgentSpec = self._factory.spec(config)
        if timeout is not None:  # for all of it, the wait for room included
            spec.asked_at = self._core.clock.monotonic()
        return self._admit([spec], timeout, owed=False, keeps_events=True)[0]

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> AgentHandle[T]:
        """Run ``fn(*args, **kwargs)`` as an agent; what it returns is the result. Admission as for :meth:`spawn`.

        Example:
            ```python
            from actors import AgentPool

            with AgentPool() as pool:
                print(pool.submit(divmod, 7, 2).result())
            ```

            ```text
            (3, 1)
            ```
        """
        return self._admit([self._factory.function_spec(fn, args, kwargs)], 0)[0]

    def fan_out(
        self, configs: Iterable[SpawnConfig[T]], *, timeout: float | None = 0, owed: bool | None = None
    ) -> list[AgentHandle[T]]:
        """Start all of them, or none.

        Args:
            configs: One for each agent.
            timeout: Seconds to wait until there is room for all.
            owed: As for :meth:`spawn`.
        Raises:
            CapacityError: No room for all in time; at once if they could never fit.
            PoolClosed, ValueError, CapabilityDenied, ManifestError: As for :meth:`spawn`.
        """
        return self._admit([self._factory.spec(config) for config in configs], timeout, owed, keeps_events=True)

    def _admit(
        self,
        specs: list[AgentSpec],
        timeout: float | None,
        owed: bool | None = None,
        *,
        keeps_events: bool = False,
    ) -> list[AgentHandle[Any]]:
        if owed is not None:
            yes_or_no(owed=owed)
        from .core.supervision.handle import AgentHandle

        core = self._core
        owner = core.owed if owed or (owed is None and self._owed) else None
        cells = core.admission.admit(specs, owner=owner, timeout=timeout, keeps_events=keeps_events)
        return [AgentHandle(cell, core) for cell in cells]

    def map(
        self,
        configs: Iterable[SpawnConfig[T]],
        *,
        ordered: bool = True,
        timeout: float | None = None,
        failure: FailurePolicy | FailureWord | None = None,
    ) -> MapIterator[T]:
        """Run any number of agents, and yield their outcomes as they come.

        *configs* is read lazily: pulled and not yet yielded are at most ``2 * max_concurrent + 16``. The agents are
        owed to this iterator alone. Closing it early cancels them; so does leaving its ``with`` block, or letting it
        go (a ``for`` that is left).

        Args:
            ordered: Yield in the order of *configs*; False yields in order of completion.
            timeout: Seconds for each step.
            failure: ``cancel_rest``: the first that fails cancels the others of this map, and *configs* is read no
                further; what was admitted is yielded. None does as the pool does.
        Raises:
            TimeoutError: A step took longer; nothing is lost, the iterator goes on.
            Exception: What *configs* raised, once what was admitted before was yielded.
        """
        from .core.supervision.map import MapIterator

        core, spec = self._core, self._factory.spec
        return MapIterator(core, configs, spec, ordered=ordered, timeout=timeout, failure=core.policy(failure))

    def amap(
        self,
        configs: Iterable[SpawnConfig[T]] | AsyncIterable[SpawnConfig[T]],
        *,
        ordered: bool = True,
        timeout: float | None = None,
        failure: FailurePolicy | FailureWord | None = None,
    ) -> AsyncMapIterator[T]:
        """As :meth:`map`, for a coroutine: ``async for outcome in pool.amap(configs)``.

        *configs* may be an async iterable, too; it is read in a task of its own, while outcomes are yielded. A step
        that is cancelled loses nothing. Leaving the loop early, by an exception or a cancel, cancels what still runs.

        Args:
            ordered, timeout, failure: As for :meth:`map`.
        Raises:
            TimeoutError, Exception: As for :meth:`map`.
        """
        from .core.supervision.async_map import AsyncMapIterator

        core, spec = self._core, self._factory.spec
        return AsyncMapIterator(core, configs, spec, ordered=ordered, timeout=timeout, failure=core.policy(failure))

    # Taking outcomes --------------------------------------------------------------------------------------------

    @overload
    def as_completed(
        self, handles: Iterable[AgentHandle[T]], *, timeout: float | None = None
    ) -> Iterator[AgentOutcome[T]]: ...
    @overload
    def as_completed(self, handles: None = None, *, timeout: float | None = None) -> Iterator[AgentOutcome[Any]]: ...
    def as_completed(
        self, handles: Iterable[AgentHandle[Any]] | None = None, *, timeout: float | None = None
    ) -> Iterator[AgentOutcome[Any]]:
        """Take outcomes in order of completion: of *handles*, or of all that is outstanding.

        Args:
            timeout: Seconds for all of them.
        Raises:
            TimeoutError: Not all ended in time; what was not yielded is still owed.
        """
        from .core.supervision.as_completed import completed

        return completed(self._core, None if handles is None else list(handles), timeout)

    def join_next(self, timeout: float | None = None) -> AgentOutcome[Any] | None:
        """Take the next outcome; None only when nothing is outstanding.

        Args:
            timeout: Seconds to wait for one; None waits for ever, 0 does not wait.
        Raises:
            TimeoutError: Nothing ended within *timeout* seconds; nothing is lost.
        """
        return self._core.owed.next(timeout)

    def join_all(
        self,
        timeout: float | None = None,
        *,
        group: Hashable = None,
        failure: FailurePolicy | FailureWord | None = None,
    ) -> Outcomes[Any]:
        """Take all outcomes (of *group*) once all have ended, later spawns included; in order of completion.

        What comes is a mapping by agent id: ``for outcome in pool.join_all().values()``. ``join_all().unwrap()`` gives
        the results alone, or raises an ``ExceptionGroup`` of what went wrong.

        Args:
            timeout: Seconds.
            failure: ``cancel_rest``: the first that fails, or has failed and was not taken yet, cancels the others (of
                *group*) that are owed then. None does as the pool does; a pool that cancels the rest does so whatever
                is said here.
        Raises:
            JoinTimeout: Not all ended within *timeout* seconds; nothing is taken, ``partial`` shows what is done.
            DeadlockError: Called by an agent of the pool.
        """
        self._core.shutdown.refuse_inside("join_all()")
        core = self._core
        return core.join_all(timeout, group, core.policy(failure))

    async def ajoin_all(
        self,
        timeout: float | None = None,
        *,
        group: Hashable = None,
        failure: FailurePolicy | FailureWord | None = None,
    ) -> Outcomes[Any]:
        """As :meth:`join_all`, for a coroutine: no thread is held, and a cancelled await takes nothing.

        Args:
            timeout: Seconds for all of them; None waits for ever.
            group: Only those of this group; None: all.
            failure: As for the pool; None does as the pool does.
        """
        from .core.supervision import awaiting

        core = self._core
        core.shutdown.refuse_inside("ajoin_all()")
        return await awaiting.join_all(core, timeout, group, core.policy(failure))

    # Ending -----------------------------------------------------------------------------------------------------

    def abort(self, agent_id: AgentId, reason: str = "") -> bool:
        """Cancel one agent; returns at once, its outcome still arrives.

        Args:
            agent_id: Its id, as its handle has it; a child's, too.
            reason: For the text of its ``AgentCancelled``.
        Returns:
            False when there is none of that id (now).
        """
        return self._core.cancel_id(agent_id, reason)

    def abort_all(self, reason: str = "", *, group: Hashable = None) -> None:
        """Cancel all agents; returns at once, their outcomes still arrive.

        Args:
            reason: For the text of each ``AgentCancelled``.
            group: Only those of this group, with all below them; None: all.
        """
        self._core.pool.cancel_all(reason, group=group)

    def approve(self, agent_id: AgentId, call_id: str) -> bool:
        """Approve a tool call of an agent, perhaps a child, as ``handle.approve`` does.

        Args:
            agent_id: Whose call: the event ``ApprovalRequested`` says it.
            call_id: Which of its calls.
        Returns:
            False when nobody waits for this answer (any more).
        """
        return self._core.decide_for(agent_id, call_id, approved=True)

    def deny(self, agent_id: AgentId, call_id: str, reason: str = "") -> bool:
        """Refuse a tool call of an agent, perhaps a child, as ``handle.deny`` does.

        Args:
            agent_id: Whose call: the event ``ApprovalRequested`` says it.
            call_id: Which of its calls.
            reason: The model is told.
        Returns:
            False when nobody waits for this answer (any more).
        """
        return self._core.decide_for(agent_id, call_id, approved=False, reason=reason)

    def broadcast(self, content: Any, group: Hashable = None) -> int:
        """Send *content* to all agents (of *group*) that have not ended, children and queued ones too; wait for nobody.

        Args:
            content: Any object; all get the same one.
            group: Only agents of this group; None: all.
        Returns:
            How many took it. One whose inbox is full does not; the message for it is a dead letter (``inbox_full``).
        """
        return self._core.broadcast(content, group)

    def drain(self, timeout: float | None = None) -> None:
        """Refuse new agents, and wait for the end of all that were admitted.

        Args:
            timeout: Seconds; None has no bound.
        Raises:
            TimeoutError: Not all ended within *timeout* seconds; they run on.
            DeadlockError: Called by an agent of the pool.
        """
        if not self._core.shutdown.drain(timeout):
            raise TimeoutError(f"not all agents ended within {timeout} s; they run on")

    def close(self) -> None:
        """Abort what still runs, and end: no thread is left but those of abandoned agents. Idempotent.

        Outcomes that were not taken can still be taken.
        """
        self._core.shutdown.close()

    def resize(self, max_concurrent: int) -> None:
        """Change the number of slots. Who runs runs on; a smaller limit holds for those who start later.

        Args:
            max_concurrent: How many agents may run at once from now on; 0 lets none start.
        """
        whole(0, max_concurrent=max_concurrent)
        self._core.resize(max_concurrent)

    # Looking ----------------------------------------------------------------------------------------------------

    @property
    def router(self) -> MessageRouter:
        """Sends messages to agents."""
        return self._core.pool.router

    @property
    def inbox(self) -> Inbox:
        """The inbox of id 0, where agents reach the program."""
        return self._core.pool.router.inbox()

    @property
    def supervisor(self) -> ActorRef[Supervisor]:
        """The supervisor as a Pykka actor."""
        self._core.pool.timer_thread.ensure_thread()
        return self._core.actor_ref

    def __repr__(self) -> str:
        supervisor = self._supervisor
        return f"<AgentPool {'that could not be made' if supervisor is None else supervisor.pool}>"
