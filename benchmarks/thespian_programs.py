"""The programs of actors, on thespian. Its actors may live in processes of their own, so their classes stand here.

Each function takes an actor system and a number, and gives seconds.
"""

from __future__ import annotations

import random
import time
from typing import Any

from thespian.actors import Actor, ActorExitRequest, ChildActorExited

from .buffer import Buffer
from .program_sizes import ACCOUNTS, BRANCHES, CONSUMERS, PRODUCERS
from .tree import hear

BOUND = 300
"""Seconds after which a program hangs."""

# Each actor also hears messages of the system, and passes over what is not its own.


class Pong(Actor):  # type: ignore[misc]
    """Sends each number back."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - thespian's name, here and below
        """Hear a number."""
        if isinstance(message, int):
            self.send(sender, message)


class Ping(Actor):  # type: ignore[misc]
    """Counts down to 0."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Hear whom to play with, or a number."""
        if isinstance(message, tuple):
            self.asker, self.pong = sender, message[0]
            self.send(self.pong, message[1] - 1)
        elif isinstance(message, int):
            if message == 0:
                self.send(self.asker, "done")
            else:
                self.send(self.pong, message - 1)


def ping_pong(system: Any, rounds: int) -> float:
    """So many times to and fro."""
    ping, pong = system.createActor(Ping), system.createActor(Pong)
    begin = time.perf_counter()
    assert system.ask(ping, (pong, rounds), BOUND) == "done"
    return time.perf_counter() - begin


class Counter(Actor):  # type: ignore[misc]
    """Counts."""

    count = 0

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: ARG002, N802
        """Hear one more, or who wants to know."""
        if isinstance(message, tuple):
            self.send(message[0], self.count)
        elif message == "one more":
            self.count += 1


class Producer(Actor):  # type: ignore[misc]
    """Sends all that is to be counted."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Hear whom to send how much."""
        if isinstance(message, tuple):
            counter, amount = message
            for _ in range(amount):
                self.send(counter, "one more")
            self.send(counter, (sender,))


def counting(system: Any, count: int) -> float:
    """Until so many are counted."""
    counter, producer = system.createActor(Counter), system.createActor(Producer)
    begin = time.perf_counter()
    assert system.ask(producer, (counter, count), BOUND) == count
    return time.perf_counter() - begin


class Fleeting(Actor):  # type: ignore[misc]
    """Ends with its first message."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: ARG002, N802
        """Hear a number."""
        if isinstance(message, float):
            self.send(self.myAddress, ActorExitRequest())


class Forker(Actor):  # type: ignore[misc]
    """Makes them, and waits for their ends."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Hear how many, or that one has ended."""
        if isinstance(message, int):
            self.asker, self.left = sender, message
            for _ in range(message):
                self.send(self.createActor(Fleeting), 1.5)
        elif isinstance(message, ChildActorExited):
            self.left -= 1
            if self.left == 0:
                self.send(self.asker, "all")


def fork_join(system: Any, count: int) -> float:
    """Until so many have handled their message and ended."""
    forker = system.createActor(Forker)
    begin = time.perf_counter()
    assert system.ask(forker, count, BOUND) == "all"
    return time.perf_counter() - begin


class Account(Actor):  # type: ignore[misc]
    """Confirms what is moved."""

    balance = 1_000.0

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Hear a step of a transfer."""
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
    """Starts all transfers, and counts those that are done."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Hear how many between which accounts, or that one is done."""
        if isinstance(message, tuple):
            accounts, self.left = message
            self.asker = sender
            dice = random.Random(1)
            for _ in range(self.left):
                source, target = dice.sample(accounts, 2)
                self.send(source, ("debit", 1.0, target, self.myAddress))
        elif message == "done":
            self.left -= 1
            if self.left == 0:
                self.send(self.asker, "all")


def banking(system: Any, transfers: int) -> float:
    """So many transfers."""
    accounts = [system.createActor(Account) for _ in range(ACCOUNTS)]
    teller = system.createActor(Teller)
    begin = time.perf_counter()
    assert system.ask(teller, (accounts, transfers), BOUND) == "all"
    return time.perf_counter() - begin


class Manager(Actor):  # type: ignore[misc]
    """Keeps the buffer."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Hear who works for how many items, that an item has come, or that one is wanted."""
        if isinstance(message, list):
            workers, total = message
            self.buffer = Buffer(total, self.send, lambda: self.send(sender, "all"))
            for worker in workers:
                self.send(worker, "make")
        elif isinstance(message, tuple):
            kind, item = message
            self.buffer.hear(kind, sender, item)


class Maker(Actor):  # type: ignore[misc]
    """Makes one item each time that it is told to."""

    left = 0

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Hear how many, or to make one."""
        if isinstance(message, int):
            self.left = message
            self.send(sender, "ready")
        elif message == "make" and self.left:
            self.left -= 1
            self.send(sender, ("made", self.left))


class Eater(Actor):  # type: ignore[misc]
    """Eats what it gets."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Hear that it may begin, or get an item."""
        if message == "make":
            self.send(sender, ("hungry", None))
        elif isinstance(message, tuple):
            self.send(sender, ("ate", None))


def bounded_buffer(system: Any, count: int) -> float:
    """Until so many items were made and eaten."""
    each = count // PRODUCERS
    manager = system.createActor(Manager)
    makers = [system.createActor(Maker) for _ in range(PRODUCERS)]
    eaters = [system.createActor(Eater) for _ in range(CONSUMERS)]
    for maker in makers:
        assert system.ask(maker, each, BOUND) == "ready"
    begin = time.perf_counter()
    assert system.ask(manager, [[*eaters, *makers], each * PRODUCERS], BOUND) == "all"
    return time.perf_counter() - begin


class Node(Actor):  # type: ignore[misc]
    """A node of the tree."""

    above: Any
    left: int
    sum: int

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Hear how far to grow, or what a branch sums up to."""
        if not isinstance(message, tuple):
            return
        if message[0] == "grow":
            self.above, self.left, self.sum = sender, BRANCHES, 0
        hear(self, message)

    def branch(self, message: Any) -> None:
        """Grow a branch."""
        self.send(self.createActor(Node), message)

    def end(self, total: int) -> None:
        """Tell the sum, and end."""
        self.send(self.above, ("sum", total))
        self.send(self.myAddress, ActorExitRequest())


def skynet(system: Any, leaves: int) -> float:
    """From the root to the sum."""
    root = system.createActor(Node)
    begin = time.perf_counter()
    found = system.ask(root, ("grow", 0, leaves), BOUND)
    seconds = time.perf_counter() - begin
    assert found == ("sum", leaves * (leaves - 1) // 2)
    return seconds
