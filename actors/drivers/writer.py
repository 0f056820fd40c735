"""Writes a driver's requests such as its server takes them, and learns from what the server refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loguru import logger

from ..agent.context_window import estimate_request
from ..agent.terms.manifest_problems import did_you_mean
from ..agent.terms.settings import NO_SETTINGS
from ..core.shown import shown
from ..errors import InferenceFailed
from .edge.answer import Asked
from .edge.attachments import TELLING
from .edge.draft import Draft
from .edge.names import ToolNames
from .edge.profiles import learn
from .edge.refused_fields import replaced_field, unknown_fields
from .edge.schemas import Accepted, Refused, acceptable
from .edge.text import body_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..agent.ports import CompletionRequest, ToolDefinition
    from ..agent.terms.settings import ModelSettings
    from .edge.profiles import ServerProfile
    from .edge.refusals import Refusal
    from .own_settings import OwnSettings

BAD_REQUEST = 400
NOTHING_TO_LEARN = (401, 403, 408, 429)
LIMITS = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens"})
"""Names of one thing: a server that knows two of them refuses both together."""
JOINED = frozenset({"text", "reasoning", "output_config"})
"""Fields that hold several things, of which the user's need not be all."""
KEPT_SCHEMAS = 1024
SPARE = 16
"""Tokens that an estimate may be wrong by, beside a sixteenth of it: a full window would refuse everything."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it is sent.

    Args:
        asked: What its answer has to know of it.
        limit: Tokens that the answer may have.
        fields: In the provider's words.
        body: The same as JSON.
    """

    asked: Asked
    limit: int
    fields: dict[str, Any]
    body: bytes


class RequestWriter:
    """Writes the requests of one driver.

    Args:
        profile: What is known of the server; it changes with what the server says.
        words: Puts a draft into the provider's words.
        optional: Fields that a request can do without.
        options: The user's own fields; None leaves one out.
        settings: The driver's own.
        model: Where a request names none.
        window: Tokens of question and answer.
        provider, server, place: Whose attachments are its own; and where the server is, for people.

    Threads: any; what two learn at once may be learned twice.
    """

    def __init__(
        self,
        profile: ServerProfile,
        words: Callable[[Draft], dict[str, Any]],
        *,
        optional: frozenset[str],
        options: Mapping[str, Any],
        settings: OwnSettings,
        model: str,
        window: int,
        owner: str,
        place: str,
    ) -> None:
        self.profile = profile
        self._words = words
        self._optional = optional
        self._options = dict(options)
        self._settings = settings
        self._model = model
        self._window = window
        self._owner = owner
        self._place = place
        # By identity, with the object itself.
        self._schemas: dict[int, tuple[Mapping[str, Any], dict[str, Any] | None]] = {}

    def write(self, request: CompletionRequest, *, streams: bool, spare: int = 0, is_bare: bool = False) -> Sent:
        """*request* as it is sent now; what was learned of the server is in it.

        Args:
            spare: Tokens that the server's own count found too many.
            is_bare: Without what goes back of earlier answers: the server refuses it.
        Raises:
            InferenceFailed: It has a setting that no request of this driver can have.
        """
        request = self._settings.under(request)
        self._refuse(request)
        profile, names, model = self.profile, ToolNames.of(request), request.model or self._model
        asked = Asked(names, estimate_request(request), f"{self._owner} {model}", self._window)
        room = self._window - asked.tokens - asked.tokens // SPARE - SPARE
        limit = max(1, min(request.max_tokens, max(room, 1)) - spare)
        schema = None
        if request.output_schema is not None:
            schema = self._acceptable(request.output_schema, profile, "the answer's type")
        tools = list(self._tools(request, profile))
        _refuse_choice(request.settings.named_tool, [tool.name for tool, _ in tools])
        fields = self._words(
            Draft(request, model, profile, names, "" if is_bare else asked.owner, limit, tools, schema)
        )
        if streams and "stream" not in profile.lacks:
            fields["stream"] = True
        else:
            fields.pop("stream_options", None)
        fields = {profile.renames.get(name, name): value for name, value in fields.items() if name not in profile.lacks}
        if LIMITS & self._options.keys():  # the user's own bound, by whatever name
            fields = {name: value for name, value in fields.items() if name not in LIMITS}
        options = {**self._options, **request.settings.options}
        joined = {
            name: {**fields[name], **value}
            for name, value in options.items()
            if name in JOINED and isinstance(value, Mapping) and isinstance(fields.get(name), Mapping)
        }
        fields.update({**options, **joined})
        fields = {name: value for name, value in fields.items() if value is not None}
        return Sent(asked, limit, fields, body_of(fields))

    def refusal_of(self, settings: ModelSettings) -> str | None:
        """Which of *settings* no request can have; None when one can have all."""
        return self._settings.refusal_of(settings, self.profile)

    def _refuse(self, request: CompletionRequest) -> None:
        if request.settings is not NO_SETTINGS and (problem := self.refusal_of(request.settings)) is not None:
            raise InferenceFailed(f"nothing was sent: {problem}")

    def _tools(
        self, request: CompletionRequest, profile: ServerProfile
    ) -> Iterator[tuple[ToolDefinition, Mapping[str, Any]]]:
        """The tools of *request* whose schemas the server takes, or can be made to take."""
        for tool in request.tools:
            schema = self._acceptable(tool.input_schema, profile, f"the tool {shown(tool.name)}")
            if schema is not None:
                yield tool, schema

    def _acceptable(self, schema: Mapping[str, Any], profile: ServerProfile, what: str) -> dict[str, Any] | None:
        """*schema* as the server takes it; None when it cannot be made so, which is said once."""
        known = self._schemas.get(id(schema))
        if known is not None and known[0] is schema:
            return known[1]
        answer = acceptable(schema, profile.schemas)
        made = answer.schema if isinstance(answer, Accepted) else None
        if isinstance(answer, Refused):
            logger.warning("{} is left out: {} takes no such schema: {}", what, self._place, answer.reason)
        elif answer.notes:
            logger.debug("{} is told with another schema: {}", what, "; ".join(answer.notes))
        if len(self._schemas) >= KEPT_SCHEMAS:
            self._schemas.clear()
        self._schemas[id(schema)] = schema, made
        return made

    def learn(self, refusal: Refusal, sent: Sent) -> bool:
        """Does the server say what it wants otherwise? Then every further request has it so."""
        status, words = refusal.status, refusal.text
        if status is None or status < BAD_REQUEST or status in NOTHING_TO_LEARN:
            return False
        turns = sent.fields.get("messages", ())
        extra = {name for turn in turns for name in turn if TELLING.search(name)}
        unknown = frozenset(unknown_fields(words, {*sent.fields, *extra}) & {*self._optional, *extra})
        null_sent = any(turn.get("content", "") is None for turn in turns)
        before = self.profile
        learned = learn(before, words, unknown=unknown, renamed=replaced_field(words), null_sent=null_sent)
        if learned is not None:
            self.profile = learned
            logger.info("{} wants its requests otherwise: {}", self._place, words)
        # Another call may have found out at the same time: then this one was sent before, and is asked again, too.
        return learned is not None or bool(unknown & before.lacks - self._options.keys())


def _refuse_choice(wanted: str | None, names: Sequence[str]) -> None:
    """A tool that has to be called is one that the model is told of."""
    if wanted is not None and wanted not in names:
        there = shown(", ".join(names), 500) or "none"
        raise InferenceFailed(
            f"nothing was sent: tool_choice {shown(wanted)!r} is none of the tools that the server can be told of "
            f"({there}){did_you_mean(wanted, names)}"
        )
