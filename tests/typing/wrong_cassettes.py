"""A wrong use of cassettes is an error where it stands: each line that is marked."""

from __future__ import annotations

from actors import AgentPool, ScriptedDriver
from actors.ports import CompletionRequest
from actors.testing import Cassette

cassette = Cassette("a.jsonl")
driver = ScriptedDriver(["a"])


def nothing(request: CompletionRequest) -> None:
    """Forgets to return it."""


def count(text: str) -> int:
    """No text."""
    return len(text)


Cassette()  # error
Cassette(3)  # error
Cassette("a.jsonl", "record")  # error
Cassette("a.jsonl", normalize=nothing)  # error
Cassette("a.jsonl", redact=count)  # error
Cassette("a.jsonl", speed="fast")  # error
cassette.driver(driver)  # error
cassette.driver(lambda manifest: driver)  # error
cassette.driver(lambda: "no driver")  # error
cassette.path = "b.jsonl"  # error
AgentPool(cassette)  # error
