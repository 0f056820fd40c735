"""Models behind Anthropic's Messages protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from ..extras import need
from .edge.message_answer import MessageAnswer
from .edge.message_request import message_turns
from .edge.profiles import ANTHROPIC
from .remote import RemoteDriver, RemoteSettings

if TYPE_CHECKING:
    from ..agent.ports import CompletionRequest
    from .edge.answer import Asked
    from .edge.names import ToolNames

HOTTEST = 1.0
"""The highest temperature that the protocol takes."""


class AnthropicDriver(RemoteDriver):
    """Asks any server that speaks Anthropic's Messages, through the official package (extra ``anthropic``).

    The arguments are those of :class:`RemoteDriver`; the environment has ``ANTHROPIC_API_KEY`` and
    ``ANTHROPIC_BASE_URL``.
    """

    package: ClassVar[str] = "anthropic"
    client_class: ClassVar[str] = "AsyncAnthropic"
    provider: ClassVar[str] = "anthropic"
    path: ClassVar[str] = "/v1/messages"
    key_variable: ClassVar[str] = "ANTHROPIC_API_KEY"
    usual_window: ClassVar[int] = 200_000
    optional: ClassVar[frozenset[str]] = frozenset({"temperature", "output_config"})

    def __init__(self, model: str, **settings: Unpack[RemoteSettings]) -> None:
        super().__init__(model, **settings)
        self.profile = ANTHROPIC

    def _fields(self, request: CompletionRequest, names: ToolNames, owner: str, limit: int) -> dict[str, Any]:
        profile = self.profile
        fields: dict[str, Any] = {
            "model": request.model or self.model,
            "messages": message_turns(request, names, owner),
            profile.limit_field: limit,
            "temperature": min(request.temperature, HOTTEST),
        }
        if request.system:
            fields["system"] = request.system
        tools = [
            {"name": names.said(tool.name), "description": tool.description, "input_schema": schema}
            for tool, schema in self._tools(request, profile.schemas)
        ]
        if tools:
            fields["tools"] = tools
        if request.output_schema is not None:
            schema = need(self.package, self.package, type(self).__name__).transform_schema(dict(request.output_schema))
            fields["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        return fields

    def _answer(self, asked: Asked) -> MessageAnswer:
        return MessageAnswer(asked)
