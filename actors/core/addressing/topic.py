"""A subject that actors listen to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ...errors import ActorDead, InboxFull
from ..crash import raise_ctrl_c, report
from ..messaging.dead_letter import DeadLetterReason, DeadLetters
from .roll import Present, Roll

if TYPE_CHECKING:
    from collections.abc import Callable

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)


class Listener(Protocol[M_contra]):
    """Whom a topic tells: the reference of an actor, or of many."""

    def tell(self, message: M_contra, /) -> None:
        """Take *message* without waiting, or raise."""

    def watch(self, fn: Callable[[Any], object], /) -> Callable[[], None]:
        """Call ``fn(ref)`` when it has ended, at once if it has already. Returns a function that forgets *fn*."""


class Topic(Generic[M]):
    """What is published here is told to all who have subscribed.

    Example:
        ```python
        from actors import Actor
        from actors.actors import Topic

        class Reader(Actor):
            def on_receive(self, text: str) -> None:
                print(text)

        news: Topic[str] = Topic("news")
        reader = Reader.start()
        leave = news.subscribe(reader, accept=lambda text: "book" in text)
        print(news.publish("a film"))  # so many took it
        leave()
        reader.stop()
        ```

        ```text
        0
        ```

    Guarantees: what one thread, or one actor, publishes comes to each subscriber in that order. A publish never waits,
    and whatever a subscriber does, the others are told, and the publisher is not harmed. A subscriber that ends leaves
    by itself. It keeps no ended actor alive, and no actor keeps it alive.

    Args:
        name: For people.
    Threads: Any; also inside handlers and finalizers. In a forked child: ``ForkedPoolError``.
    Source: Akka's event stream, ``pg`` of Erlang.
    """

    def __init__(self, name: str = "") -> None:
        if not isinstance(name, str):
            raise TypeError(f"the name of a topic must be a str, got {name!r}")
        self.name = name
        self._roll: Roll[_Subscription] = Roll()

    def __repr__(self) -> str:
        return f"<Topic {self.name!r}>"

    def subscribe(self, ref: Listener[M], accept: Callable[[M], object] | None = None) -> Callable[[], None]:
        """Tell *ref* what is published from now on, until it ends.

        One that subscribes again is told once all the same, and what the later call says of *accept* holds. One that
        has ended already is not entered.

        Args:
            ref: An ``ActorRef``, or anything else with its ``tell`` and ``watch``.
            accept: Called with each message, in the thread that publishes: only what it says yes to is told. What it
                raises is logged, and is a no.
        Returns:
            A function that ends the subscription. A message that is just being published may still come.
        """
        if not (callable(getattr(ref, "tell", None)) and callable(getattr(ref, "watch", None))):
            raise TypeError(f"subscribe takes a reference of an actor, as start() returns it; got {ref!r}")
        if accept is not None and not callable(accept):
            raise TypeError(f"accept must be a function that takes a message, got {accept!r}")
        while True:
            wanted = _Subscription(self._roll, ref, accept)
            found: _Subscription = self._roll.add(wanted)
            if found is wanted:
                return found.end
            found.accept = accept
            if self._roll.get(found.key) is found:  # else it left meanwhile
                return found.end

    def publish(self, message: M) -> int:
        """Tell *message* to all who have subscribed and accept it.

        One whose mailbox is full misses it: it is a dead letter of that actor (``topic_full``).

        Returns:
            How many took it.
        """
        return sum(subscription.take(message) for subscription in self._roll.entries())

    @property
    def subscribers(self) -> list[Listener[M]]:
        """Their references, in the order in which they came."""
        return [subscription.ref for subscription in self._roll.entries()]

    def __len__(self) -> int:
        return len(self._roll.entries())

    def __bool__(self) -> bool:
        return True  # also one that nobody listens to is a topic


class _Subscription(Present):
    """One subscriber. There is one for each reference.

    Locks: none. ``accept`` changes by single operations.
    """

    __slots__ = ("accept",)

    def __init__(self, roll: Roll[Any], ref: Any, accept: Callable[[Any], object] | None) -> None:
        super().__init__(roll, id(ref), ref)  # it holds the reference, so the id stays its own
        self.accept = accept

    def end(self) -> None:
        """It wants no more."""
        self.leave()

    def take(self, message: Any) -> bool:
        """Tell it *message*; whether it took it."""
        try:
            if self.accept is not None and not self.accept(message):
                return False
        except BaseException as error:  # noqa: BLE001 - it harms only whoever has written it
            raise_ctrl_c(error)
            report("accept of a subscriber to a topic failed")
            return False
        try:
            self.ref.tell(message)
        except ActorDead:
            return False
        except InboxFull:
            self._miss(message)
            return False
        except Exception:  # noqa: BLE001 - as above
            report("a subscriber to a topic could not be told")
            return False
        return True

    def _miss(self, message: Any) -> None:
        miss = getattr(self.ref, "_miss", None)
        letters = getattr(self.ref, "dead_letters", None)
        if miss is not None:
            miss(message, DeadLetterReason.TOPIC_FULL)
        elif isinstance(letters, DeadLetters):  # of many actors, none of which had room
            letters.announce(letters.add(message, DeadLetterReason.TOPIC_FULL, str(self.ref)))
        else:
            report("a subscriber to a topic had no room")
