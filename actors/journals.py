"""What is recorded of agents, so that a program that died goes on where it stood."""

from typing import TYPE_CHECKING

from .public import shelve

if TYPE_CHECKING:
    from datetime import datetime as datetime

    from .agent.ledger import InDoubt
    from .agent.terms.effect import Effect as Effect
    from .journal.findings import JournalFinding
    from .journal.journal import Journal
    from .journal.journaled import EffectState, JournaledAgent, JournaledEffect, JournaledStatus
    from .journal.reader import JournalReader
    from .journal.settings import OnChange
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

shelve(
    __name__,
    {
        "datetime": "datetime",
        ".agent.ledger": "InDoubt",
        ".agent.terms.effect": "Effect",
        ".journal.findings": "JournalFinding",
        ".journal.journal": "Journal",
        ".journal.journaled": "EffectState JournaledAgent JournaledEffect JournaledStatus",
        ".journal.reader": "JournalReader",
        ".journal.settings": "OnChange",
        ".storage.durability": "Durability",
    },
)
