"""How an answer ended, from the word that its server gives."""

from __future__ import annotations

import re
from enum import Enum, auto

from ...agent.ports import StopReason


class NoEnd(Enum):
    """Ends that are no answers."""

    FILTERED = auto()
    FULL = auto()
    BROKEN = auto()


# Sources: https://platform.openai.com/docs/api-reference/chat, https://docs.anthropic.com/en/api/handling-stop-reasons,
# https://docs.mistral.ai/api, https://api-docs.deepseek.com/api/create-chat-completion,
# https://ai.google.dev/api/generate-content#FinishReason, https://huggingface.co/docs/text-generation-inference,
# https://docs.bigmodel.cn/api-reference (network_error, sensitive), https://docs.cohere.com/reference/chat.
_WORDS: dict[StopReason | NoEnd, str] = {
    StopReason.END_TURN: (
        "stop end_turn eos eos_token end_of_turn end end_of_text complete completed done finish finished normal "
        "pause_turn"
    ),
    StopReason.STOP_SEQUENCE: "stop_sequence stop_token stop_str",
    StopReason.MAX_TOKENS: (
        "length max_tokens max_token max_output_tokens max_completion_tokens max_new_tokens token_limit model_length"
    ),
    StopReason.TOOL_USE: "tool_calls tool_call tool_use function_call function_calls",
    NoEnd.FILTERED: (
        "content_filter content_filtered content_filter_stop safety sensitive recitation blocklist prohibited_content "
        "spii image_safety refusal guardrail guardrail_intervened moderation blocked"
    ),
    NoEnd.FULL: "model_context_window_exceeded context_window_exceeded context_length_exceeded context_length",
}
_SEAM = re.compile(r"[ -]|(?<=[a-z])(?=[A-Z])")
"""Between the words of a word: ``max-tokens``, ``toolUse``."""
_ENDS = {word: end for end, words in _WORDS.items() for word in words.split()}


def end_of(word: str) -> StopReason | NoEnd:
    """What *word* means; one that is not known, or that tells of a failure, says that the answer is none."""
    plain = _SEAM.sub("_", word.strip().removeprefix("FinishReason.")).lower()
    return _ENDS.get(plain, NoEnd.BROKEN)
