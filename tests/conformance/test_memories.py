"""Every memory of ours passes the suite that users' own memories may pass."""

from __future__ import annotations

from actors import InMemorySubstrate, MemorySubstrate
from actors.testing import MemoryConformance


class TestInMemory(MemoryConformance):
    def memory(self) -> MemorySubstrate:
        return InMemorySubstrate()


class TestBounded(MemoryConformance):
    def memory(self) -> MemorySubstrate:
        return InMemorySubstrate(max_fragments=10_000)
