"""A pool as those see it who look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from .core.supervision.arguments import sink_only, whole, yes_or_no
from .core.supervision.pool_block import PoolBlock

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable
    from typing import IO

    from .core.records.event import Event
    from .core.records.message import AgentId
    from .core.records.pool_stats import PoolStats
    from .core.supervision.dump import AgentDump, PoolDump
    from .core.supervision.dump_look import PoolGlimpse
    from .progress.pool_progress import ItemT, PoolProgress


class PoolView(PoolBlock):
    """What a pool shows of itself."""

    @property
    def max_concurrent(self) -> int:
        """How many agents may run at once."""
        return self._core.pool.slots.limit

    @property
    def active_count(self) -> int:
        """How many agents are running or parked."""
        return self._core.pool.counts()[0]

    @property
    def queued_count(self) -> int:
        """How many admitted agents wait to start."""
        return self._core.pool.counts()[1]

    @property
    def outstanding_count(self) -> int:
        """How many outcomes are owed to the caller."""
        return len(self._core.owed)

    def stats(self) -> PoolStats:
        """What the pool does right now."""
        return self._core.figures()

    @overload
    def dump(self, *, stacks: bool = True, agent_id: None = None) -> PoolDump: ...
    @overload
    def dump(self, *, stacks: bool = True, agent_id: AgentId) -> AgentDump: ...
    def dump(self, *, stacks: bool = True, agent_id: AgentId | None = None) -> PoolDump | AgentDump:
        """Why is it stuck: what each agent does, since when, and the stack of its thread. ``str`` of it is readable.

        Args:
            stacks: False leaves the stacks out, which take nearly all of the time: of 500 agents 3 ms without them.
            agent_id: Look at that agent alone.
        Raises:
            KeyError: No agent of that id has not ended.
        """
        from .core.supervision.dump_look import look_at_agent, look_at_pool

        yes_or_no(stacks=stacks)
        if agent_id is None:
            return look_at_pool(self._core, stacks=stacks)
        whole(0, agent_id=agent_id)
        return look_at_agent(self._core, agent_id, stacks=stacks)

    def subscribe(self, sink: Callable[[Event], object]) -> Callable[[], None]:
        """Call *sink* with every event of all agents from now on, as ``on_event`` is: for what comes later.

        Each sink has a thread and a queue of its own, and its own ``seq`` from 1. One that is slow, stuck or raises
        harms neither an agent nor another sink. The same one twice is called twice. One whose attribute ``wants_text``
        is False gets no ``TextDelta``, and no answer is streamed for it.

        Returns:
            What ends it. What has happened by then is still told; it returns when that is done, or when one event takes
            longer than ``abort_timeout``. In a call of *sink* itself that call is the last one. Twice does nothing
            twice, and closing the pool ends all.
        Raises:
            TypeError: *sink* is no function.
            PoolClosed: The pool has ended.

        Example:
            ```python
            from actors import AgentPool

            with AgentPool() as pool:
                end = pool.subscribe(lambda event: print(event.agent, type(event).__name__))
                pool.submit(len, "word").result()
                end()
            ```

            ```text
            len AgentStarted
            len AgentEnded
            ```
        """
        sink_only(sink=sink)
        return self._core.pool.subscribe(sink)

    def _overhear(self, sink: Callable[[Event], object], most: int) -> tuple[Callable[[], None], Callable[[], bool]]:
        """As :meth:`subscribe`, for at most so many events, and without the text of answers: for those who look."""
        return self._core.pool.overhear(sink, most)

    def _glimpse(self, most: int, most_queued: int) -> PoolGlimpse:
        """What at most so many of its agents do, without stacks: for whoever looks again and again."""
        from .core.supervision.dump_look import glimpse_at_pool

        return glimpse_at_pool(self._core, most, most_queued)

    def progress(
        self,
        outcomes: Iterable[ItemT] | AsyncIterable[ItemT] | None = None,
        *,
        total: int | None = None,
        file: IO[str] | None = None,
    ) -> PoolProgress[ItemT]:
        """Show how far the agents are: a bar on a terminal and in a notebook, elsewhere a line now and then.

        Around a block, or around what a loop takes outcomes from.

        Example:
            ```python
            import sys

            from actors import AgentManifest, AgentPool, SpawnConfig

            poet = AgentManifest(name="poet")
            with AgentPool("echo") as pool:
                poems = pool.map(SpawnConfig(poet, subject) for subject in ("rain", "snow"))
                for poem in pool.progress(poems, total=2, file=sys.stdout):
                    assert poem.ok
            ```

        Args:
            outcomes: What to iterate over (a map, ``pool.as_completed()``, with ``async for`` an ``amap``): what is
                taken from it counts as done. Without it all agents of the pool count, children too.
            total: How many there will be; None takes the length of *outcomes*, or the agents that were started.
            file: Where to; None is standard error, or the output of the cell.
        """
        from .progress.pool_progress import PoolProgress

        whole(0, total=0 if total is None else total)
        return PoolProgress(self.stats, self._core.begun, outcomes, total=total, file=file)
