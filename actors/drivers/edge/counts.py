"""The tokens of an answer, as its server counts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from ...core.records.usage import TokenUsage, clamped

MOST_TOKENS = 10**9
"""Of one call; a server that counts more talks nonsense."""

UNSAID: Final = -1

Places: TypeAlias = Mapping[str, Sequence[tuple[str, ...]]]

CHAT: Final[Places] = {
    "read": (("prompt_tokens",), ("input_tokens",)),
    "written": (("completion_tokens",), ("output_tokens",)),
    "total": (("total_tokens",),),
    "cached": (
        ("prompt_tokens_details", "cached_tokens"),  # OpenAI, Azure, OpenRouter, Groq, vLLM, Mistral
        ("input_tokens_details", "cached_tokens"),  # as OpenAI's Responses say it
        ("prompt_cache_hit_tokens",),  # https://api-docs.deepseek.com/guides/kv_cache
        ("cached_tokens",),  # Moonshot: https://github.com/promptfoo/promptfoo/pull/10132
        ("num_cached_tokens",),  # Mistral, and one more of three: https://github.com/vercel/ai/issues/14382
        ("prompt_token_details", "cached_tokens"),
        ("cache_read_input_tokens",),  # LiteLLM, in front of Anthropic
    ),
    "cache_write": (
        ("prompt_tokens_details", "cache_write_tokens"),  # https://openrouter.ai/docs/use-cases/usage-accounting
        ("prompt_tokens_details", "cache_creation_tokens"),  # LiteLLM
        ("cache_creation_input_tokens",),
    ),
    "thoughts": (
        ("completion_tokens_details", "reasoning_tokens"),  # OpenAI, DeepSeek, OpenRouter, xAI
        ("output_tokens_details", "reasoning_tokens"),
        ("reasoning_tokens",),  # SGLang, Perplexity
    ),
}
"""Where the servers of Chat Completions say what; cached tokens are among those that were read."""

MESSAGES: Final[Places] = {
    "fresh": (("input_tokens",),),
    "so_far": (("output_tokens",),),  # 1 at the start, whatever comes
    "cached": (("cache_read_input_tokens",),),
    "cache_write": (("cache_creation_input_tokens",),),
    "thoughts": (("output_tokens_details", "thinking_tokens"),),
}
"""Where those of Messages do: ``input_tokens`` are without what a cache held, or was given to hold.
https://docs.claude.com/en/docs/build-with-claude/prompt-caching#tracking-cache-performance
"""


class Counts:
    """What a server has counted so far. In a stream it may say so several times: what it said last counts, but that it
    has no number, or 0, takes back nothing (but of ``so_far``).

    Args:
        places: Where its numbers stand.
    """

    __slots__ = ("_places", "_said")

    def __init__(self, places: Places) -> None:
        self._places = places
        self._said: dict[str, int] = {}

    def take(self, usage: object) -> None:
        """Take what it says now, of whatever type it is."""
        if not isinstance(usage, dict):
            return
        for name, places in self._places.items():
            most = max((_count_at(usage, place) for place in places), default=UNSAID)
            if most > 0 or (most == 0 and (name == "so_far" or name not in self._said)):
                self._said[name] = most

    @property
    def read(self) -> int | None:
        """All tokens that were read; None: it does not say."""
        fresh = self._said.get("fresh")
        if fresh is None:
            return self._said.get("read")
        read = fresh + self._said.get("cached", 0) + self._said.get("cache_write", 0)
        return read if read <= MOST_TOKENS else None

    @property
    def written(self) -> int | None:
        """All tokens that were written; None: it does not say."""
        written, uncounted = self._said.get("written", self._said.get("so_far")), self._uncounted()
        return uncounted or None if written is None else written + uncounted

    def _uncounted(self) -> int:
        """Thoughts that stand in the total alone: xAI and Gemini do not count them as written, but as tokens to pay.

        https://docs.x.ai/docs/key-information/consumption-and-rate-limits, and the thoughts of Gemini:
        https://github.com/router-for-me/CLIProxyAPI/issues/5733
        """
        read, total = self.read, self._said.get("total", 0)
        return 0 if read is None else max(0, total - read - self._said.get("written", 0))

    def usage(self, read: int, written: int) -> TokenUsage:
        """All of it.

        Args:
            read, written: The totals where it has not counted them.
        """
        counted = self.read, self.written
        return clamped(
            TokenUsage(
                read if counted[0] is None else counted[0],
                written if counted[1] is None else counted[1],
                self._said.get("cached", 0),
                self._said.get("cache_write", 0),
                max(self._said.get("thoughts", 0), self._uncounted()),
            )
        )


def _count_at(usage: Mapping[str, object], place: Sequence[str]) -> int:
    value: object = usage
    for name in place:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return UNSAID
    return value if 0 <= value <= MOST_TOKENS else UNSAID
