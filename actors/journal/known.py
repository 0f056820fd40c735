"""What is known of an agent by its key alone, before it is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..agent.session_keys import KnownAgent
from ..core.records.outcome import AgentStatus
from .history import History

if TYPE_CHECKING:
    from .records import Desk


def known(desk: Desk, key: str, path: str) -> KnownAgent | None:
    """What is known of the agent of *key*; None: nothing.

    Raises:
        JournalError: It cannot be read.
    """
    if desk.claims.has(key):
        return KnownAgent(is_taken=True)
    store = desk.store
    rows = store.rows(key) if store.has_history else []
    if not rows:
        return None
    history = History(store, key, rows)
    if history.fingerprint is None:  # it was refused, or set aside
        return KnownAgent(is_taken=False)
    last = rows[-1].process
    is_unseen = last != store.number and last not in store.ended_well
    status = (history.ended or {}).get("status")
    is_final = history.is_pruned or status in desk.settings.final
    notes = [entry.data for entry, _ in history.entries() if entry.path == path]
    return KnownAgent(
        is_taken=False,
        is_open=is_unseen or not is_final,
        is_broken_off=is_unseen or history.ended is None,
        has_completed=status == AgentStatus.COMPLETED,
        note=notes[-1] if notes else None,
    )
