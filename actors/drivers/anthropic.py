"""Models behind Anthropic's Messages protocol."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import ManifestError
from ..extras import need
from .edge.dialect import Dialect
from .edge.message_answer import MessageAnswer
from .edge.message_parts import MESSAGE_TAKES
from .edge.message_request import message_fields
from .edge.profiles import ANTHROPIC
from .edge.thinking import misfit
from .remote import RemoteDriver

if TYPE_CHECKING:
    from ..agent.terms.manifest import AgentManifest
    from .edge.draft import Draft
    from .edge.profiles import ServerProfile


def _words(draft: Draft) -> dict[str, Any]:
    fields = message_fields(draft)
    if draft.answer_schema is not None:
        package = need(AnthropicDriver.package, AnthropicDriver.package, AnthropicDriver.__name__)
        schema = package.transform_schema(dict(draft.answer_schema))
        fields.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": schema}
    return fields


MESSAGES = Dialect(
    "/v1/messages",
    _words,
    MessageAnswer,
    frozenset({"temperature", "stream", "output_config"}),
    lacks=MappingProxyType({"seed": "OpenAIDriver(..., api='chat')"}),
    misfit=misfit,
    caches=False,
    takes=MESSAGE_TAKES,
)


class AnthropicDriver(RemoteDriver):
    """Asks any server that speaks Anthropic's Messages, through the official package (extra ``anthropic``).

    The arguments are those of :class:`RemoteDriver`; the environment has ``ANTHROPIC_API_KEY`` and
    ``ANTHROPIC_BASE_URL``.

    What a model thought goes back with its calls, unchanged and in its place. ``reasoning_effort`` of the settings is a
    share of ``max_tokens`` that may be thoughts, or the model's own word for it where it chooses by itself.
    """

    package: ClassVar[str] = "anthropic"
    client_class: ClassVar[str] = "AsyncAnthropic"
    provider: ClassVar[str] = "anthropic"
    key_variable: ClassVar[str] = "ANTHROPIC_API_KEY"
    usual_window: ClassVar[int] = 200_000

    @classmethod
    def _of_manifest(cls, manifest: AgentManifest) -> dict[str, Any]:
        if manifest.model.api is not None:
            raise ManifestError(
                [f"model.api: driver 'anthropic' speaks Messages only, not {manifest.model.api!r}; 'openai' does"]
            )
        return super()._of_manifest(manifest)

    def _profile_of(self, url: str) -> ServerProfile:  # noqa: ARG002 - servers of Messages differ less
        return ANTHROPIC

    def _dialect_of(self) -> Dialect:
        return MESSAGES
