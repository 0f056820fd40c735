"""What a model is told before all else: a text that may be filled in, or what a function says."""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from string import Template
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

from ...core.records.json_plain import is_plain
from ..terms.message_text import as_text, told
from ..terms.prompt_function import PromptFunction, call_prompt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..terms.manifest import AgentManifest
    from .bookkeeper import Bookkeeper

DEPS = "deps."
SHOWABLE: Final = (
    str, int, float, Decimal, datetime.date, datetime.time, datetime.timedelta, UUID, PurePath, Enum
)  # fmt: skip
"""What stands in a prompt as its ``str``; lists and dicts of plain data do as JSON. Nothing else can."""
_MISSING: Final = object()


class _PromptText(Template):
    """A system prompt: ``$query``, ``$name``, ``${deps.name}``, ``${deps.customer.name}``."""

    idpattern = r"(?a:[a-z][a-z0-9_]*)"
    braceidpattern = r"(?a:[_a-z][_a-z0-9]*(?:\.[_a-z][_a-z0-9]*)*)"


class HasInstructions(Protocol):
    """An agent, as far as its system prompt goes."""

    @property
    def manifest(self) -> AgentManifest:
        """What says it, unless the agent does."""

    def instructions(self) -> str:
        """The system prompt."""


def instructed(agent: HasInstructions, books: Bookkeeper | None) -> str:
    """The system prompt of *agent*: that of its earlier life, where it is not simply that of the manifest.

    Raises:
        Exception: What its function, or its own method, raises.
        TypeError: That is no text.
    """
    if books is None:
        return _instructions(agent)
    return books.instructions(lambda: _instructions(agent), agent.manifest.model.system_prompt)


def _instructions(agent: HasInstructions) -> str:
    text = agent.instructions()
    if not isinstance(text, str):
        raise TypeError(f"{type(agent).__name__}.instructions() has to return text, not {type(text).__name__}")
    return text


def prompt_of(manifest: AgentManifest, *, query: str, deps: object, agent: object) -> str:
    """The system prompt that *manifest* says.

    A text is filled in: ``$query`` and ``${query}`` with the query, ``${deps.name}`` with that attribute, or that key,
    of *deps*, ``$name`` as well where there is such a one. What is filled in is never looked at again, and is told as
    what others wrote. Any other ``$`` stays as it is; of a text in which nothing is filled in, all of it.

    Raises:
        ValueError: ``${deps.name}`` is not there, begins with ``_``, or is nothing that can be shown.
        Exception: What an attribute or a function raises.
    """
    said = manifest.model.system_prompt
    if isinstance(said, PromptFunction):
        return call_prompt(said.load(manifest.folder), query=query, deps=deps, agent=agent)
    if "$" not in said or not manifest.model.prompt_template:
        return said
    values = _Values(query, deps)
    text = _PromptText(said).safe_substitute(values)
    return text if values.used else said


class _Values(Mapping[str, str]):
    """What the names in a prompt mean; ``used`` says whether any did."""

    def __init__(self, query: str, deps: object) -> None:
        self._query = query
        self._deps = deps
        self.used = False

    def __getitem__(self, name: str) -> str:
        text = told(self._query) if name == "query" else self._text_of(name)
        self.used = True
        return text

    def _text_of(self, name: str) -> str:
        if not name.startswith(DEPS):
            text = None if "." in name or name[0] == "_" else _shown(_member(self._deps, name))
            if text is None:
                raise KeyError(name)  # it is none of ours: it stays
            return text
        _refuse_private(name)
        value = self._deps
        for part in name.removeprefix(DEPS).split("."):
            value = _member(value, part)
            if value is _MISSING:
                raise ValueError(_not_there(name, part, self._deps))
        text = _shown(value)
        if text is None:
            raise ValueError(f"the system prompt names ${{{name}}}, which is of type {type(value).__name__}: {_CAN}")
        return text

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


_CAN = "text, numbers, dates and plain lists and dicts can stand in it"


def _member(holder: object, name: str) -> object:
    if holder is None:
        return _MISSING
    if isinstance(holder, Mapping):
        return holder.get(name, _MISSING)
    return getattr(holder, name, _MISSING)


def _shown(value: object) -> str | None:
    """*value* as it stands in a prompt; None: it cannot."""
    if value is _MISSING or value is None:
        return None
    if isinstance(value, SHOWABLE):
        return told(str(value))
    value = list(value) if isinstance(value, tuple) else value
    return told(as_text(value)) if isinstance(value, list | dict) and is_plain(value) else None


def _refuse_private(name: str) -> None:
    if any(part.startswith("_") for part in name.split(".")):
        raise ValueError(f"the system prompt names ${{{name}}}: what begins with _ is not read")


def _not_there(name: str, part: str, deps: object) -> str:
    has = "there are no deps" if deps is None else f"the deps, of type {type(deps).__name__}, have no {part!r}"
    return f"the system prompt names ${{{name}}}, but {has}"


# Before the agent is admitted -----------------------------------------------------------------------------------


def refuse_prompt(manifest: AgentManifest, deps: object) -> None:
    """Refuse a prompt that names what *deps* have not, as far as that is seen without running code of theirs.

    Raises:
        ValueError: It does.
    """
    said = manifest.model.system_prompt
    if isinstance(said, PromptFunction) or f"${{{DEPS}" not in said or not manifest.model.prompt_template:
        return
    for found in _PromptText.pattern.finditer(said):
        name = found["braced"] or ""
        if name.startswith(DEPS):
            _refuse_private(name)
            first = name.split(".")[1]
            if not _may_have(deps, first):
                raise ValueError(_not_there(name, first, deps))


def _may_have(deps: object, name: str) -> bool:
    if isinstance(deps, dict):
        return name in deps
    if deps is None or isinstance(deps, Mapping):
        return deps is not None
    kind = type(deps)
    if hasattr(kind, "__getattr__") or kind.__getattribute__ is not object.__getattribute__:
        return True  # it makes them as it is asked
    return inspect.getattr_static(deps, name, _MISSING) is not _MISSING
