"""Tokens and what they cost, added up."""

from __future__ import annotations

from .usage import NO_TOKENS, TokenUsage


class Spent:
    """A sum that grows: of plain numbers, as making a ``TokenUsage`` for each step takes ten times as long.

    Threads: one at a time.
    """

    __slots__ = ("_cache_write", "_cached", "_made", "_read", "_thoughts", "_written", "cost_usd")

    def __init__(self) -> None:
        self._made: TokenUsage | None = NO_TOKENS  # of all that was added
        self._read = self._written = self._cached = self._cache_write = self._thoughts = 0
        self.cost_usd = 0.0

    def add(self, usage: TokenUsage, cost_usd: float) -> None:
        """So much more."""
        self._made = None
        self._read += usage.input_tokens
        self._written += usage.output_tokens
        if usage.cached_input_tokens or usage.cache_write_tokens or usage.reasoning_tokens:
            self._cached += usage.cached_input_tokens
            self._cache_write += usage.cache_write_tokens
            self._thoughts += usage.reasoning_tokens
        self.cost_usd += cost_usd

    @property
    def usage(self) -> TokenUsage:
        """The tokens."""
        made = self._made
        if made is None:
            made = TokenUsage(self._read, self._written, self._cached, self._cache_write, self._thoughts)
            self._made = made
        return made
