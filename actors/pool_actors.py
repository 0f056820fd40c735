"""A pool as long-lived actors know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from .core.supervision.pool_block import PoolBlock

if TYPE_CHECKING:
    from .agent.assembly.factory import AgentFactory
    from .agent.budget import Budget
    from .agent.ports import LlmDriver, MemorySubstrate, Tools
    from .core.actors.actor import Actor
    from .core.actors.reference import ActorRef
    from .core.records.spec import RestartPolicy

ActorT = TypeVar("ActorT", bound="Actor")


class ActorHost(PoolBlock):
    """A pool that long-lived actors belong to, and what they have of it."""

    _factory: AgentFactory

    def start_actor(
        self, actor_class: type[ActorT], /, *args: Any, restart: RestartPolicy | None = None, **kwargs: Any
    ) -> ActorRef[ActorT]:
        """Start a long-lived actor that belongs to the pool, made of *args* and *kwargs*.

        It has ``self.pool``, and of that ``self.driver``, ``tools``, ``memory``, ``budget`` and ``spawn``, in its
        ``__init__`` already; so have its children. What it spawns is owed as for anybody who calls the pool, and a wait
        for it in a handler holds up no other actor. It holds no slot.

        It ends before the pool: a drain waits for the agents, and then stops the actors, the youngest first, so that
        what they have accepted is handled. Each has ``abort_timeout`` seconds for that, however many there are; when
        one needs more, all that are left are aborted, as they are by a close.

        Args:
            restart: How often it is made anew when it crashes, as by :func:`supervise`; None: never.
        Raises:
            PoolClosed: The pool drains or is closed.
            Exception: What its ``__init__`` raises.
            RuntimeError: No thread can be started.
        Example:
            ```python
            from actors import Actor, AgentPool

            class Desk(Actor):
                def on_receive(self, question):
                    return self.pool.submit(len, question).result()

            with AgentPool() as pool:
                print(pool.start_actor(Desk).ask("how long?"))
            ```

            ```text
            9
            ```
        """
        from .core.actors.supervise import start_in

        return start_in(self._core.pool.actors, actor_class, args, kwargs, restart)

    @property
    def driver(self) -> LlmDriver | None:
        """What answers completion requests; None without one."""
        return self._factory.driver

    @property
    def memory(self) -> MemorySubstrate | None:
        """Where agents remember; None without one."""
        return self._factory.memory

    @property
    def tools(self) -> Tools:
        """What agents without a manifest may call. Of a function, what it gave once for a manifest without grants."""
        return self._factory.tools

    @property
    def budget(self) -> Budget | None:
        """What all agents of the pool may spend together; None without one."""
        return self._factory.budget
