"""What was said, as events tell it where they have contents: a copy that JSON can hold, and that nobody changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from .content import is_content, is_part
from .content_field import outline_of_part
from .json_value import to_json
from .loop_result import AgentLoopResult

if TYPE_CHECKING:
    from collections.abc import Iterable

INPUT: Final = "told_input"
"""What an agent was asked, for its ``AgentStarted``: one of the cell's lazies."""
RESULT: Final = "told_result"
"""What it gave, for its ``AgentEnded``: one of the cell's lazies."""


def told_value(value: Any) -> Any:
    """A query, arguments, a result: a text as it is, and of what an ``LlmAgent`` returns the text. Never raises.

    Of an image, a sound or a file there is what tells it from others, and not its bytes.
    """
    if isinstance(value, AgentLoopResult):
        value = value.text
    if not is_content(value):
        return to_json(value)
    parts: Iterable[Any] = (value,) if is_part(value) else value
    return [outline_of_part(part) if is_part(part) else to_json(part) for part in parts]


def told_text(value: Any) -> str:
    """*value* as a text: anything else than a text as JSON. Never raises."""
    told = told_value(value)
    return told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
