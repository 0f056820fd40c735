"""What a turn decided, to be done after it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cell import AgentCell
    from .waiter import Waiter


@dataclass(slots=True)
class Acts:
    """Decided under the turn, done outside it: nothing of the user's, no wake and no thread start happens under it.

    Args:
        starts: Agents that got a slot and want a thread.
        wakes: Waits that are over.
        fires: Agents whose cancel is to be told to whatever they wait in.
        calls: Callbacks of agents that ended.
    """

    starts: deque[AgentCell] = field(default_factory=deque)
    wakes: list[Waiter] = field(default_factory=list)
    fires: list[AgentCell] = field(default_factory=list)
    calls: list[Callable[[], object]] = field(default_factory=list)
