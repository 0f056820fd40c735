"""What is recorded of agents, so that a program that died goes on where it stood."""

from .agent.ledger import Effect, InDoubt
from .journal.journal import Journal
from .journal.settings import OnChange
from .public import publish
from .storage.durability import Durability

__all__ = [
    "Durability",
    "Effect",
    "InDoubt",
    "Journal",
    "OnChange",
]

publish(__name__, globals())
