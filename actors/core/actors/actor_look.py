"""Looks at all long-lived actors of the process."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import pykka

from ..clock import SYSTEM_CLOCK
from ..dispatching.dispatcher import Dispatcher
from ..dispatching.shift import Shift
from ..glance import glance
from ..messaging.mailbox import NOTHING
from ..process.at_exit import at_exit
from ..process.stacks import Stacks
from ..shown import shown
from ..waiting.crowd import crowd
from ..waiting.waiter import Waiter
from .actor_cell import IS_STOPPED, LIVES, WINDS_UP, ActorCell
from .actor_dump import ActorDump, ActorsDump, ActorState, DispatcherDump, label_of
from .actor_life import ActorLife
from .children import cell_of, children_of
from .pinned_cell import PinnedCell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..waiting.wait_graph import WaitNode
    from .home import Home

MOST = 10
"""How many siblings that do nothing are shown, of each class."""
BEGINS = (ActorLife._begin.__code__, ActorLife._begin_again.__code__)  # noqa: SLF001 - the neighbour's steps
ENDS = (ActorLife._wind_up.__code__, ActorLife._wind_up_parts.__code__, ActorCell.finish.__code__)  # noqa: SLF001
WAITS = (Waiter.wait.__code__,)
DIGITS = 6
"""How many digits tell one actor from others of its name."""
PLAIN = (str, int, float, bool, bytes, type(None))
"""What can be shown without calling anything of a user's."""


def dump(*, most: int | None = MOST) -> ActorsDump:
    """What does each long-lived actor of the process do? ``print(actors.dump())`` draws them as a tree.

    Nobody is stopped or waited for, and nothing of a user's is called: it works in any thread, at any moment, also in a
    signal's handler. Each actor is looked at by itself.

    Args:
        most: How many siblings of one class that are idle, or stand in line, are told one by one; None: all.
    Raises:
        ValueError: *most* is below 0.
    """
    if most is not None and (isinstance(most, bool) or not isinstance(most, int)):
        raise TypeError(f"most must be an int, or None, got {most!r}")
    if most is not None and most < 0:
        raise ValueError(f"most must be at least 0, or None, got {most}")
    dispatchers = [
        DispatcherDump(one.name, one.workers, count, stats)
        for one in at_exit().everything()
        if isinstance(one, Dispatcher) and ((count := len(one.cells())) + (stats := one.stats()).workers)
    ]
    return ActorsDump(tuple(dispatchers), tuple(ActorLook(most).at(living())))


def living() -> Iterator[ActorCell]:
    """The cells of the actors of the process that have not ended."""
    for something in at_exit().everything():
        if isinstance(something, PinnedCell):
            yield something
        elif isinstance(something, Dispatcher):
            yield from (cell for cell in something.cells() if isinstance(cell, ActorCell))


class ActorLook:
    """One moment: the stacks of all threads, and the time.

    Args:
        most: As for :func:`dump`.
        stacks: Are they told, too? What an actor is at is seen by the frames of its thread either way.
    """

    def __init__(self, most: int | None = MOST, *, stacks: bool = True) -> None:
        self._most = most
        self._tells_stacks = stacks
        self._stacks = Stacks()
        self._now = SYSTEM_CLOCK.monotonic()
        self._urns: dict[WaitNode, str] = {}

    def at(self, cells: Iterable[ActorCell]) -> Iterator[ActorDump]:
        """Look at *cells*: each is followed by those of them that are its children, as they were started; those of
        pools come last.
        """
        alive = [cell for cell in cells if LIVES <= cell.stage < IS_STOPPED]
        known = set(alive)
        self._urns = _urns(alive)
        below: dict[ActorCell, list[ActorCell]] = defaultdict(list)
        roots: dict[Home | None, list[ActorCell]] = {None: []}
        for cell in alive:
            parent = cell.parent
            if parent is not None and parent in known:
                below[parent].append(cell)
            else:
                roots.setdefault(cell.home, []).append(cell)
        for parent, children in below.items():
            below[parent] = _as_started(parent, children)
        for home, first in roots.items():
            yield from self._tree(first, below, None if home is None else home.name)

    def _tree(
        self, first: list[ActorCell], below: dict[ActorCell, list[ActorCell]], pool: str | None
    ) -> Iterator[ActorDump]:
        """In order, without a call for each level: trees may be deep."""
        todo = [iter(self._siblings(first, below, 0, pool))]
        while todo:
            following = next(todo[-1], None)
            if following is None:
                todo.pop()
                continue
            cell, told = following
            yield told
            if cell is not None and cell in below:
                todo.append(iter(self._siblings(below[cell], below, len(todo), pool)))

    def _siblings(
        self, cells: list[ActorCell], below: dict[ActorCell, list[ActorCell]], depth: int, pool: str | None
    ) -> list[tuple[ActorCell | None, ActorDump]]:
        """Of those that rest and have no children some, and how many more there are; all others. Children stand as they
        were started; where nobody knows that, those who do something or have children stand first.
        """
        busy: list[tuple[ActorCell | None, ActorDump]] = []
        resting: list[tuple[ActorCell | None, ActorDump]] = busy if depth else []
        counts: Counter[tuple[str, ActorState]] = Counter()
        for cell in cells:
            state = self._state(cell)
            rests = (state is ActorState.IDLE or state is ActorState.READY) and cell not in below
            if rests and self._most is not None:
                key = type(cell.actor).__name__, state
                counts[key] += 1
                if counts[key] > self._most:
                    continue
            (resting if rests else busy).append((cell, self._told(cell, state, depth, pool)))
        most = self._most or 0
        others: list[tuple[ActorCell | None, ActorDump]] = [
            (None, ActorDump(kind, kind, state, depth=depth, pool=pool, is_group=True, count=count - most))
            for (kind, state), count in counts.items()
            if count > most
        ]
        if depth:
            return [*busy, *others]
        return sorted(busy, key=_order) + sorted([*resting, *others], key=_order)

    def _state(self, cell: ActorCell) -> ActorState:
        if cell.is_restarting:
            return ActorState.RESTARTING
        if cell.stage == WINDS_UP:  # also while it waits for the ends of its children
            return ActorState.STOPPING
        if cell.is_laid_down:
            return _at_rest(cell)
        if not (cell.thread and cell.has_begun) or self._stacks.is_inside(cell.thread, *BEGINS):
            return ActorState.STARTING
        if self._stacks.is_inside(cell.thread, *ENDS):
            return ActorState.STOPPING
        if cell.is_pausing or cell.targets() or self._stacks.is_inside(cell.thread, *WAITS) or _is_blocked(cell):
            return ActorState.WAITING if cell.in_hand is not NOTHING or cell.mailbox.is_open else ActorState.STOPPING
        return ActorState.HANDLING

    def _told(self, cell: ActorCell, state: ActorState, depth: int, pool: str | None) -> ActorDump:
        supervision = cell.supervision
        message = cell.in_hand
        rests = state is ActorState.IDLE or state is ActorState.READY
        return ActorDump(
            name=cell.name,
            kind=type(cell.actor).__name__,
            state=state,
            handles=None if message is NOTHING or rests else _words(message),
            seconds=self._seconds(cell, state),
            inbox_depth=len(cell.mailbox) + len(cell.front or ()),
            inbox_capacity=cell.mailbox.capacity,
            restarts=0 if supervision is None else supervision.total,
            waits_for=tuple(label_of(target.label, self._urns.get(target, "")) for target in cell.targets()),
            stack="" if rests or cell.is_laid_down or not self._tells_stacks else self._stacks.own(cell.thread),
            dispatcher=cell.dispatcher_name,
            depth=depth,
            pool=pool,
            urn=self._urns.get(cell, ""),
        )

    def _seconds(self, cell: ActorCell, state: ActorState) -> float | None:
        supervision = cell.supervision
        if state is ActorState.RESTARTING and supervision is not None:
            since: float | None = supervision.next_at
        else:
            shift = _shift(cell)
            since = cell.since if shift is None else shift.since(self._now)
        return None if since is None else round(self._now - since, 6) + 0.0


def _order(each: tuple[ActorCell | None, ActorDump]) -> tuple[str, str, bool, str]:
    actor = each[1]
    return actor.kind, "" if actor.state is ActorState.IDLE else actor.state, actor.is_group, actor.name


def _urns(cells: list[ActorCell]) -> dict[WaitNode, str]:
    """The last digits of the urns of those who wait, or are waited for, and are not alone in having their name."""
    tied: list[WaitNode] = []
    for cell in cells:
        targets = cell.targets()
        if targets:
            tied += [cell, *targets]
    names = Counter(cell.name for cell in cells) if tied else {}
    return {cell: cell.urn[-DIGITS:] for cell in tied if isinstance(cell, ActorCell) and names.get(cell.name, 0) > 1}


def _as_started(parent: ActorCell, children: list[ActorCell]) -> list[ActorCell]:
    """*children* in the order in which *parent* has started them; last those of which it does not know any more."""
    places = {cell_of(ref): n for n, ref in enumerate(children_of(parent).values())}
    return sorted(children, key=lambda child: (places.get(child, len(places)), child.name))


def _at_rest(cell: ActorCell) -> ActorState:
    if not cell.has_begun:
        return ActorState.STARTING
    if cell.is_pausing:
        return ActorState.WAITING if cell.mailbox.is_open or cell.in_hand is not NOTHING else ActorState.STOPPING
    if not cell.mailbox.empty() or cell.front:
        return ActorState.READY
    return ActorState.IDLE if cell.mailbox.is_open else ActorState.STOPPING


def _shift(cell: ActorCell) -> Shift | None:
    """The worker that runs it."""
    found: Any = crowd().compensated.get(cell.thread) if cell.thread else None
    return found if isinstance(found, Shift) and found.cell is cell else None  # type: ignore[comparison-overlap]


def _is_blocked(cell: ActorCell) -> bool:
    shift = _shift(cell)
    return shift is not None and shift.is_blocked


def _words(message: Any) -> str:
    """What the message is, without calling anything of it."""
    if type(message) in PLAIN:
        return glance(message, 40)
    if type(message) is pykka.messages.ProxyCall:
        return shown(".".join(map(str, message.attr_path)), 40) + "()"
    return shown(type.__getattribute__(type(message), "__qualname__"), 40)
