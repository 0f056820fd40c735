"""What is recorded of agents, so that a program that died goes on where it stood."""

from datetime import datetime as datetime

from .agent.ledger import InDoubt
from .agent.terms.effect import Effect as Effect
from .journal.findings import JournalFinding
from .journal.journal import Journal
from .journal.journaled import EffectState, JournaledAgent, JournaledEffect, JournaledStatus
from .journal.reader import JournalReader
from .journal.settings import OnChange
from .public import publish
from .storage.durability import Durability

__all__ = [
    "Durability",
    "EffectState",
    "InDoubt",
    "Journal",
    "JournalFinding",
    "JournalReader",
    "JournaledAgent",
    "JournaledEffect",
    "JournaledStatus",
    "OnChange",
]

publish(__name__, globals())
