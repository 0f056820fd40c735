"""A function that says what a model is told before all else, in place of a text."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import PlainValidator
from pydantic_core import PydanticKnownError

from ...errors import ManifestError
from ...public import publish
from .importing import OBJECT_PATH, load_object
from .manifest_table import ManifestTable

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

PLACE = "model.system_prompt"
GIVEN = ("query", "deps", "agent")
"""What a function of a prompt may ask for, by the names of its parameters."""
_FORM = "system_prompt is text, or a function: {function = 'package.module:name'}"


def _path_of(function: Any) -> str:
    """How the function is called in a manifest."""
    if isinstance(function, str):
        return function
    return f"{getattr(function, '__module__', '?')}:{getattr(function, '__qualname__', type(function).__name__)}"


def _as_function(function: object) -> object:
    if isinstance(function, str):
        if not re.fullmatch(OBJECT_PATH, function):
            raise ValueError("must have the form 'package.module:name'")
    elif (problem := problem_of_function(function)) is not None:
        raise ValueError(problem)
    return function


PromptMaker: TypeAlias = Annotated[Any, PlainValidator(_as_function)]
"""A function, or where one is."""


class PromptFunction(ManifestTable, frozen=True):
    """What makes the system prompt, called before the first completion of a conversation.

    Args:
        function: ``package.module:name``, from the manifest's folder, or the function itself. It is called with those
            of ``query`` (text), ``deps`` and ``agent`` that its parameters name, and returns text.
    """

    function: PromptMaker

    if TYPE_CHECKING:

        def __init__(self, /, *, function: str | Callable[..., str]) -> None: ...

    def load(self, folder: Path | None) -> Callable[..., Any]:
        """The function itself.

        Args:
            folder: Where modules are looked for first; None: where Python does.
        Raises:
            ManifestError: There is none, or it cannot be called so.
        """
        if not isinstance(self.function, str):
            given: Callable[..., Any] = self.function
            return given
        place = f"{PLACE}.function"
        found: Callable[..., Any] = load_object(self.function, beside=folder, place=place)
        if (problem := problem_of_function(found)) is not None:
            raise ManifestError([f"{place}: {self.function!r}: {problem}"])
        return found

    def __str__(self) -> str:
        return f"[what {_path_of(self.function)} says]"


def problem_of_function(function: object) -> str | None:
    """Why *function* can make no prompt; None when it can."""
    if not callable(function):
        return f"a prompt is made by a function, not by a value of type {type(function).__name__}"
    if _is_async(function):
        return "a prompt is made by a plain function, not by an async one"
    parameters = _parameters(function)
    if any(each.kind is each.POSITIONAL_ONLY and each.default is each.empty for each in parameters.values()):
        return "the parameters of a prompt's function are given by name: they cannot be positional-only"
    needed = (each.name for each in parameters.values() if each.default is each.empty and each.kind not in _VARIOUS)
    wrong = [name for name in needed if name not in GIVEN]
    if wrong:
        return f"a prompt's function takes some of {', '.join(GIVEN)}, by these names; it asks for {', '.join(wrong)}"
    return None


_VARIOUS = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    source = function if inspect.isroutine(function) else type(function).__call__
    return inspect.iscoroutinefunction(source) or inspect.isasyncgenfunction(source)


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (ValueError, TypeError):  # one written in C, which does not tell
        return {}


def call_prompt(function: Callable[..., Any], **given: Any) -> str:
    """The text that *function* makes of what it asks for of *given*.

    Raises:
        Exception: What it raises.
        TypeError: It returned something else.
    """
    parameters = _parameters(function)
    takes_all = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    text = function(**{name: value for name, value in given.items() if takes_all or name in parameters})
    if not isinstance(text, str):
        raise TypeError(f"{_path_of(function)} makes a system prompt: it has to return text, not {type(text).__name__}")
    return text


def _as_prompt(value: object) -> str | PromptFunction:
    """What a manifest says of its system prompt: text, a table with a function, or one itself."""
    if isinstance(value, str | PromptFunction):
        return value
    if isinstance(value, Mapping):
        function = value.get("function")
        if set(value) != {"function"} or not isinstance(function, str) or not re.fullmatch(OBJECT_PATH, function):
            raise ValueError(_FORM)
        return PromptFunction(function=function)
    if callable(value):
        if (problem := problem_of_function(value)) is not None:
            raise ValueError(problem)
        return PromptFunction(function=value)
    raise PydanticKnownError("string_type")


def _as_data(prompt: str | PromptFunction) -> Any:
    return prompt if isinstance(prompt, str) else {"function": _path_of(prompt.function)}


class _Prompt:
    """Read by :func:`_as_prompt`, and in JSON written by :func:`_as_data`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        anything = core_schema.any_schema()
        writing = core_schema.plain_serializer_function_ser_schema(_as_data, return_schema=anything, when_used="json")
        return core_schema.no_info_plain_validator_function(
            _as_prompt, json_schema_input_schema=anything, serialization=writing
        )


SystemPrompt: TypeAlias = Annotated[str | PromptFunction, _Prompt()]
"""A text, or what makes one."""

publish("actors.manifests", PromptFunction)
