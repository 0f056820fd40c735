"""Where agents remember."""

from datetime import datetime as datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..public import publish_listed
from .document import Document
from .embedder import Embedder, HashEmbedder
from .in_memory import InMemorySubstrate
from .vector_index import VectorIndex

if TYPE_CHECKING:  # who keeps no memory in a file needs no SQLite, nor what asks a server
    from ..drivers.openai_embedder import OpenAIEmbedder
    from .reembedding import embed_file
    from .sqlite_memory import SqliteMemory

__all__ = [
    "Document",
    "Embedder",
    "HashEmbedder",
    "InMemorySubstrate",
    "OpenAIEmbedder",
    "SqliteMemory",
    "VectorIndex",
    "embed_file",
]

_LATER = {
    "SqliteMemory": "actors.memory.sqlite_memory",
    "OpenAIEmbedder": "actors.drivers.openai_embedder",
    "embed_file": "actors.memory.reembedding",
}

publish_listed(__name__, {**dict.fromkeys(_LATER), **globals()})  # no records: nobody pickles them


def __getattr__(name: str) -> Any:
    """What is imported when somebody first asks for it."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
