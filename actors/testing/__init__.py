"""Test tools: suites that drivers, tools and memories of one's own have to pass, recordings of what a model said, and a
watch for threads that are left.

    from actors.testing import ToolConformance

    class TestMyTool(ToolConformance):
        def tool(self): return my_tool
        def input(self): return {"text": "hi"}

pytest collects the tests of the base class; nothing here needs pytest itself, but ``actors.testing.fixtures``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..agent.ports import CompletionResponse, PrivacyTier
from ..agent.takes import Takes
from ..drivers.recorded.answer import DriverFacts, RecordedAnswer
from ..public import publish_listed
from .cassette import Cassette, CassetteMode
from .drivers import DriverConformance
from .leaks import no_thread_left
from .ledgers import LedgerConformance
from .memory import MemoryConformance
from .sessions import SessionConformance
from .tools import ToolConformance

__all__ = [
    "Cassette",
    "CassetteMode",
    "DriverConformance",
    "DriverFacts",
    "MemoryConformance",
    "RecordedAnswer",
    "SessionConformance",
    "ToolConformance",
    "no_thread_left",
]

publish_listed(__name__, globals())
