"""Which model answers, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ...core.records.usage import clamped
from ...public import publish
from .manifest_table import (
    Count,
    ManifestTable,
    Number,
    Text,
    Word,
)
from .prompt_function import SystemPrompt
from .settings import (
    NAMES,
    NO_SETTINGS,
    ModelSettings,
    Options,
    ReasoningEffort,
    Seed,
    Stop,
    Temperature,
    TopP,
    YesOrNo,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ...core.records.usage import TokenUsage
    from .keywords import ModelKeywords


NAMES_OF_SETTINGS = frozenset(NAMES)


class ModelConfig(ManifestTable, frozen=True):
    """Which model answers, and how.

    Args:
        driver: ``package.module:factory``, called as ``factory(manifest)``, or the name of a built-in driver; it wins
            over the pool's driver.
        system_prompt: What the model is told before all else. In a text ``$query`` and ``${deps.name}`` are filled in;
            ``{function = "package.module:name"}``, or a function, makes it: see ``PromptFunction``.
        prompt_template: Is a text filled in? If not, each ``$`` stays as it is.
        context_window: Tokens; None asks the driver.
        base_url: Where the driver's server is; None leaves it to the driver.
        private_hosts: Host names under your own control: with privacy ``private``, a server there may be asked.
        usd_per_million_input_tokens, usd_per_million_output_tokens: What the model costs, both or none; they win over
            the driver's prices.
        usd_per_million_cached_input_tokens, usd_per_million_cache_write_tokens: What input costs that came from the
            provider's cache, or was put into it; None: as much as other input.
        api: The protocol that an ``openai`` driver speaks; None leaves it to the driver.
        top_p, seed, stop, reasoning_effort, tool_choice, parallel_tool_calls, prompt_cache, options: As in
            ``ModelSettings``.
    """

    model_path: Text | None = None
    remote_model: Text | None = None
    model_repo: Text | None = None
    model_quantization: Text | None = None
    max_tokens: Count = 4096
    temperature: Temperature = 0.3
    system_prompt: SystemPrompt = "You are a helpful assistant."
    prompt_template: YesOrNo = True
    context_window: Count | None = None
    driver: Annotated[str, Field(strict=True, min_length=1)] | None = None
    base_url: Text | None = None
    private_hosts: tuple[Text, ...] = ()
    usd_per_million_input_tokens: Annotated[Number, Field(ge=0)] | None = None
    usd_per_million_output_tokens: Annotated[Number, Field(ge=0)] | None = None
    usd_per_million_cached_input_tokens: Annotated[Number, Field(ge=0)] | None = None
    usd_per_million_cache_write_tokens: Annotated[Number, Field(ge=0)] | None = None
    api: Literal["chat", "responses"] | None = None
    top_p: TopP | None = None
    seed: Seed | None = None
    stop: Stop = None
    reasoning_effort: ReasoningEffort | None = None
    tool_choice: Word | None = None
    parallel_tool_calls: YesOrNo | None = None
    prompt_cache: YesOrNo | None = None
    options: Options = Field(default_factory=dict)

    if TYPE_CHECKING:

        def __init__(self, /, **fields: Unpack[ModelKeywords]) -> None: ...

    def __hash__(self) -> int:
        """Options need not be hashable."""
        return hash((self.name, self.driver, self.base_url))

    @property
    def name(self) -> str:
        """The model's name; empty leaves the choice to the driver."""
        return self.remote_model or self.model_repo or self.model_path or ""

    @property
    def says_settings(self) -> bool:
        """Does it say anything of how the model is to answer?"""
        return not NAMES_OF_SETTINGS.isdisjoint(self.__pydantic_fields_set__)

    @property
    def settings(self) -> ModelSettings:
        """What it says of how the model is to answer: a default is left to who comes next."""
        written = {name: getattr(self, name) for name in NAMES_OF_SETTINGS & self.model_fields_set}
        return ModelSettings.model_construct(**written) if written else NO_SETTINGS

    @property
    def has_price(self) -> bool:
        """Does it declare what the model costs?"""
        return self.usd_per_million_input_tokens is not None and self.usd_per_million_output_tokens is not None

    def declared_cost(self, usage: TokenUsage) -> float | None:
        """What *usage* costs in USD by the prices declared here; None when there are none."""
        read, written = self.usd_per_million_input_tokens, self.usd_per_million_output_tokens
        if read is None or written is None:
            return None
        parts = clamped(usage)
        plain, cost = usage.input_tokens, usage.output_tokens * written
        for price, tokens in (
            (self.usd_per_million_cached_input_tokens, parts.cached_input_tokens),
            (self.usd_per_million_cache_write_tokens, parts.cache_write_tokens),
        ):
            if price is not None:
                plain -= tokens
                cost += tokens * price
        return (plain * read + cost) / 1e6


publish("actors.manifests", ModelConfig)
