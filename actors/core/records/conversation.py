"""What is said between a program, a model and its tools.

The records are frozen dataclasses, positional as written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias


@dataclass(frozen=True, slots=True)
class Attachment:
    """What a server said beside an answer and wants to have back with it: signatures of thoughts, for instance.

    Nobody looks inside but the driver that made it; any other leaves it out. ``data`` holds what JSON can hold.

    Args:
        owner: Which driver made it: provider, server and model.
    """

    owner: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for; ``input`` holds the arguments by name.

    ``problem`` says why the call cannot be run as it came (its arguments are no JSON, say): the model is told, and no
    tool is.
    """

    id: str
    name: str
    input: Mapping[str, Any]
    problem: str = ""
    attachment: Attachment | None = None


class _WithRole:
    """In JSON a message says whose it is: else what a user said could not be told from an instruction."""

    __slots__ = ()
    _role: ClassVar[str]

    def __init_subclass__(cls, role: str = "", **more: Any) -> None:
        super().__init_subclass__(**more)
        if role:  # a class with slots is made twice
            cls._role = role

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        def read(value: Any) -> Any:
            if isinstance(value, Mapping) and "role" in value:
                if value["role"] != cls._role:
                    raise ValueError(f"its role is {value['role']!r}, not {cls._role!r}")
                return {name: entry for name, entry in value.items() if name != "role"}
            return value

        def write(value: Any, write_fields: Any) -> Any:
            written = write_fields(value)
            return {"role": cls._role, **written} if isinstance(written, dict) else written

        return core_schema.no_info_before_validator_function(
            read, handler(source), serialization=core_schema.wrap_serializer_function_ser_schema(write)
        )


@dataclass(frozen=True, slots=True)
class SystemMessage(_WithRole, role="system"):
    """An instruction inside the conversation."""

    content: str


@dataclass(frozen=True, slots=True)
class UserMessage(_WithRole, role="user"):
    """What the user, the program or another agent says."""

    content: str


@dataclass(frozen=True, slots=True)
class AssistantMessage(_WithRole, role="assistant"):
    """What the model said, and the calls it asked for. ``reasoning``, what it thought aloud, is told to no model."""

    content: str
    tool_calls: Sequence[ToolCall] = ()
    reasoning: str = ""
    attachment: Attachment | None = None


@dataclass(frozen=True, slots=True)
class ToolResultMessage(_WithRole, role="tool"):
    """The result of one call."""

    tool_call_id: str
    content: str
    is_error: bool = False


Message: TypeAlias = UserMessage | SystemMessage | AssistantMessage | ToolResultMessage
