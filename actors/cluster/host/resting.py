"""A wait of an agent for the program that is not long: on its way there and back it keeps its slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.waiting.wait_graph import current

if TYPE_CHECKING:
    from ...core.waiting.waiter import Waiter


def rest(waiter: Waiter, timeout: float | None = None, *, within: float | None = None) -> bool:
    """Wait at *waiter* as whoever runs here, who keeps its slot; False when the time ran out.

    A parked agent would get its slot back only when another one parks or ends: a question of some milliseconds would
    then take as long as that agent.

    Args:
        timeout: Seconds, for a thread that no cancel reaches: one of an agent's own.
        within: Seconds for whoever waits: the time of a token that nobody fires.
    Raises:
        Cancelled: Who waits was cancelled.
    """
    member = current()
    if member is None:
        return waiter.wait(timeout if within is None else within)
    token, wake = member.token, waiter.wake
    token.check()
    token.remind(wake)
    try:
        woken = waiter.wait(within)
    finally:
        token.forget(wake)
    token.check()
    return woken
