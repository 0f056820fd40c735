"""A sink for a pool's events that makes a picture of its run."""

from __future__ import annotations

from collections import deque
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from ..core.checks import leaf_lock
from .lives import notes
from .lives.notes import TAKERS, taker_of

if TYPE_CHECKING:
    import os
    from datetime import datetime
    from typing import Any

    from ..core.records.event import Event
    from ..core.records.message import AgentId
    from .lives.folding import Folding
    from .lives.life import Life
    from .lives.notes import Note, Taker
    from .picture import Picture, TimelineSpan

LONG: Final = 64
"""So many notes of an agent that has not ended are worth folding."""


class AgentNotes:
    """What is kept of one agent.

    Locks: that of its ``Timeline``.
    """

    __slots__ = (
        "agent_id",
        "depth",
        "group",
        "has_ended",
        "has_started",
        "key",
        "life",
        "name",
        "notes",
        "parent_id",
        "tag",
    )

    def __init__(self, agent_id: AgentId, parent_id: AgentId | None, event: Event) -> None:
        self.agent_id = agent_id
        self.parent_id = parent_id
        self.name = event.agent
        self.depth = event.depth
        self.tag = event.tag
        self.key = getattr(event, "key", None)
        self.group = getattr(event, "group", None)
        self.notes: list[Note] = []
        self.has_started = False
        self.has_ended = False
        self.life: Life | None = None
        """How far it had come when its first notes were folded; None: they were not."""


class Timeline:
    """A picture of a run: who did what, when, and why it took so long.

    It is a sink: give it to a pool, and save it whenever you like, also while the run goes on.

    Example:
        ```python
        from actors import AgentPool
        from actors.monitoring import Timeline

        timeline = Timeline()
        with AgentPool(on_event=timeline) as pool:
            pool.submit(len, "word").result()
        timeline.save("run.html")  # one page; "run.json" opens in Perfetto
        ```

    One event costs about a microsecond; what it means is found out when the picture is made. Contents of messages are
    in the picture where the events have them (``AgentPool(events_with_content=True)``).

    Guarantees: memory is bounded by *max_events* and the agents that live. Above it the agents that ended first are
    folded into one row, which has their number and sums; of agents that never end, what they did first.

    Args:
        max_events: So many events are kept, about.
        name: What the picture is of: its title.
    Raises:
        ValueError: *max_events* is below 1.

    Threads: any. Pools one after another are drawn one after the other, with ids that go on; of pools at the same time
    each needs a timeline of its own: their agents have the same ids.

    Locks: ``_lock`` guards every field. The picture is made outside it.
    """

    wants_text: Final = False
    """No answer is streamed because it listens: pieces of texts are not in a picture."""

    def __init__(self, max_events: int = 200_000, *, name: str = "pool") -> None:
        if isinstance(max_events, bool) or not isinstance(max_events, int):
            raise TypeError(f"max_events of a Timeline must be an int, got {max_events!r}")
        if max_events < 1:
            raise ValueError(f"max_events of a Timeline must be at least 1, got {max_events}")
        if not isinstance(name, str):
            raise TypeError(f"name of a Timeline must be text, got {name!r}")
        # By who makes one, and not by everybody who imports actors; here, so that nothing is imported under the lock.
        from .lives.folding import Folding
        from .lives.life import Life

        self._life_from, self._folding_from = Life, Folding
        self.max_events = max_events
        self.name = name
        self._lock = leaf_lock()
        self._takers: dict[type[Event], Taker] = dict(TAKERS)
        self._agents: dict[AgentId, AgentNotes] = {}
        self._ended: deque[AgentNotes] = deque()  # in the order of their ends
        self._count = 0  # of notes
        self._look_again_at = max_events
        self._first: float | None = None
        self._latest = 0.0
        self._began_at: tuple[datetime, float] | None = None
        self._slots: list[tuple[float, int]] = []
        self._folding: Folding | None = None
        self._offset = 0  # added to the ids of the pool at hand
        self._highest = 0
        self._clash: str | None = None

    def __call__(self, event: Event) -> None:
        """Take one event.

        Raises:
            TypeError: It is none.
            ValueError: It is of another pool, which runs at the same time.
        """
        kind = type(event)
        take = self._takers.get(kind)
        if take is None:
            take = self._takers[kind] = taker_of(kind)
        note = take(event)
        with self._lock:
            self._note(event, note)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture as it is now, in place of what is there.

        Args:
            path: ``.html``: one page, which needs no network. ``.json`` or ``.json.gz``: for ui.perfetto.dev and
                chrome://tracing.
        Raises:
            ValueError: Another ending; or two pools told this timeline at the same time.
            OSError: It cannot be written. What was there is there as before.
        """
        from .saving import save, writer_of

        writer_of(path)  # before the work
        save(self.picture(), path)

    def spans(self) -> tuple[TimelineSpan, ...]:
        """What every agent was at, from when to when: by the beginnings of agents, then of their spans.

        Raises:
            ValueError: Two pools told this timeline at the same time.
        """
        return tuple(span for agent in self._drawn().agents for span in agent.spans)

    def picture(self) -> Picture:
        """The picture as it is now.

        Raises:
            ValueError: Two pools told this timeline at the same time.
        """
        from .why.summary import with_summary

        return with_summary(self._drawn())

    # Taking ---------------------------------------------------------------------------------------------------------

    def _note(self, event: Event, note: Note | None) -> None:
        """Under the lock."""
        moment = event.moment
        if self._first is None:
            self._first = self._latest = moment
        elif moment < self._first:
            self._first = moment
        elif moment > self._latest:
            self._latest = moment
        if note is None or event.agent_id < 1:
            return
        agent_id = event.agent_id + self._offset
        agent = self._agents.get(agent_id)
        kind = note[0]
        if agent is None:
            agent = self._meet(event, agent_id)
        elif kind == notes.QUEUED or (kind == notes.STARTED and agent.has_started):
            agent = self._begin_again(event)
        if agent.has_ended:
            return  # a thread of it that was abandoned
        if kind == notes.STARTED:
            agent.has_started = True
            self._see_slots(event, moment)
        elif kind == notes.ENDED:
            agent.has_ended = True
            self._ended.append(agent)
        elif kind == notes.SENT or kind == notes.READ:
            note = self._shifted(note)
        agent.notes.append(note)
        self._count += 1
        if self._count > self.max_events:
            self._fold()

    def _meet(self, event: Event, agent_id: AgentId) -> AgentNotes:
        if self._began_at is None and event.at is not None:
            self._began_at = (event.at, event.moment)
        parent = event.parent_id
        agent = AgentNotes(agent_id, parent + self._offset if parent else parent, event)
        self._agents[agent_id] = agent
        if agent_id > self._highest:
            self._highest = agent_id
        return agent

    def _see_slots(self, event: Any, moment: float) -> None:
        slots = event.slots
        if slots is not None and (not self._slots or self._slots[-1][1] != slots):
            self._slots.append((moment, slots))

    def _shifted(self, note: Note) -> Note:
        """The other one's id is of the pool at hand, too."""
        return (*note[:2], note[2] + self._offset, *note[3:]) if self._offset and note[2] > 0 else note

    def _begin_again(self, event: Event) -> AgentNotes:
        """An agent that was there already: the ids are another pool's."""
        if any(not agent.has_ended for agent in self._agents.values()):
            self._clash = (
                f"agent {event.agent_id} ({event.agent}) began twice: two pools told this Timeline at the same "
                "time, and their agents have the same ids; give each pool a Timeline of its own"
            )
            raise ValueError(self._clash)
        self._offset = self._highest
        return self._meet(event, event.agent_id + self._offset)

    # Folding --------------------------------------------------------------------------------------------------------

    def _fold(self) -> None:
        """There are too many notes. Under the lock."""
        if self._folding is None:
            self._folding = self._folding_from(self._first or 0.0)
        while self._count > self.max_events and self._ended:
            self._fold_agent(self._ended.popleft(), self._folding)
        if self._count > self._look_again_at:
            for agent in self._agents.values():
                if len(agent.notes) > LONG:
                    self._fold_past(agent, self._folding)
            self._look_again_at = max(self.max_events, self._count + self.max_events // 4)

    def _fold_agent(self, agent: AgentNotes, folding: Folding) -> None:
        life = agent.life or self._life_from(self._first or 0.0)
        agent.notes.sort(key=itemgetter(1))
        life.take(agent.notes)
        life.close(self._latest)
        folding.fold(agent.agent_id, life, agent.notes)
        del self._agents[agent.agent_id]
        others = {note[2] for note in agent.notes if note[0] in (notes.SENT, notes.READ)}
        # One by one: a difference with all keys would look at each agent there is.
        folding.forget_pairs(agent.agent_id, [other for other in others if other not in self._agents])
        self._count -= len(agent.notes)

    def _fold_past(self, agent: AgentNotes, folding: Folding) -> None:
        """What an agent did that has not ended; the latest is kept, as it may not be in order yet."""
        told, agent.notes = agent.notes[:-LONG], agent.notes[-LONG:]
        if agent.life is None:
            agent.life = self._life_from(self._first or 0.0)
        told.sort(key=itemgetter(1))
        agent.life.take(told)
        folding.add(agent.agent_id, *agent.life.forget_past(), told)
        self._count -= len(told)

    def _drawn(self) -> Picture:
        from .lives.drawing import Drawn, draw

        with self._lock:
            if self._clash is not None:
                raise ValueError(self._clash)
            drawn = Drawn(
                name=self.name,
                agents=[
                    (agent, agent.notes.copy(), agent.life and agent.life.copy()) for agent in self._agents.values()
                ],
                first=self._first or 0.0,
                latest=self._latest,
                began_at=self._began_at,
                slots=self._slots.copy(),
                folding=self._folding and self._folding.copy(),
            )
        return draw(drawn)
