"""What is said between a program, a model and its tools.

The records are frozen dataclasses, positional as written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from ...public import publish
from .content import content_of, is_content, text_of_content
from .content_field import Content
from .json_fields import Data, Text

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

    from .content_field import LooseContent


@dataclass(frozen=True, slots=True)
class Attachment:
    """What a server said beside an answer and wants to have back with it: signatures of thoughts, for instance.

    Nobody looks inside but the driver that made it; any other leaves it out. ``data`` holds what JSON can hold.

    Args:
        owner: Which driver made it: provider, server and model.
    """

    owner: Text
    data: Data


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for; ``input`` holds the arguments by name.

    ``problem`` says why the call cannot be run as it came (its arguments are no JSON, say): the model is told, and no
    tool is.
    """

    id: Text
    name: Text
    input: Data
    problem: Text = ""
    attachment: Attachment | None = None


class _Message:
    """What the four have in common: each says whose it is, in JSON too. Else what a user said could not be told from an
    instruction.
    """

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}
    role: ClassVar[str]

    if TYPE_CHECKING:

        @property
        def content(self) -> Content: ...

    @property
    def text(self) -> str:
        """The content as text: images, audio and files are named, in their place."""
        return text_of_content(self.content)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from .message_json import schema_of, schema_of_all

        if cls is _Message:
            return schema_of_all((SystemMessage, UserMessage, AssistantMessage, ToolResultMessage), handler)
        return schema_of(cls.role, source, handler)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        from .message_json import json_schema_of

        return handler(core) if cls is _Message else json_schema_of(cls.role, core, handler)


@dataclass(frozen=True, slots=True)
class SystemMessage(_Message):
    """An instruction inside the conversation."""

    role: ClassVar[Literal["system"]] = "system"
    content: Text

    def __post_init__(self) -> None:
        if type(self.content) is not str:
            _refuse_parts(self.content, "an instruction")


@dataclass(frozen=True, slots=True)
class UserMessage(_Message):
    """What the user, the program or another agent says: a text, or parts of several kinds.

    Example:
        ```python
        from actors import UserMessage

        print(UserMessage("What is the sum?").text)
        ```

        ```text
        What is the sum?
        ```

    Args:
        content: A text, a part, or a list of parts with texts among them; parts are held as a tuple.

    Raises:
        TypeError: Something in the list is neither a part nor a text.
        ValueError: The list is empty, or a text in it is.
    """

    role: ClassVar[Literal["user"]] = "user"
    content: Content

    if TYPE_CHECKING:

        def __init__(self, content: LooseContent) -> None: ...

    def __post_init__(self) -> None:
        if type(self.content) is not str:
            object.__setattr__(self, "content", content_of(self.content))


@dataclass(frozen=True, slots=True)
class AssistantMessage(_Message):
    """What the model said, and the calls it asked for. ``reasoning``, what it thought aloud, is told to no model."""

    role: ClassVar[Literal["assistant"]] = "assistant"
    content: Text
    tool_calls: Sequence[ToolCall] = ()
    reasoning: Text = ""
    attachment: Attachment | None = None

    def __post_init__(self) -> None:
        if type(self.content) is not str:
            _refuse_parts(self.content, "an answer")
        if not isinstance(self.tool_calls, tuple):  # a list gives an equal message
            object.__setattr__(self, "tool_calls", tuple(self.tool_calls))


@dataclass(frozen=True, slots=True)
class ToolResultMessage(_Message):
    """The result of one call: a text, or parts of several kinds, as for a :class:`UserMessage`."""

    role: ClassVar[Literal["tool"]] = "tool"
    tool_call_id: Text
    content: Content
    is_error: bool = False

    if TYPE_CHECKING:

        def __init__(self, tool_call_id: str, content: LooseContent, is_error: bool = False) -> None: ...

    def __post_init__(self) -> None:
        if type(self.content) is not str:
            object.__setattr__(self, "content", content_of(self.content))


def _refuse_parts(content: object, what: str) -> None:
    if is_content(content):
        raise ValueError(f"{what} is a text: images, audio and files stand in a UserMessage")


if TYPE_CHECKING:
    Message: TypeAlias = UserMessage | SystemMessage | AssistantMessage | ToolResultMessage
else:
    Message = _Message  # isinstance() can be asked, and pydantic tells them apart by their role

publish("actors.ports", AssistantMessage, Attachment, SystemMessage, ToolCall, ToolResultMessage, UserMessage)
