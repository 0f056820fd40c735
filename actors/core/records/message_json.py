"""Messages in JSON: told apart by their role alone.

JSON without one is refused: to guess whose words they are could make an instruction of what a user said.
"""

from __future__ import annotations

from typing import Final

from .tagged_json import Tag

ROLE: Final = Tag(
    "role",
    "message",
    "system, user, assistant, tool",
    "SystemMessage, UserMessage, AssistantMessage or ToolResultMessage",
    'it has no "role", and whose words these are is not guessed: add one of {words}',
)

schema_of = ROLE.schema_of
schema_of_all = ROLE.schema_of_all
json_schema_of = ROLE.json_schema_of
