"""How the answers of one conversation are asked for."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ..core.shown import shown
from ..errors import ManifestError
from .same import Same
from .terms.manifest_problems import did_you_mean
from .terms.model_config import ModelConfig
from .terms.settings import NO_SETTINGS, ModelSettings, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .ports import LlmDriver, ToolDefinition

CHOICE = "model.tool_choice"
MOST_NAMES = 500
"""Characters of the names of tools that a refusal repeats."""


SHARED: Final = 64
"""Of so many configs and manifests what they say together is kept: thousands of agents share them."""


def said(config: ModelSettings | None, model: ModelConfig) -> ModelSettings:
    """What *config* says of how a model is to answer, over what the manifest's *model* says of it."""
    if not model.says_settings:
        return NO_SETTINGS if config is None else config.over(NO_SETTINGS)
    return _said(Same(config), Same(model))


@lru_cache(maxsize=SHARED)
def _said(config: Same, model: Same) -> ModelSettings:
    assert isinstance(model.value, ModelConfig)
    assert config.value is None or isinstance(config.value, ModelSettings)
    return joined(config.value, model.value.settings)


def settings_of(driver: object) -> ModelSettings:
    """A driver's own, where it has some."""
    own = getattr(driver, "settings", None)
    return NO_SETTINGS if own is None or not isinstance(own, ModelSettings) else own


class AnswerSettings:
    """What holds for the answers of one conversation; made once for it.

    A choice of a tool that forces a call holds until the model has called one: else it could never end its turn.

    Args:
        said: By the config and the manifest.
        max_tokens, temperature: What holds where the driver has none of its own.
        longest: Tokens of the longest answer, as far as that is known.

    Threads: the agent's own.
    """

    __slots__ = ("_is_checked", "_said", "longest", "max_tokens", "temperature")

    def __init__(self, said: ModelSettings, *, max_tokens: int, temperature: float, longest: int) -> None:
        self._said = said
        self._is_checked = said is NO_SETTINGS or (said.named_tool is None and not said.forces_call)
        self.max_tokens = max_tokens
        self.temperature = temperature
        self.longest = longest

    @classmethod
    def of(cls, config: ModelSettings | None, model: ModelConfig, driver: LlmDriver) -> AnswerSettings:
        """Those of the config over those of the manifest's *model*; a driver adds its own when it writes a request.

        What nobody has said is what the manifest takes for granted.
        """
        whole = said(config, model)
        if whole is NO_SETTINGS:
            longest = settings_of(driver).max_tokens or model.max_tokens
            return cls(whole, max_tokens=model.max_tokens, temperature=model.temperature, longest=longest)
        max_tokens = model.max_tokens if whole.max_tokens is None else whole.max_tokens
        temperature = model.temperature if whole.temperature is None else whole.temperature
        longest = whole.max_tokens or settings_of(driver).max_tokens or max_tokens
        return cls(whole, max_tokens=max_tokens, temperature=temperature, longest=longest)

    @property
    def said(self) -> ModelSettings:
        """What was said, by the config and the manifest."""
        return self._said

    def next(self, tools: Sequence[ToolDefinition]) -> ModelSettings:
        """Those of the next answer.

        Args:
            tools: That the model may call.
        Raises:
            ManifestError: The tool that it has to call is none of them.
        """
        if not self._is_checked:
            refuse_no_tool(self._said, [tool.name for tool in tools])
            self._is_checked = True
        return self._said

    def called(self) -> None:
        """The model has called a tool."""
        if self._said.forces_call:
            self._said = self._said.without_choice()


def refuse_no_tool(settings: ModelSettings, names: Sequence[str]) -> None:
    """Raise a ``ManifestError`` where *settings* force the call of a tool that is none of *names*."""
    wanted = settings.named_tool
    if wanted is None and settings.forces_call and not names:
        raise ManifestError([f"{CHOICE}: a tool has to be called, and the agent has none"], places=[_PLACE])
    if wanted is not None and wanted not in names:
        there = shown(", ".join(names), MOST_NAMES) or "it has none"
        meant = did_you_mean(wanted, names)
        raise ManifestError([f"{CHOICE}: {shown(wanted)!r} is no tool of the agent{meant} ({there})"], places=[_PLACE])


_PLACE = ("model", "tool_choice")
