"""How a driver is made again in another process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..errors import NotPortable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class HasKey(Protocol):
    """A driver that asks a server."""

    @property
    def key_variable(self) -> str:
        """What the environment calls its key."""


class Recipe(NamedTuple):
    """The arguments of a driver that asks a server.

    Args:
        has_key: It was given its key, which is sent nowhere.
    """

    model: str
    arguments: Mapping[str, Any]
    has_key: bool

    def reduced(self, driver: HasKey, more: Mapping[str, Any]) -> tuple[Any, ...]:
        """How *driver* is pickled: whoever reads it makes one like it, with the key of its own environment.

        Args:
            more: What its class takes beside.
        Raises:
            NotPortable: It was given its key, or its class has a constructor of its own.
        """
        kind = type(driver)
        if self.has_key:
            why = f"no key is sent: leave api_key out, and set {driver.key_variable} in the environment of each node"
            raise NotPortable("a driver that was given its key", why)
        if kind.__init__.__globals__["__package__"] != __package__:
            what = f"the driver {kind.__qualname__}"
            raise NotPortable(what, "its class has an __init__ of its own: give it a __reduce__ of its own, too")
        return _made, (kind, self.model, {**self.arguments, **more})


def _made(kind: Callable[..., Any], model: str, arguments: Mapping[str, Any]) -> Any:
    return kind(model, **arguments)
