"""Who answers a completion, in a word, and which model: for whoever traces it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .ports import LlmDriver

_UNKNOWN = "careful"
"""The profile of a server of which nothing is known."""


def provider_of(driver: LlmDriver) -> str:
    """Who answers for *driver*: its server's word (``openai``, ``azure``, ``ollama``), where it knows one; its
    ``provider``, which any driver may have; else what its class is called, without ``Driver``.
    """
    for known in (getattr(getattr(driver, "profile", None), "name", None), getattr(driver, "provider", None)):
        if isinstance(known, str) and known and known != _UNKNOWN:
            return known
    name = type(driver).__name__.strip("_")
    return (name.removesuffix("Driver") or name).lower()


def model_asked(name: str, driver: LlmDriver | None) -> str:
    """The model that is asked: *name*, else the driver's own, where it says so; empty where nobody does."""
    model = name or getattr(driver, "model", "")
    return model if isinstance(model, str) else ""
