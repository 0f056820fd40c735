"""What models read and wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...public import publish


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one or more completions.

    Args:
        input_tokens: All that was read: cached ones and those written into a cache included.
        output_tokens: All that was written: thoughts included.
        cached_input_tokens: Those of the input that came from the provider's cache; 0 where it does not say.
        cache_write_tokens: Those of the input that the provider put into its cache; 0 where it does not say.
        reasoning_tokens: Those of the output that were thoughts; 0 where it does not say.
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: TokenUsage) -> TokenUsage:
        return TokenUsage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


NO_TOKENS: Final = TokenUsage(0, 0)


def clamped(usage: TokenUsage) -> TokenUsage:
    """*usage* with parts that are no larger than what they are parts of: not everybody counts well."""
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    cache_write = min(usage.cache_write_tokens, usage.input_tokens - cached)
    thoughts = min(usage.reasoning_tokens, usage.output_tokens)
    return TokenUsage(usage.input_tokens, usage.output_tokens, cached, cache_write, thoughts)


publish("actors.ports", TokenUsage)
