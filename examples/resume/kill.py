"""Kills the office at random, starts it again, and counts: was anything paid twice?

    python examples/resume/kill.py [--kills 12] [--invoices 24] [--seed N] [--folder FOLDER]

Exit codes: 0 each invoice was paid once, 1 it was not.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from outside import Bank, Model

OFFICE = Path(__file__).with_name("office.py")
LUCK = random.Random()  # noqa: S311 - nothing secret
PATIENCE = 60.0
"""Seconds within which the office must do something."""


def main() -> int:
    """Do it, and tell of each start."""
    parser = argparse.ArgumentParser(description="Kills the office at random, and starts it again.")
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--invoices", type=int, default=24)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--folder", type=Path, default=None, help="Keep the journal and the books there.")
    options = parser.parse_args()
    LUCK.seed(options.seed)
    if options.folder is None:
        with tempfile.TemporaryDirectory() as folder:
            return settle(Path(folder), options.invoices, options.kills)
    options.folder.mkdir(parents=True, exist_ok=True)
    return settle(options.folder, options.invoices, options.kills)


def settle(folder: Path, invoices: int, kills: int) -> int:
    """Start the office until it ends by itself, having killed it *kills* times at most."""
    bank, model = Bank(folder).books, Model(folder).books
    code, start = -9, 0
    while code == -9:
        start += 1
        bought, paid = len(model.lines()), len(bank.lines())
        code = run(folder, invoices, further=invoices * 5 // (kills + 1) if start <= kills else None)
        how = "killed with -9" if code == -9 else "ended by itself" if code == 0 else f"ended with {code}"
        bought, paid = len(model.lines()) - bought, len(bank.lines()) - paid
        print(f"start {start:>2}: {bought:>3} answers bought, {paid:>3} payments made, {how}")
    return 1 if code else tell(folder, invoices)


def run(folder: Path, invoices: int, further: int | None) -> int:
    """One start, killed when the books have some lines more: at most *further*; None leaves it alone."""
    books = Bank(folder).books, Model(folder).books
    office = subprocess.Popen([sys.executable, str(OFFICE), str(folder), str(invoices)], stdout=subprocess.DEVNULL)
    if further is not None:
        goal = sum(len(book.lines()) for book in books) + LUCK.randint(0, max(further, 1))
        end = time.monotonic() + PATIENCE
        while office.poll() is None and sum(len(book.lines()) for book in books) < goal and time.monotonic() < end:
            time.sleep(0.002)
        time.sleep(LUCK.uniform(0, 0.05))
        office.kill()
    return office.wait(PATIENCE)


def tell(folder: Path, invoices: int) -> int:
    """What the books of the others say in the end."""
    payments = Counter(line["invoice"] for line in Bank(folder).books.lines())
    answers = Counter((line["invoice"], line["answer"]) for line in Model(folder).books.lines())
    twice = sum(count > 1 for count in payments.values())
    print(f"{invoices} invoices: {len(payments)} paid, {twice} of them twice")
    inquiries = [line["receipt"] for line in Bank(folder).inquiries.lines()]
    made, again = sum(receipt is not None for receipt in inquiries), answers.total() - len(answers)
    print(f"{len(inquiries)} times a payment was in doubt: {made} times the bank had made it, so it was not made again")
    bought = f"{answers.total()} bought: {again} again, where a kill was faster than the journal"
    print(f"{len(answers)} answers needed, {bought}")
    return 0 if len(payments) == invoices and not twice else 1


if __name__ == "__main__":
    sys.exit(main())
