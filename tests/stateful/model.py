"""What a pool should do, in plain Python: no thread, no lock, nothing of the library.

The model is told of each step that the machine takes, and follows the events. Where the library has to choose between
threads that run at the same time, the model follows the choice and checks that it was a lawful one.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from .life import Item, Life, Plan
from .start_order import StartOrder

if TYPE_CHECKING:
    from actors import Event


class PoolModel:
    """A pool that keeps its promises."""

    def __init__(
        self,
        limit: int,
        *,
        max_queued: int | None,
        max_live: int | None,
        capacity: int,
        max_restarts: int,
        long_backoff: bool,
    ) -> None:
        self.limit = limit
        self.max_queued = max_queued
        self.max_live = max_live
        self.capacity = capacity
        self.max_restarts = max_restarts
        self.long_backoff = long_backoff
        self.lives: dict[int, Life] = {}
        self.queue = StartOrder()
        self.pending: dict[int, Life] = {}
        self.ready: list[int] = []
        self.program: deque[Item] = deque()
        self.dead: Counter[tuple[Any, str]] = Counter()
        self.started = 0
        self.ended: Counter[str] = Counter()
        self.seq = 0
        self.asked: int | None = None
        self.expected: Plan | None = None
        self._starts: list[Life] = []
        self._starved: list[Life] = []
        self._waiting: list[Life] = []

    # What there is ----------------------------------------------------------------------------------------------

    def at(self, stage: str) -> list[Life]:
        """Those in that stage, by age."""
        return [life for life in self.lives.values() if life.stage == stage]

    def unended(self) -> list[Life]:
        """Those that have not ended, by age."""
        return [life for life in self.lives.values() if life.stage != "ended"]

    def idle(self) -> list[Life]:
        """Those that wait for a command."""
        return [life for life in self.lives.values() if life.is_ready]

    def queued(self) -> list[Life]:
        """Those in the queue, children not among them."""
        return [life for life in self.at("queued") if life.parent is None]

    def waiting_children(self) -> list[Life]:
        """Children that wait for a slot, the first to start first."""
        return sorted(
            (life for life in self.at("queued") if life.parent is not None), key=lambda life: (-life.depth, life.id)
        )

    def starved(self) -> list[Life]:
        """Those that could go on if they had a slot."""
        return [life for life in self.at("live") if self.rest_of(life) == "starved"]

    def has_room(self, count: int) -> bool:
        """Are *count* new agents admitted now?"""
        if self.max_queued is None:
            return True
        startable = 0
        if not self.queued():
            startable = self.limit - len(self.idle()) - len(self.starved()) - len(self.waiting_children())
            if self.max_live is not None:
                startable = min(startable, self.max_live - len(self.at("live")))
        return count <= max(0, startable) + max(0, self.max_queued - len(self.queued()))

    def queue_moves(self) -> bool:
        """Is there room for one more as soon as one that runs ends, as nobody else wants its slot?"""
        others = self.starved() or self.waiting_children() or self.somebody_awaits() or self.somebody_wants_room()
        return not others and (self.max_live is None or len(self.at("live")) <= self.max_live)

    def somebody_awaits(self) -> bool:
        """Does an agent wait for the outcome of another?"""
        return any(life.kind == "await" for life in self.at("live"))

    def somebody_wants_room(self) -> bool:
        """Does an agent wait for room in the mailbox of another, whose end lets it go on?"""
        return any(life.putter is not None for life in self.at("live"))

    def closes_circle(self, life: Life, target: Life) -> bool:
        """Would *life* wait for itself, an ancestor, or one that waits for it?"""
        if life.is_below(target):
            return True
        following: Life | None = target
        while following is not None and following.kind == "await" and following.stage == "live":
            assert following.activity is not None
            following = following.activity[1]
            if following is life:
                return True
        return False

    # Steps of the machine ---------------------------------------------------------------------------------------

    def admit(self, id_: int, plan: Plan, parent: Life | None = None) -> Life:
        """An agent was admitted."""
        assert id_ == len(self.lives) + 1, f"id {id_} after {len(self.lives)} waiting_spawns"
        life = self.lives[id_] = Life(id_, plan, parent)
        if plan.limit == "deadline":
            life.verdict = ("timed_out", None)
        if parent is None:
            life.owed = True
            self.pending[id_] = life
            self.queue.push(life)
        else:
            life.depth = parent.depth + 1
            parent.children.append(life)
        return life

    def cancel(self, life: Life, reason: str | None) -> None:
        """*life* is cancelled, and all below it."""
        for each in life.below():
            if each.cancelled:
                continue
            each.cancelled = True
            if each.verdict is None:
                each.verdict = ("cancelled", reason if each is life else None)
            for target in self.unended():
                if target.putter is not None and target.putter[0] is each:
                    target.unsure = target.putter[1]
                    target.putter = None

    def crash(self, life: Life, fault: str) -> None:
        """The code of *life* raises."""
        for child in life.children:
            self.cancel(child, None)
        if life.restarts < self.max_restarts:
            life.activity = ("rebirth",)
        else:
            life.verdict = ("crashed", fault)
            life.activity = ("finish",)

    def finish(self, life: Life, status: str, detail: Any) -> None:
        """The code of *life* returns or fails."""
        life.verdict = (status, detail)
        life.activity = ("finish",)
        for child in life.children:
            self.cancel(child, None)

    def send(self, item: Item, to: int) -> str | None:
        """An item is sent without waiting; how it is refused."""
        if to == 0:
            self.program.append(item)
            if len(self.program) > self.capacity:
                self.dead[self.program.popleft()[2], "dropped_oldest"] += 1
            return None
        target = self.lives.get(to)
        if target is None or target.stage == "ended":
            return "NotRegistered"
        if len(target.inbox) >= self.capacity:
            return "InboxFull"
        target.inbox.append(item)
        return None

    def taken(self, id_: int) -> None:
        """The outcome of that id was taken."""
        life = self.lives[id_]
        life.owed = False
        self.pending.pop(id_, None)
        if id_ in self.ready:
            self.ready.remove(id_)

    # Events -----------------------------------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Follow one event."""
        assert event.seq == self.seq + 1, f"event {event.seq} after {self.seq}"
        self.seq = event.seq
        kind = type(event).__name__
        if kind == "MessageSent":
            return
        if event.agent_id not in self.lives and self.expected is not None:
            plan, self.expected = self.expected, None
            self.admit(event.agent_id, plan, None if event.parent_id is None else self.lives[event.parent_id])
        life = self.lives[event.agent_id]
        assert life.stage != "ended", f"{kind} of agent {life.id} after its end"
        assert event.depth == life.depth
        getattr(self, f"_on_{kind}")(life, event)

    def _on_AgentQueued(self, life: Life, event: Any) -> None:  # noqa: N802 - named for the event, as all below
        assert life.stage == "queued"

    def _on_AgentStarted(self, life: Life, event: Any) -> None:  # noqa: N802
        assert life.stage == "queued", f"agent {life.id} started twice"
        first = self.queue.pop() if life.parent is None else self.waiting_children()[0]
        assert first is life, f"agent {life.id} started, it was the turn of {first}"
        life.stage = "live"
        life.started = True
        self.started += 1
        self._starts.append(life)
        if life.plan.limit is not None:
            life.verdict = ("timed_out", None)

    def _on_Born(self, life: Life, event: Any) -> None:  # noqa: N802
        assert life.kind in ("birth", "rebirth"), f"agent {life.id} was born while it was at {life.activity}"
        assert life.verdict is None, f"agent {life.id} was born, but it had to end as {life.verdict}"
        assert event.incarnation == life.restarts
        life.parked = life.restarting = False
        births = life.plan.births
        failure = births[event.incarnation] if event.incarnation < len(births) else None
        life.built = life.built or failure is None or failure[0] != "init"
        if failure is not None:
            self.crash(life, failure[1])

    def _on_Ready(self, life: Life, event: Any) -> None:  # noqa: N802
        assert life.kind in ("birth", "rebirth")
        life.activity = None

    def _on_AgentRestarted(self, life: Life, event: Any) -> None:  # noqa: N802
        assert life.kind == "rebirth", f"agent {life.id} restarted while it was at {life.activity}"
        life.restarts += 1
        life.restarting = True
        assert life.restarts == event.attempt
        assert life.restarts <= self.max_restarts, f"agent {life.id} was restarted {life.restarts} times"

    def _on_AgentParked(self, life: Life, event: Any) -> None:  # noqa: N802
        life.parked = True
        life.on = event.on

    def _on_AgentResumed(self, life: Life, event: Any) -> None:  # noqa: N802
        life.parked = False

    def _on_MessageRead(self, life: Life, event: Any) -> None:  # noqa: N802
        assert life.kind == "receive", f"agent {life.id} read a message while it was at {life.activity}"
        assert life.inbox[0][:2] == ("msg", event.sender)  # it goes when the agent says what it got

    def _on_Served(self, life: Life, event: Any) -> None:  # noqa: N802
        assert self._pop(life) == ("ask", 0, event.content)

    def _on_StepDone(self, life: Life, event: Any) -> None:  # noqa: N802
        activity = life.activity
        assert activity is not None
        assert activity[0] == event.kind, f"agent {life.id} reports {event}, but it was at {activity}"
        got = event.error if event.error is not None else event.value
        match activity:
            case ("receive", _):
                if event.error is None:
                    assert ("msg", *got) == self._pop(life)
                else:
                    assert (got, list(life.inbox)) == ("TimeoutError", [])
            case ("send", expected):
                expected = life.delivery if expected == "waits" else expected
                assert got == (None if expected == "ok" else expected), f"{got}, expected {expected}"
            case ("await", Life() as target):
                assert got == target.status
                self.taken(target.id)
            case ("ask", _):
                assert life.answered is not None
                assert got == (life.answered[1] if life.answered[0] else "LookupError")
            case ("spawn", _):
                assert self.lives[got].parent is life
            case ("park", _):
                assert event.error is None
            case (_, expected):
                assert got == expected
        life.activity = life.delivery = life.answered = None
        life.parked = False

    def _pop(self, life: Life) -> Item:
        assert life.inbox, f"agent {life.id} took something from an empty mailbox"
        item = life.inbox.popleft()
        if life.putter is not None:
            sender, waiting = life.putter
            life.putter = None
            life.inbox.append(waiting)
            sender.delivery = "ok"
        return item

    def _on_OnEnd(self, life: Life, event: Any) -> None:  # noqa: N802
        life.ends += 1
        assert not event.visible, f"the outcome of agent {life.id} was visible before on_end"
        assert life.verdict is not None
        assert event.status == life.verdict[0]
        assert len(life.below()) == 1, f"agent {life.id} came to on_end before its children had ended"

    def _on_AgentEnded(self, life: Life, event: Any) -> None:  # noqa: N802
        assert life.verdict is not None, f"agent {life.id} ended, and had no reason to"
        assert event.status == life.verdict[0], f"agent {life.id} ended {event.status}, expected {life.verdict}"
        assert len(life.below()) == 1, f"agent {life.id} ended before its children"
        assert life.ends == int(life.built), f"on_end of agent {life.id} was called {life.ends} times"
        life.stage = "ended"
        life.status = str(event.status)
        self.ended[life.status] += 1
        for _, _, content in life.inbox:
            self.dead[content, "receiver_ended"] += 1
        life.inbox.clear()
        if life.putter is not None:
            life.putter[0].delivery = "InboxClosed"
            life.putter = None
        if life.owed:
            del self.pending[life.id]
            self.ready.append(life.id)

    # At rest ----------------------------------------------------------------------------------------------------

    def rest_of(self, life: Life) -> str | None:
        """Where *life* can stay for ever if nothing else happens: ``queued``, ``running``, ``blocked`` or ``starved``
        (it lacks a slot only). None: it is on its way.
        """
        if life.cancelled or (life.verdict is not None and life.verdict[0] == "timed_out"):
            return None
        if life.stage == "queued":
            return "queued"
        if life.activity is None:
            return "running"
        if not life.parked or life.kind == "birth":
            return None
        if life.kind == "rebirth" and life.restarting:
            return "blocked" if self.long_backoff and life.on == "restart" else "starved"
        if life.kind in ("rebirth", "finish"):
            return "starved" if life.on == "children" else None
        return "starved" if life.can_go_on() else "blocked"

    def is_quiet(self) -> bool:
        """Will nothing more happen by itself?"""
        rests = Counter(self.rest_of(life) for life in self.unended())
        if rests[None] or self.expected is not None:
            return False
        asking = [life for life in self.at("live") if life.kind == "ask" and life.answered is None]
        if asking and self.asked is None:
            return False
        if rests["running"] < self.limit:
            may_start = self.max_live is None or len(self.at("live")) < self.max_live
            return not (rests["starved"] or self.waiting_children() or (may_start and self.queued()))
        return True

    def begin_step(self) -> None:
        """Remember who lacks a slot."""
        self._starts = []
        # Of these it is certain that they stood in line before the step began.
        self._starved = [life for life in self.starved() if life.kind == "await" or life.activity == ("receive", None)]
        self._waiting = self.waiting_children()

    def end_step(self) -> None:
        """Check that slots went to woken agents first, then to children, then to the queue."""
        starved = [life for life in self._starved if life in self.starved()]
        assert not (starved and self._starts), f"{self._starts} started before {starved} went on"
        waiting = [life for life in self._waiting if life.stage == "queued"]
        late = [life for life in self._starts if life.parent is None]
        assert not (waiting and late), f"{late} started before the children {waiting}"
