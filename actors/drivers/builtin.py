"""The drivers that a manifest may name by a word."""

from __future__ import annotations

import importlib
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ..agent.assembly import resolve
from ..agent.ports import PrivacyTier
from ..agent.terms.driver_word import DriverWord, no_such
from ..agent.terms.manifest import AgentManifest
from ..errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..agent.ports import LlmDriver

BUILT_IN = {
    "anthropic": ("anthropic", "AnthropicDriver.from_manifest"),
    "echo": ("function", "echo"),
    "openai": ("openai", "OpenAIDriver.from_manifest"),
}
"""Name -> module of this package and factory in it; imported when asked for."""


def driver_of(word: str, place: str = "driver") -> LlmDriver:
    """The driver that *word* names, made for nobody's manifest: its tier is that of its server.

    Args:
        word: ``openai:NAME``, ``openai:NAME@URL``, ``anthropic:NAME``, ``echo``, or ``package.module:factory``, which
            is called with a manifest that says nothing.
        place: Where it stands, for the error.
    Raises:
        ValueError: It names none, or it cannot be made: no package, no key, no URL.
    """
    try:
        named = DriverWord.parse(word, place)
        if named is not None and named.needs_model:
            raise ValueError(f"{place}: {word!r} names no model: say '{word}:NAME' or '{word}:NAME@URL'")
        made = resolve.driver(AgentManifest(privacy=PrivacyTier.STANDARD, capabilities=()), find_driver, word, place)
    except ManifestError as error:
        raise ValueError("; ".join(error.problems)) from error
    assert made is not None  # there is a word
    return made


def find_driver(name: str, place: str = "model.driver") -> Callable[[Any], Any]:
    """The factory of the built-in driver *name*.

    Raises:
        ManifestError: There is none of that name.
    """
    try:
        module, factory = BUILT_IN[name]
    except KeyError:
        raise ManifestError([f"{place}: {no_such(name)}"]) from None
    found: Callable[[Any], Any] = attrgetter(factory)(importlib.import_module(f".{module}", __package__))
    return found
