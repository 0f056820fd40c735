"""The programs of actors, on thespian. Its actors may live in processes of their own, so their classes stand here.

Each function takes an actor system and a number, and gives seconds.
"""

from __future__ import annotations

import math
import random
import time
from typing import Any

from thespian.actors import Actor, ActorExitRequest, ChildActorExited

from .buffer import Buffer
from .mall import COLOURS, Mall, changed
from .program_sizes import ACCOUNTS, BRANCHES, CHAMENEOS, CONSUMERS, CROWD, FORKS, PRODUCERS, RING
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


class Link(Actor):  # type: ignore[misc]
    """One of a ring."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Hear who follows, how far to send a message, or the message."""
        if isinstance(message, tuple):
            self.following = message[0]
            self.send(sender, "ready")
        elif isinstance(message, int):
            self.hop(message, sender)
        elif isinstance(message, list):
            self.hop(*message)

    def hop(self, left: int, asker: Any) -> None:
        """Hand it on."""
        if left == 0:
            self.send(asker, "round")
        else:
            self.send(self.following, [left - 1, asker])


def thread_ring(system: Any, hops: int) -> float:
    """So many hops."""
    links = [system.createActor(Link) for _ in range(min(RING, hops))]
    for link, following in zip(links, [*links[1:], links[0]], strict=True):
        assert system.ask(link, (following,), BOUND) == "ready"
    begin = time.perf_counter()
    assert system.ask(links[0], hops, BOUND) == "round"
    return time.perf_counter() - begin


class Toiler(Actor):  # type: ignore[misc]
    """Does a little for each message."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: ARG002, N802
        """Hear whom to tell after how many, or a number."""
        if isinstance(message, tuple):
            self.giver, self.left = message
        elif isinstance(message, float):
            math.sin(message)
            self.left -= 1
            if self.left == 0:
                self.send(self.giver, "done")


class Giver(Actor):  # type: ignore[misc]
    """Gives each its messages, in turn."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Hear to whom and how many each, or that one is done."""
        if isinstance(message, tuple):
            toilers, each = message
            self.asker, self.left = sender, len(toilers)
            for toiler in toilers:
                self.send(toiler, (self.myAddress, each))
            for _ in range(each):
                for toiler in toilers:
                    self.send(toiler, 1.5)
        elif message == "done":
            self.left -= 1
            if self.left == 0:
                self.send(self.asker, "all")


def fork_join_throughput(system: Any, count: int) -> float:
    """Until so many messages, the same number to each, were handled."""
    toilers = [system.createActor(Toiler) for _ in range(min(FORKS, count))]
    giver = system.createActor(Giver)
    begin = time.perf_counter()
    assert system.ask(giver, (toilers, count // len(toilers)), BOUND) == "all"
    return time.perf_counter() - begin


class Talker(Actor):  # type: ignore[misc]
    """Pings any of the others."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Hear who there is, a ping, or a pong."""
        if isinstance(message, tuple):
            self.host, self.others, number, self.left = message
            self.dice = random.Random(number)
            self.ping()
        elif message == "ping":
            self.send(sender, "pong")
        elif message == "pong":
            self.ping()

    def ping(self) -> None:
        """Ping one, or tell that it is done."""
        if self.left == 0:
            self.send(self.host, "done")
            return
        self.left -= 1
        self.send(self.dice.choice(self.others), "ping")


class Host(Actor):  # type: ignore[misc]
    """Tells each how to begin, and waits for all."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Hear whom to tell what, or that one is done."""
        if isinstance(message, list):
            self.asker, self.left = sender, len(message)
            for who, first in message:
                self.send(who, (self.myAddress, *first))
        elif message == "done":
            self.left -= 1
            if self.left == 0:
                self.send(self.asker, "all")


def big(system: Any, pings: int) -> float:
    """Until so many pings, the same number by each, were answered."""
    talkers = [system.createActor(Talker) for _ in range(min(CROWD, pings))]
    host = system.createActor(Host)
    each = pings // len(talkers)
    begin = time.perf_counter()
    first = [(talker, (talkers, number, each)) for number, talker in enumerate(talkers)]
    assert system.ask(host, first, BOUND) == "all"
    return time.perf_counter() - begin


class Place(Actor):  # type: ignore[misc]
    """Where chameneos meet."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Hear how often they meet, or who has come."""
        if isinstance(message, tuple):
            self.mall = Mall(message[0], self.send)
            self.send(sender, "open")
        elif isinstance(message, int):
            self.mall.came(sender, message)


class Chameneo(Actor):  # type: ignore[misc]
    """Comes, and goes with another colour."""

    host: Any
    place: Any
    colour: Any

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: ARG002, N802
        """Hear where, whom it has met, or that it is closed."""
        if not isinstance(message, tuple):
            return
        kind, *more = message
        if kind == "closed":
            self.send(self.host, "done")
            return
        if kind == "met":
            self.colour = changed(self.colour, more[0])
        else:
            self.host, (self.place, self.colour) = kind, more
        self.send(self.place, self.colour)


def chameneos(system: Any, meetings: int) -> float:
    """So many meetings, until all have heard that it is closed."""
    place, host = system.createActor(Place), system.createActor(Host)
    assert system.ask(place, (meetings,), BOUND) == "open"
    guests = [system.createActor(Chameneo) for _ in range(min(CHAMENEOS, meetings))]
    begin = time.perf_counter()
    first = [(guest, (place, number % COLOURS)) for number, guest in enumerate(guests)]
    assert system.ask(host, first, BOUND) == "all"
    return time.perf_counter() - begin
