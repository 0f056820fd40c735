"""The drivers that a manifest may name by a word."""

from __future__ import annotations

import importlib
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ..agent.manifest_problems import did_you_mean
from ..errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Callable

BUILT_IN = {
    "anthropic": ("anthropic", "AnthropicDriver.from_manifest"),
    "echo": ("function", "echo"),
    "openai": ("openai", "OpenAIDriver.from_manifest"),
}
"""Name -> module of this package and factory in it; imported when asked for."""


def find_driver(name: str, place: str = "model.driver") -> Callable[[Any], Any]:
    """The factory of the built-in driver *name*.

    Raises:
        ManifestError: There is none of that name.
    """
    try:
        module, factory = BUILT_IN[name]
    except KeyError:
        known = ", ".join(sorted(BUILT_IN))
        raise ManifestError(
            [
                f"{place}: no built-in driver {name!r}{did_you_mean(name, BUILT_IN)} (known: {known}); "
                "name your own as 'package.module:factory'"
            ]
        ) from None
    found: Callable[[Any], Any] = attrgetter(factory)(importlib.import_module(f".{module}", __package__))
    return found
