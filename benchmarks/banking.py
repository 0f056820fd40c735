"""How fast is money moved between accounts that confirm? (Savina: banking)"""

from __future__ import annotations

import random
import time
from typing import Any

from .peers import Peers
from .report import Report
from .savina import Finish, answer, stop_all
from .size import Size

QUESTION = "How fast is money moved between accounts, each transfer confirmed to the teller?"
COUNTS = {Size.FULL: (10_000, 9), Size.QUICK: (2_000, 3), Size.SMOKE: (20, 1)}
ACCOUNTS = 100


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


def thespian(transfers: int) -> float:
    """The same on thespian."""
    from thespian.actors import Actor, ActorSystem

    class Account(Actor):  # type: ignore[misc]
        balance = 1_000.0

        def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - the peer's name
            if not isinstance(message, tuple):
                return
            kind, amount, other, teller = message
            if kind == "debit":
                self.balance -= amount
                self.send(other, ("credit", amount, None, teller))
            elif kind == "credit":
                self.balance += amount
                self.send(sender, ("credited", amount, None, teller))
            else:
                self.send(teller, "done")

    class Teller(Actor):  # type: ignore[misc]
        def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
            if isinstance(message, list):
                self.asker, self.left = sender, transfers
                dice = random.Random(1)
                for _ in range(transfers):
                    source, target = dice.sample(message, 2)
                    self.send(source, ("debit", 1.0, target, self.myAddress))
            elif message == "done":
                self.left -= 1
                if self.left == 0:
                    self.send(self.asker, "all")

    system = ActorSystem("simpleSystemBase")
    try:
        accounts = [system.createActor(Account) for _ in range(ACCOUNTS)]
        teller = system.createActor(Teller)
        begin = time.perf_counter()
        assert system.ask(teller, accounts, 300) == "all"
        return time.perf_counter() - begin
    finally:
        system.shutdown()


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    count, repeats = COUNTS[size]
    return answer("banking", QUESTION, play, thespian, count=count, repeats=repeats, peers=peers or Peers())
