"""How a model is to answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypedDict, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from ...public import publish
from .manifest_table import (
    Count,
    ManifestTable,
    Number,
    Text,
    Word,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Unpack

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
ToolChoice = Literal["auto", "required", "none"]
"""Any other word is the name of a tool."""
FORCES: Final = "required"
TOOL_CHOICES: Final = frozenset(get_args(ToolChoice))

OWN_FIELD: Final = {
    **dict.fromkeys(("max_completion_tokens", "max_output_tokens", "max_new_tokens", "max_tokens"), "max_tokens"),
    **dict.fromkeys(("tool_choice", "function_call"), "tool_choice"),
}
"""Fields of a request that a guard looks at, or the loop, and the settings that they are."""
NOT_OPTIONS: Final = frozenset(
    {
        *("model", "messages", "input", "contents", "prompt", "system", "instructions", "tools", "functions"),
        *("stream", "stream_options", "n", "background", "conversation", "previous_response_id"),
    }
)
"""Fields of a request that are made of the conversation, or that its answer is read by, and counted."""


def _options(options: dict[str, Any]) -> dict[str, Any]:
    """*options*, if a request can be given them, and is still the one that guards and budgets have seen."""
    for name in options:
        if name in OWN_FIELD:
            raise ValueError(f"{name!r} is no option: use the setting {OWN_FIELD[name]}")
        if name in NOT_OPTIONS:
            raise ValueError(f"{name!r} is no option: the driver says it itself")
    try:
        json.dumps(options, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"options are sent as JSON, which cannot hold these: {error}") from None
    return options


def _as_texts(stop: Any) -> Any:
    return (stop,) if isinstance(stop, str) else stop


Temperature = Annotated[Number, Field(ge=0, le=2)]
TopP = Annotated[Number, Field(gt=0, le=1)]
Seed = Annotated[int, Field(strict=True)]
Stop = Annotated[Annotated[tuple[Word, ...], Field(min_length=1, max_length=16)] | None, BeforeValidator(_as_texts)]
YesOrNo = Annotated[bool, Field(strict=True)]
Options = Annotated[dict[Text, Any], AfterValidator(_options)]


class SettingsKeywords(TypedDict, total=False):
    """What a ``ModelSettings`` takes by name."""

    temperature: float | None
    max_tokens: int | None
    top_p: float | None
    seed: int | None
    stop: str | Sequence[str] | None
    reasoning_effort: ReasoningEffort | None
    tool_choice: ToolChoice | str | None
    parallel_tool_calls: bool | None
    prompt_cache: bool | None
    options: Mapping[str, Any]


class ModelSettings(ManifestTable, frozen=True):
    """How a model is to answer. What is None is left to whoever comes next: the config, the manifest's ``[model]``, the
    driver, its server.

    A driver that cannot pass one on refuses the request before anything is sent, and names it.

    Args:
        temperature: From 0 (the likeliest word) to 2.
        max_tokens: Tokens that the answer may have.
        top_p: Only the likeliest words are drawn from, which together have this share; above 0, at most 1.
        seed: The same one draws the same words, as far as the server keeps that.
        stop: Texts at which an answer ends; they are not part of it. One, or up to 16.
        reasoning_effort: How long the model thinks before it answers.
        tool_choice: ``auto``: the model chooses; ``required``: it has to call a tool; ``none``: it may call none; any
            other word is the name of the tool that it has to call. It holds for the first answer to a query only when
            it forces a call: else the model could never end its turn.
        parallel_tool_calls: May one answer ask for several calls?
        prompt_cache: May the provider keep the beginning of the prompt, so that it costs less the next time?
        options: Further fields of the request, sent as they are: ``{"service_tier": "flex"}``.

    Example:
        ```python
        from actors import AgentManifest, ModelSettings, SpawnConfig

        clerk = AgentManifest(name="clerk")
        config = SpawnConfig(clerk, "Why?", settings=ModelSettings(reasoning_effort="low", seed=7))
        ```
    """

    temperature: Temperature | None = None
    max_tokens: Count | None = None
    top_p: TopP | None = None
    seed: Seed | None = None
    stop: Stop = None
    reasoning_effort: ReasoningEffort | None = None
    tool_choice: Word | None = None
    parallel_tool_calls: YesOrNo | None = None
    prompt_cache: YesOrNo | None = None
    options: Options = Field(default_factory=dict)

    if TYPE_CHECKING:

        def __init__(self, /, **fields: Unpack[SettingsKeywords]) -> None: ...

    def __hash__(self) -> int:
        """Options need not be hashable."""
        return hash(tuple(getattr(self, name) for name in NAMES if name != "options"))

    @property
    def forces_call(self) -> bool:
        """Has the answer to call a tool?"""
        return self.tool_choice is not None and self.tool_choice not in ("auto", "none")

    @property
    def named_tool(self) -> str | None:
        """The tool that the answer has to call; None when none is named."""
        return None if self.tool_choice in TOOL_CHOICES else self.tool_choice

    @property
    def says_more(self) -> bool:
        """Is there anything beside the numbers that a request has of its own?"""
        return self is not NO_SETTINGS and not NUMBERS.issuperset(self.given())

    def open_names(self) -> set[str]:
        """What is left open."""
        return {name for name, value in self.__dict__.items() if value in (None, {})}

    def given(self) -> dict[str, Any]:
        """What is not left open, by name."""
        return {name: value for name, value in self.__dict__.items() if value not in (None, {})}

    def over(self, other: ModelSettings) -> ModelSettings:
        """These settings, and of *other* what these leave open; options are joined by name."""
        if not (given := self.given()):
            return other
        if other is NO_SETTINGS:
            return self
        return other.model_copy(update={**given, "options": {**other.options, **self.options}})

    def without_choice(self) -> ModelSettings:
        """These settings; which tool is called is the model's choice."""
        return self.model_copy(update={"tool_choice": None})


NAMES: Final = tuple(ModelSettings.model_fields)
NUMBERS: Final = frozenset({"max_tokens", "temperature"})
"""What a request has of its own."""
NO_SETTINGS: Final = ModelSettings.model_construct()  # not built for it, as it would be by a call


def joined(*levels: ModelSettings | None) -> ModelSettings:
    """What holds where several say how a model is to answer: the first that says something of it."""
    settings = NO_SETTINGS
    for level in reversed(levels):
        if level is not None:
            settings = level.over(settings)
    return settings


publish("actors.manifests", ModelSettings)
