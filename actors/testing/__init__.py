"""Test tools for those who extend the library: suites that their own drivers, tools and memories have to pass, and a
watch for threads that are left.

    from actors.testing import ToolConformance

    class TestMyTool(ToolConformance):
        def tool(self): return my_tool
        def input(self): return {"text": "hi"}

pytest collects the tests of the base class; nothing here needs pytest itself, but ``actors.testing.fixtures``.
"""

from .drivers import DriverConformance
from .leaks import no_thread_left
from .memory import MemoryConformance
from .tools import ToolConformance

__all__ = ["DriverConformance", "MemoryConformance", "ToolConformance", "no_thread_left"]
