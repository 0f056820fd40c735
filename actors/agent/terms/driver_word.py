"""A driver in one word: ``openai:gpt-5``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from ...core.shown import shown
from ...errors import ManifestError
from .importing import OBJECT_PATH
from .manifest_problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from .model_config import ModelConfig

BUILT_IN: Final = ("anthropic", "echo", "openai")
WITHOUT_MODEL: Final = frozenset({"echo"})
_URL = r"(?i)@(?=https?://)"
"""A name may have an ``@`` of its own, and so may a URL: the first one that is followed by a URL parts them."""
_HOST = r".@[\w.-]+(:\d+|/)|.@localhost\b|.@\w+://|@$"
"""What looks as if it were to be a URL."""
_PRICES: Final = (
    "usd_per_million_input_tokens",
    "usd_per_million_output_tokens",
    "usd_per_million_cached_input_tokens",
    "usd_per_million_cache_write_tokens",
)


@dataclass(frozen=True, slots=True)
class DriverWord:
    """A built-in driver, and perhaps its model and where its server is: ``openai``, ``openai:NAME``,
    ``openai:NAME@http://127.0.0.1:11434/v1``.

    Args:
        name: Of the built-in driver.
        model: None: another place says it.
        base_url: None: another place says it, or the provider's own is taken.
    """

    name: str
    model: str | None = None
    base_url: str | None = None

    @classmethod
    def parse(cls, text: str, place: str) -> Self | None:
        """What *text* says; None when it is a ``package.module:factory``. A module with the name of a driver that asks
        a model is not looked for.

        Args:
            place: Where it stands, for the error.
        Raises:
            ManifestError: It is neither.
        """
        name, colon, rest = text.partition(":")
        is_path = name not in BUILT_IN or (bool(colon) and name in WITHOUT_MODEL)
        if is_path:  # a module may have the name of a driver that asks no model
            if re.fullmatch(OBJECT_PATH, text):
                return None
            if name in WITHOUT_MODEL:
                problem = f"{place}: {shown(text)!r}: the driver {name!r} asks no model: say {name!r} alone"
                raise ManifestError([problem])
            raise ManifestError([f"{place}: {no_such(name if colon else text)}"])
        if not colon:
            return cls(name)
        model, at, rest = _split(rest)
        if not model:
            raise ManifestError([f"{place}: {shown(text)!r} names no model: say '{name}:NAME' or '{name}:NAME@URL'"])
        if not at and re.search(_HOST, model):
            raise ManifestError(
                [f"{place}: {shown(text)!r}: a URL begins with http:// or https://, as in '{name}:NAME@http://HOST/v1'"]
            )
        return cls(name, model, rest or None)

    @property
    def text(self) -> str:
        """The word itself."""
        model = "" if self.model is None else f":{self.model}"
        return self.name + model + ("" if self.base_url is None else f"@{self.base_url}")

    @property
    def needs_model(self) -> bool:
        """Has another place to say which model is asked?"""
        return self.model is None and self.name not in WITHOUT_MODEL

    def of(self, model: ModelConfig) -> ModelConfig:
        """*model*, which names this word itself, with all that the word says."""
        changes = self._model_changes()
        if self.base_url is not None:
            changes["base_url"] = self.base_url
        return _changed(model, changes)

    def instead_of(self, model: ModelConfig) -> ModelConfig:
        """*model*, of which another place says that this driver answers, for children of its kind, too: another server,
        and for another model no prices of the old one.
        """
        changes = {**self._model_changes(), "base_url": self.base_url, "driver": self.text}
        if self.model is not None and self.model != model.name:
            changes |= dict.fromkeys(_PRICES)
        return _changed(model, changes)

    def key(self, model: ModelConfig) -> Hashable:
        """The same for all that may share the driver which is made for *model*."""
        model = self.of(model)
        return self.name, model.name, model.api, model.context_window, model.base_url, model.private_hosts

    def contradictions(self, model: Any) -> Iterator[tuple[str, str]]:
        """What *model*, a raw ``[model]``, says otherwise: the key, and what is wrong."""
        for key in ("remote_model", "model_repo", "model_path"):
            said = _get(model, key)
            if self.model is not None and said not in (None, self.model):
                yield key, f"model.driver names the model {shown(self.model)!r} already: name it in one place"
        if self.base_url is not None and _get(model, "base_url") not in (None, self.base_url):
            yield "base_url", f"model.driver names the server {shown(self.base_url)!r} already: name it in one place"

    def _model_changes(self) -> dict[str, Any]:
        if self.model is None:
            return {}
        return {"remote_model": self.model, "model_repo": None, "model_path": None}


def no_such(name: str) -> str:
    """What is said of a driver that is not built in."""
    known = ", ".join(BUILT_IN)
    return (
        f"no built-in driver {shown(name)!r}{did_you_mean(name, BUILT_IN)} (known: {known}); "
        "name your own as 'package.module:factory'"
    )


def contradictions(model: Any) -> Iterator[tuple[str, str]]:
    """What a raw ``[model]`` says twice, and not alike; of a word that is none nothing is said here."""
    driver = _get(model, "driver")
    try:
        word = DriverWord.parse(driver, "") if isinstance(driver, str) else None
    except ManifestError:
        return
    if word is not None:
        yield from word.contradictions(model)


def _split(rest: str) -> tuple[str, str, str]:
    found = re.search(_URL, rest)
    return (rest, "", "") if found is None else (rest[: found.start()], "@", rest[found.end() :])


def _changed(model: ModelConfig, changes: dict[str, Any]) -> ModelConfig:
    changes = {key: value for key, value in changes.items() if getattr(model, key) != value}
    return model.model_copy(update=changes) if changes else model


def _get(table: Any, key: str) -> Any:
    return table.get(key) if isinstance(table, dict) else getattr(table, key, None)
