"""The side effects of a step: decided under the turn, done after it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..waiting.waiter import Wakeable
    from .agent_cell import AgentCell


class Effects:
    """Decided under the turn, done outside it: nothing of the user's, no wake and no thread start happens under it.
    What takes the turn for them is ``Step``, above.

    Args:
        starts: Agents that got a slot and want a thread.
        wakes: Waits that are over.
        fires: Agents whose cancel is to be told to whatever they wait in.
        stops: Agents that were cancelled, and live elsewhere.
        dropped: What nobody needs any more. It lives until the turn is over: its finalizers may be a user's.
        calls: Callbacks of agents that ended, and what is to be told of messages that they left.

    Locks: none; one thread makes them and does them. ``starts``, ``wakes``, ``fires``, ``stops``, ``calls`` and
    ``dropped`` grow under the turn, and are worked off after it; a start that fails takes the turn again.
    """

    __slots__ = ("calls", "dropped", "fires", "starts", "stops", "wakes")

    def __init__(self) -> None:
        self.starts: deque[AgentCell] = deque()
        self.wakes: list[Wakeable] = []
        self.fires: deque[AgentCell] = deque()
        self.stops: list[AgentCell] = []
        self.calls: deque[Callable[[], object]] = deque()
        self.dropped: list[object] = []

    def may_be_slow(self) -> bool:
        """Is there anything that runs a user's function?"""
        return bool(self.calls or self.fires)

    def slow(self) -> Effects:
        """What runs a user's function, apart from the rest: for another thread, which has it from then on."""
        slow = Effects()
        slow.fires, slow.calls = self.fires, self.calls
        return slow

    def call(self) -> None:
        """Run what may be a user's function. Each is taken before, so it runs once; when Ctrl-C ends one of them, the
        others run all the same.
        """
        try:
            self._call_all()  # a function of its own: since 3.12 a ``try`` may leave out the jump back of a loop in it
        finally:
            if self.may_be_slow():
                self.call()

    def _call_all(self) -> None:
        while self.fires:
            self.fires.popleft().token.fire()
        while self.calls:
            self.calls.popleft()()
