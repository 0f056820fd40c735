"""What agents may call. Most tools have modules of their own; these make tools, and collect them."""

from ..agent.approved_tool import needs_approval
from ..public import publish_listed
from .deps import Deps
from .document_tools import search_documents
from .process import ProcessResult, run_process
from .registry import ToolRegistry
from .tool import tool

__all__ = [
    "Deps",
    "ProcessResult",
    "ToolRegistry",
    "needs_approval",
    "run_process",
    "search_documents",
    "tool",
]

publish_listed(__name__, globals())
