"""The message that agents send each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pydantic import BaseModel, Field

from ...public import publish
from .built_later import BUILT_LATER
from .positional import positional, put

AgentId: TypeAlias = int
"""1, 2, 3 … for agents; 0 is the program; negative ids are the program's own endpoints."""

_new: Final = object.__new__
_keep_fields, _keep_names, _keep_extra, _keep_private = (
    vars(BaseModel)[name].__set__
    for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)
"""They write the slots of a model: in two thirds of the time that ``object.__setattr__`` takes to find them."""


class AgentMessage(
    BaseModel, frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True, defer_build=BUILT_LATER
):
    """A message from one id to another. Its JSON names are ``from``, ``to`` and ``content``.

    Args:
        sender: Who sends; 0 is the program.
        to: Who receives; 0 is the program.
        content: Any object.
    """

    sender: AgentId = Field(alias="from")
    to: AgentId
    content: Any

    if TYPE_CHECKING:

        def __init__(self, sender: AgentId, to: AgentId, content: Any) -> None: ...

    else:

        @positional("sender", "to", "content")
        def __init__(self, /, *args, **fields):
            if args:
                put(args, fields, ("sender", "to", "content"), "AgentMessage")
            super().__init__(**fields)

    @classmethod
    def between(cls, sender: AgentId, to: AgentId, content: Any) -> AgentMessage:
        """Make one without the checks, when both ids are whole numbers: they take longer than the rest of a send.

        Args:
            sender: The id of who sends; 0 is the program.
            to: The id of who is to read it.
            content: Anything.
        """
        if type(to) is not int or type(sender) is not int:
            return cls(sender, to, content)
        message = _new(cls)  # as ``trusted``, without a call: it is done for every message
        _keep_fields(message, {"sender": sender, "to": to, "content": content})
        _keep_names(message, {"sender", "to", "content"})
        _keep_extra(message, None)
        _keep_private(message, None)
        return message


publish("actors.messages", AgentMessage)
