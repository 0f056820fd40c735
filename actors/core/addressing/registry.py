"""Actors by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, overload

from ..clock import SYSTEM_CLOCK
from .roll import Present, Roll

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..actors.actor import Actor
    from ..actors.reference import ActorRef
    from ..actors.reply import ReplyFuture

    A = TypeVar("A", bound=Actor)


class Findable(Protocol):
    """Whom a registry takes: the reference of an actor, or of many."""

    def watch(self, fn: Callable[[Any], object], /) -> Callable[[], None]:
        """Call ``fn(ref)`` when it has ended, at once if it has already. Returns a function that forgets *fn*."""

    def stop(self, *, block: bool, timeout: float | None = None) -> Any:
        """End once what was accepted before is handled."""


class Registry:
    """Actors by names that a program gives them, in a registry of its own.

    Example:
        ```python
        from actors import Actor
        from actors.actors import Registry

        class Printer(Actor):
            def on_receive(self, text: str) -> int:
                return len(text)

        registry = Registry()
        registry.register("printer", Printer.start())
        print(registry.find("printer").ask("a page"), len(registry.all(Printer)))
        registry.stop_all()
        print(registry.find("printer"))
        ```

        ```text
        6 1
        None
        ```

    Guarantees: one living actor for each name. Entries go with their actors, before a ``stop()`` of them returns. It
    keeps no ended actor alive, and no actor keeps it alive.

    Threads: Any. In a forked child: ``ForkedPoolError``.
    Source: Erlang's ``register``, Elixir's ``Registry``; ``stop_all`` is Pykka's.
    """

    def __init__(self) -> None:
        self._roll: Roll[Present] = Roll()

    def __repr__(self) -> str:
        return f"<Registry of {len(self)}>"

    def register(self, name: str, ref: Findable) -> None:
        """Let *ref* be found under *name* until its actor ends. One that has ended already is not entered.

        An actor may have several names. The same name for the same actor once more changes nothing.

        Raises:
            ValueError: Another actor that lives has that name.
        """
        if not isinstance(name, str):
            raise TypeError(f"the name of an actor must be a str, got {name!r}")
        if not (callable(getattr(ref, "stop", None)) and callable(getattr(ref, "watch", None))):
            raise TypeError(f"register takes a reference of an actor, as start() returns it; got {ref!r}")
        wanted = Present(self._roll, name, ref)
        while True:
            found = self._roll.add(wanted)
            if found is wanted or found.ref is ref:
                return
            if _is_alive(found):
                raise ValueError(
                    f"the name {name!r} is in use by {found.ref}: unregister it first, or choose another name"
                )
            found.leave()  # its actor has ended, and is just telling those who watch it

    def unregister(self, name: str) -> bool:
        """Let nobody be found under *name*; the actor lives on.

        Returns:
            Whether somebody was.
        """
        found = self._roll.get(name)
        return found is not None and found.leave()

    def find(self, name: str) -> ActorRef[Any] | None:
        """The reference that is registered under *name*; None when there is none, or its actor has ended."""
        found = self._roll.get(name)
        return found.ref if found is not None and _is_alive(found) else None

    def names(self) -> list[str]:
        """The names of those who live, in the order in which they were registered."""
        return [str(entry.key) for entry in self._living()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.find(name) is not None

    def __len__(self) -> int:
        return len(self._living())

    def __bool__(self) -> bool:
        return True  # also one in which nobody is

    @overload
    def all(self, cls: None = None) -> list[ActorRef[Any]]: ...
    @overload
    def all(self, cls: type[A]) -> list[ActorRef[A]]: ...
    def all(self, cls: type[Any] | None = None) -> list[ActorRef[Any]]:
        """The references of all actors of that class or a subclass, in the order in which they were registered.

        Args:
            cls: A class; None are all.
        Returns:
            Each once, however many names it has.
        """
        if cls is not None and not isinstance(cls, type):
            raise TypeError(f"all takes a class of actors, got {cls!r}")
        refs = {id(entry.ref): entry.ref for entry in self._living()}
        return [ref for ref in refs.values() if cls is None or issubclass(getattr(ref, "actor_class", object), cls)]

    @overload
    def stop_all(self, *, block: Literal[True] = True, timeout: float | None = None) -> list[bool]: ...
    @overload
    def stop_all(self, *, block: Literal[False], timeout: float | None = None) -> list[ReplyFuture[bool]]: ...
    @overload
    def stop_all(self, *, block: bool, timeout: float | None = None) -> list[bool] | list[ReplyFuture[bool]]: ...
    def stop_all(self, *, block: bool = True, timeout: float | None = None) -> list[bool] | list[ReplyFuture[bool]]:
        """Stop all actors that are registered: each handles what it accepted before.

        The last that was registered is stopped first, and with *block* it has ended before the next one is told: so
        those that were registered first serve the others to the end.

        Args:
            block: Wait for their ends, cleanup included.
            timeout: Seconds for all of them; None waits for ever.
        Returns:
            For each, in that order, whether it lived; futures of that when *block* is False.
        Raises:
            AskTimeout: They have not all ended in time. All were told to stop, and will.
            DeadlockError: Called by an actor that is registered, or one that such an actor waits for. All were told.
        Source: Pykka's ``ActorRegistry.stop_all``, where the timeout is for each of them.
        """
        refs: list[Any] = self.all()[::-1]
        if not block:
            return [ref.stop(block=False) for ref in refs]
        end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        stopped: list[bool] = []
        try:
            stopped.extend(ref.stop(block=True, timeout=SYSTEM_CLOCK.left(end)) for ref in refs)
        finally:
            for ref in refs[len(stopped) :]:
                ref.stop(block=False)
        return stopped

    def _living(self) -> list[Present]:
        return [entry for entry in self._roll.entries() if _is_alive(entry)]


def _is_alive(entry: Present) -> bool:
    """Has it not ended? One whose end cannot be seen lives until it leaves."""
    is_alive = getattr(entry.ref, "is_alive", None)
    return is_alive is None or bool(is_alive())
