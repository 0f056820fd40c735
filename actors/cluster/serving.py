"""Who answers what hosts ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .accounts import Accounts
from .approvals import AskedApprovals
from .family import Family
from .ledgers import Ledgers
from .limiters import Limiters
from .post import Post
from .turns import Turns

if TYPE_CHECKING:
    from .engine_state import EngineState


def serve_hosts(state: EngineState) -> None:
    """Register all of them."""
    Post(state)
    Family(state)
    Ledgers(state)
    Accounts(state)
    Limiters(state)
    Turns(state)
    AskedApprovals(state)
