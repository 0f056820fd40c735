"""A bank: transfers between 100,000 accounts, some of which crash, and an audit that finds every cent.

python examples/bank.py [ACCOUNTS]
"""

import random
import sys
from collections import Counter
from typing import NamedTuple

from actors import Actor, ActorRef, ChildSpec, supervise_all

START = 100_00
"""Cents that each account begins with."""
SPOILT = 500
"""One transfer in so many has no number, and crashes the account that should pay it."""


class Transfer(NamedTuple):
    """Pay another account."""

    payee: "ActorRef[Account]"
    cents: int | None


class Deposit(NamedTuple):
    """What another account has paid."""

    cents: int


class Account(Actor[Transfer | Deposit | str, int]):
    """One account. It has no thread, and may crash; what stands in its line of the books stays."""

    dispatcher = "shared"
    inbox_capacity = None  # a deposit that found no room would be money lost

    def __init__(self, number: int, books: list[int], lives: Counter[int]) -> None:
        super().__init__()
        self.number = number
        self.books = books  # each account writes its own line, one message after another: nobody needs a lock
        lives[number] += 1

    def on_receive(self, message: Transfer | Deposit | str) -> int:
        """Take, or pay what is there; answer the balance."""
        if isinstance(message, Deposit):
            self.books[self.number] += message.cents
        elif isinstance(message, Transfer):
            if message.cents is None:
                raise ValueError("a transfer of nothing")  # the next life of this account goes on with the next message
            if message.cents <= self.books[self.number]:
                self.books[self.number] -= message.cents
                message.payee.tell(Deposit(message.cents))
        return self.books[self.number]


def ask_all(accounts: "list[ActorRef[Account]]") -> list[int]:
    """All balances; nobody waits for one before the next is asked."""
    return [reply.get() for reply in [account.ask_future("What is there?") for account in accounts]]


def main(count: int) -> None:
    """Open the bank, have twice as many transfers as accounts, and look whether every cent is there."""
    books, lives = [START] * count, Counter[int]()
    children = [ChildSpec(Account, (number, books, lives), name=f"account {number}") for number in range(count)]
    bank = supervise_all(children, "one_for_one", max_restarts=count, window=600)
    accounts = list(bank.children.values())
    for number in range(2 * count):
        payer, payee = random.sample(accounts, 2)
        payer.tell(Transfer(payee, 1 + number * 7919 % START if number % SPOILT else None))
    ask_all(accounts)  # they answer when they have handled the transfers
    balances = ask_all(accounts)  # and now the deposits that came of these
    bank.stop()
    print(f"{2 * count} transfers between {count} accounts; {sum(lives.values()) - count} crashed, and went on")
    print(f"{sum(balances)} of {count * START} cents are there, {max(balances)} of them in one account")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 100_000)
