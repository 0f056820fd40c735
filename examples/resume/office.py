"""An office that pays invoices, one agent for each. It may be killed at any moment: start it again, and it goes on.

    python examples/resume/office.py FOLDER [NUMBER of invoices]

``kill.py`` kills it, and starts it again, until all is paid.
"""

import hashlib
import sys
from pathlib import Path

from actors import AgentManifest, AgentPool, FunctionDriver, Journal, SpawnConfig, tool

from outside import Bank, Model  # isort: skip

CLERK = AgentManifest(name="clerk")


def main(folder: Path, count: int = 24) -> None:
    """Pay *count* invoices; what is already done is in the journal."""
    bank = Bank(folder)

    @tool(effect="idempotent")
    def account_of(supplier: str) -> str:
        """Find the account of a supplier."""
        return "AT" + hashlib.sha256(supplier.encode()).hexdigest()[:10]

    @tool(effect="at_most_once", reconcile=lambda effect_key, _: bank.receipt_of(effect_key))
    def pay(invoice: str, account: str, amount: float, effect_key: str) -> str:
        """Pay an invoice. When nobody knows whether it was done, the bank is asked for its receipt."""
        return bank.transfer(invoice, account, amount, effect_key)

    invoices = {f"2026-{number:03}": f"Supplier {number % 7}, {number * 12.5:.2f}" for number in range(1, count + 1)}
    journal = Journal(folder / "office.db")
    with AgentPool(FunctionDriver(Model(folder)), tools=[account_of, pay], max_concurrent=6, journal=journal) as pool:
        work = (SpawnConfig(CLERK, f"{number}, {what}", key=number) for number, what in invoices.items())
        for outcome in pool.map(work):
            was = "known from an earlier start" if outcome.recalled else "done now"
            print(f"{outcome.key}  {outcome.result.text if outcome.ok else outcome.error}  ({was})", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
