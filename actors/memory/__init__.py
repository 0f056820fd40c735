"""Where agents remember."""

from ..public import publish
from .in_memory import InMemorySubstrate

__all__ = [
    "InMemorySubstrate",
]

publish(__name__, globals())
