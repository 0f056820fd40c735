"""A conversation that goes on, as the program has it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, overload

from typing_extensions import TypeVar

from .agent.config import SpawnConfig
from .core.checks import leaf_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import TypeForm, Unpack

    from .agent.assembly.factory import AgentFactory
    from .agent.config import SpawnKeywords
    from .agent.terms.manifest import AgentManifest
    from .core.actors.agent_actor import AgentActor
    from .core.records.loop_result import AgentLoopResult
    from .core.records.outcome import AgentOutcome
    from .core.supervision.handle import AgentHandle
    from .sessions.session import Session
    from .sessions.sessions import Sessions

CANCELLED = "the conversation was cancelled"

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True, default="AgentLoopResult")


class Ask(Generic[T_co]):
    """A question that is under way, and may be cancelled before there is an agent for it.

    Locks: none; both sides write first, and then look at what the other one wrote.
    """

    __slots__ = ("_handle", "_is_cancelled")

    def __init__(self) -> None:
        self._handle: AgentHandle[T_co] | None = None
        self._is_cancelled = False

    def begin(self, handle: AgentHandle[T_co]) -> None:
        """There is an agent for it now."""
        self._handle = handle
        if self._is_cancelled:
            handle.cancel(CANCELLED)

    def cancel(self) -> bool:
        """Cancel it; False when it has ended."""
        self._is_cancelled = True
        return self._handle is None or self._handle.cancel(CANCELLED)


class Conversation(Generic[T_co]):
    """A conversation that goes on, over the end of a program: what was said in a session, and who answers now.

    Made by ``pool.converse(manifest, "user-42")``. Several may be had for one session, in any number of threads and
    processes: each ask sees what was answered before it.

    Threads: any. Asks at the same time are answered one after another, in the order in which they came.

    Locks: ``_lock`` guards ``_running``; nobody is waited for while it is held.
    """

    def __init__(
        self,
        begin: Callable[[SpawnConfig[T_co], float | None], AgentHandle[T_co]],
        config: SpawnConfig[T_co],
        session: Session,
        broken_off: Callable[[str], list[Any]],
    ) -> None:
        self._begin = begin
        self._config = config
        self._session = session
        self._broken_off = broken_off
        self._lock = leaf_lock()
        self._running: list[Ask[T_co]] = []

    @property
    def session(self) -> Session:
        """What was said, as it is stored."""
        return self._session

    def ask(self, query: Any, timeout: float | None = None) -> AgentOutcome[T_co]:
        """Ask, and wait for the outcome. When it is ``completed`` the turn is stored; else the session is as it was.

        Args:
            query: As in a config: text, parts, a list of both, or anything that JSON can hold.
            timeout: Seconds for all of it, each wait included: then the outcome is ``timed_out``. None has no limit but
                those that the conversation was begun with.
        Raises:
            CapacityError: No room in the pool in time.
            PoolClosed: The pool drains or is closed.
            TypeError, ValueError: *timeout* is none.
            ValueError, CapabilityDenied, ManifestError: As for ``pool.spawn``.
        """
        given = {name: getattr(self._config, name) for name in self._config.model_fields_set}
        if timeout is not None:
            _refuse_no_seconds(timeout)
            deadline = self._config.deadline
            given["deadline"] = timeout if deadline is None else min(timeout, deadline)
        return self._outcome_of(SpawnConfig(**{**given, "query": query}), timeout)

    def resume(self) -> AgentOutcome[T_co] | None:
        """Go on with what was asked when an earlier process died, as its journal tells: what was bought then is not
        bought again. To ask the same does so, too.

        Returns:
            Its outcome; None when nothing broke off, or the pool has no journal.
        Raises:
            SessionError: The session cannot be read.
        """
        for query in self._broken_off(self._session.id):
            return self.ask(query)
        return None

    def _outcome_of(self, config: SpawnConfig[T_co], timeout: float | None) -> AgentOutcome[T_co]:
        ask: Ask[T_co] = Ask()
        with self._lock:
            self._running.append(ask)  # first: a cancel may come while it stands in line for room
        try:
            handle = self._begin(config, timeout)
            try:
                ask.begin(handle)
                return handle.outcome()
            except BaseException:  # whoever asked is gone (Ctrl-C, a cancel): so is the question
                handle.cancel("whoever asked waits no longer")
                raise
        finally:
            with self._lock:
                self._running.remove(ask)

    def cancel(self) -> bool:
        """Cancel what is being answered or waits to be: its asks return an outcome that is ``cancelled``, and the
        session is as it was. False when nothing was.
        """
        with self._lock:
            running = list(self._running)
        cancelled = [ask.cancel() for ask in running]
        return any(cancelled)

    def __repr__(self) -> str:
        return f"<Conversation {self._session.id!r} with {self._config.manifest.name!r}>"


def _refuse_no_seconds(timeout: object) -> None:
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"timeout must be a number of seconds, got {timeout!r}")
    if not 0 <= timeout < math.inf:
        raise ValueError(f"timeout must be at least 0 seconds, and finite, got {timeout!r}")


class ConversationHost:
    """A pool as conversations know it."""

    _sessions: Sessions | None
    _factory: AgentFactory

    def _begin_ask(self, config: SpawnConfig[T_co], timeout: float | None) -> AgentHandle[T_co]:
        """Start the agent that answers, as soon as there is room for it; its deadline counts from now."""
        raise NotImplementedError

    @overload
    def converse(
        self,
        manifest: AgentManifest,
        session: str,
        /,
        *,
        agent: type[AgentActor[AgentLoopResult]] | None = None,
        output_type: None = None,
        **more: Unpack[SpawnKeywords],
    ) -> Conversation: ...
    @overload
    def converse(
        self,
        manifest: AgentManifest,
        session: str,
        /,
        *,
        agent: type[AgentActor[T]],
        output_type: None = None,
        **more: Unpack[SpawnKeywords],
    ) -> Conversation[T]: ...
    @overload
    def converse(
        self,
        manifest: AgentManifest,
        session: str,
        /,
        *,
        agent: type[AgentActor[AgentLoopResult]] | None = None,
        output_type: type[T],
        **more: Unpack[SpawnKeywords],
    ) -> Conversation[T]: ...
    @overload
    def converse(
        self,
        manifest: AgentManifest,
        session: str,
        /,
        *,
        agent: type[AgentActor[AgentLoopResult]] | None = None,
        output_type: TypeForm[T],
        **more: Unpack[SpawnKeywords],
    ) -> Conversation[T]: ...
    def converse(self, manifest: AgentManifest, session: str, /, **more: Any) -> Conversation[Any]:
        """A conversation that goes on: with all that was said in that session before, also in another process.

        Example:
            ```python
            from actors import AgentManifest, AgentPool

            with AgentPool("echo", sessions="chats.db") as pool:
                talk = pool.converse(AgentManifest(name="friend"), "user-42")
                talk.ask("My name is Ada.")
                print(talk.ask("What is my name?").unwrap().text)
            ```

            ```text
            What is my name?
            ```

        Args:
            session: Names it: 1 to 200 characters.
            more: What else a ``SpawnConfig`` takes, but for a ``key``: ``history=20`` offers the last 20 turns alone
                to the model; what is stored is not cut.
        Raises:
            ValueError: The pool has no sessions, or that is no id.
        """
        if self._sessions is None:
            raise ValueError("converse() needs a pool with sessions, as in AgentPool(..., sessions='chats.db')")
        if more.get("key") is not None:
            raise ValueError("a conversation takes no key: each of its turns has one of its own")
        found = self._sessions.get(session)
        config: SpawnConfig[Any] = SpawnConfig(manifest, "", session=session, **more)
        return Conversation(self._begin_ask, config, found, self._factory.broken_off)
