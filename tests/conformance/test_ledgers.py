"""Every ledger passes the suite of ledgers."""

from __future__ import annotations

from actors.agent.ledger import Ledger, MemoryLedger
from actors.testing import LedgerConformance

from ..agent.ledgers import Paper, PaperLedger


class TestMemoryLedger(LedgerConformance):
    """The one for the lives of an agent in one process."""

    def make_ledger(self) -> Ledger:
        return MemoryLedger()


class TestPaperLedger(LedgerConformance):
    """The one that other tests take for a journal."""

    def make_ledger(self) -> Ledger:
        return PaperLedger(Paper())

    def reopen(self, ledger: Ledger) -> Ledger:
        assert isinstance(ledger, PaperLedger)
        return PaperLedger(ledger.paper)
