"""How a model is to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

from pydantic import Field, field_validator

from .manifest_table import Count, ManifestTable, Number, Text, Word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Unpack

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
ToolChoice = Literal["auto", "required", "none"]
"""Any other word is the name of a tool."""


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

    Example::

        pool.spawn(SpawnConfig(manifest, query, settings=ModelSettings(reasoning_effort="low", seed=7)))
    """

    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    max_tokens: Count | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(strict=True)] | None = None
    stop: Annotated[tuple[Word, ...], Field(max_length=16)] | None = None
    reasoning_effort: ReasoningEffort | None = None
    tool_choice: Word | None = None
    parallel_tool_calls: Annotated[bool, Field(strict=True)] | None = None
    prompt_cache: Annotated[bool, Field(strict=True)] | None = None
    options: dict[Text, Any] = Field(default_factory=dict)

    if TYPE_CHECKING:

        def __init__(self, /, **fields: Unpack[SettingsKeywords]) -> None: ...

    @field_validator("stop", mode="before")
    @classmethod
    def _as_texts(cls, stop: Any) -> Any:
        return (stop,) if isinstance(stop, str) else stop

    def over(self, other: ModelSettings) -> ModelSettings:
        """These settings, and of *other* what these leave open; options are joined by name."""
        given = {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}
        return other.model_copy(update={**given, "options": {**other.options, **self.options}})


NO_SETTINGS = ModelSettings()
