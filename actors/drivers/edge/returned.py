"""Does a server refuse what it is to have back: thoughts that it sealed or signed?"""

from __future__ import annotations

import re

_REFUSED = re.compile(
    # OpenAI: https://github.com/openai/codex/issues/8119
    r"invalid_encrypted_content|encrypted content.{0,400}?could not be (?:verified|decrypted)"
    r"|without its required (?:following item|['\"`]?reasoning)"
    r"|items are not persisted when|item with id.{0,100}?not found"
    # Anthropic: https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking#preserving-thinking-blocks
    r"|invalid [`'\"]?(?:signature|data)[`'\"]? in [`'\"]?(?:redacted_)?thinking"
    r"|thinking[`'\"]? blocks .{0,80}?cannot be modified"
    # Gemini
    r"|(?:corrupted|invalid) thought.?signature|thought.?signature.{0,40}?(?:not valid|is invalid)",
    re.IGNORECASE | re.DOTALL,
)


def refuses_returned(words: str) -> bool:
    """Is it what was said before and came back that a server refuses, by its *words*?

    A key that was changed, another account, a model that was replaced: what was sealed for one is nothing to the other,
    and a conversation that goes on for long would be at its end.
    """
    return _REFUSED.search(words) is not None
