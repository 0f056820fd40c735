"""How fast is money moved between accounts that confirm? (Savina: banking)"""

from __future__ import annotations

import random
import time
from typing import Any

from .peers import Peers
from .program_sizes import ACCOUNTS
from .report import Report
from .savina import Finish, Load, answer, stop_all
from .size import Size

QUESTION = "How fast is money moved between accounts, each transfer confirmed to the teller?"
LOADS = {
    Size.FULL: Load(10_000, 500, repeats=9),
    Size.QUICK: Load(2_000, 100, repeats=3),
    Size.SMOKE: Load(20, 10, repeats=1),
}


def play(base: type[Any], transfers: int) -> float:
    """Seconds for so many transfers."""
    finish = Finish()

    class Account(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.balance = 1_000.0

        def on_receive(self, message: Any) -> None:
            kind, amount, other, teller = message
            if kind == "debit":
                self.balance -= amount
                other.tell(("credit", amount, self.actor_ref, teller))
            elif kind == "credit":
                self.balance += amount
                other.tell(("credited", amount, self.actor_ref, teller))
            else:
                teller.tell("done")

    class Teller(base):  # type: ignore[misc]
        def __init__(self, accounts: list[Any]) -> None:
            super().__init__()
            self.accounts = accounts
            self.left = transfers

        def on_receive(self, message: str) -> None:
            if message == "start":
                dice = random.Random(1)
                for _ in range(transfers):
                    source, target = dice.sample(self.accounts, 2)
                    source.tell(("debit", 1.0, target, self.actor_ref))
                return
            self.left -= 1
            if self.left == 0:
                finish.one()

    accounts = [Account.start() for _ in range(ACCOUNTS)]
    teller = Teller.start(accounts)
    begin = time.perf_counter()
    teller.tell("start")
    finish.wait()
    seconds = time.perf_counter() - begin
    stop_all(teller, *accounts)
    return seconds


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    return answer("banking", QUESTION, play, LOADS[size], peers or Peers())
