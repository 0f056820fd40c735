"""What a function takes, as a JSON Schema for the model and a check of what the model sends."""

from __future__ import annotations

import functools
import inspect
import reprlib
import sys
import typing
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from ..agent.bounds import object_in
from .deps import Deps, dependencies_of
from .mending import Mending

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic_core import ErrorDetails

EFFECT_KEY = "effect_key"
INJECTED = frozenset({"cancel", "agent", EFFECT_KEY})
"""Parameters that the caller of a tool fills in; the model does not see them."""

if sys.version_info >= (3, 14):  # annotations are evaluated when asked for: one may name what only type checkers know
    import annotationlib

    _signature = functools.partial(inspect.signature, annotation_format=annotationlib.Format.FORWARDREF)
else:
    _signature = inspect.signature

_NO_SCHEMA = (PydanticUserError, PydanticUndefinedAnnotation)

WRAPPERS = frozenset({"arguments", "args", "input", "kwargs", "parameters", "params"})
"""Names under which models put all arguments of a call, unless a parameter is called so."""
MAX_PROBLEMS = 10
"""So many problems are told; of more, their number."""
_ROUNDS = 4  # of mending: a list as text of objects as text, encoded twice
_SHOWN_VALUE = 80  # characters of a wrong value in a problem
_SHOWN = 300  # characters of anything else in it


class BadArguments(ValueError):
    """The arguments of a call do not fit; ``problems`` names each of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class _Schema(GenerateJsonSchema):
    """Without what tells a model nothing: a title for each field."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False

    def emit_warning(self, kind: Any, detail: str) -> None:
        """Say nothing: a default that JSON cannot hold is left out, and is the function's own affair."""


class Arguments:
    """The parameters of *function* that a model fills in.

    Args:
        function: What will be called.
        descriptions: What the docstring says, by parameter.
        namespace: Names that annotations may use beside the function's globals.
    Raises:
        TypeError: A parameter that a model cannot name, or a type that JSON cannot hold.
    """

    def __init__(
        self, function: Callable[..., Any], *, descriptions: Mapping[str, str], namespace: Mapping[str, Any]
    ) -> None:
        parameters = _signature(function).parameters
        for parameter in parameters.values():
            _refuse_unnameable(parameter)
        self.injected = tuple(name for name in parameters if name in INJECTED)
        if EFFECT_KEY in parameters:
            _refuse_other_key(_resolved(function, parameters[EFFECT_KEY], namespace))
        types = {
            name: _resolved(function, parameter, namespace)
            for name, parameter in parameters.items()
            if name not in INJECTED
        }
        self.deps = dependencies_of(parameters, types)
        shown = [parameter for name, parameter in parameters.items() if name in types and name not in self.deps]
        # Fields are numbered, names are aliases: a field may not be called _x, json or model_config.
        self._names = {f"field_{number}": parameter.name for number, parameter in enumerate(shown)}
        # What the function has a plain default for is passed only when it was given.
        self._always = frozenset(
            parameter.name
            for parameter in shown
            if parameter.default is parameter.empty or isinstance(parameter.default, FieldInfo)
        )
        fields = {
            key: _field(parameter, types[parameter.name], descriptions.get(parameter.name))
            for key, parameter in zip(self._names, shown, strict=True)
        }
        self._model, self.json_schema = _shape(fields, self._names)

    def bind(self, given: Any) -> dict[str, Any]:
        """Check and convert what the model sent.

        What does not fit is looked at once more, as models often write it: a list, an object or a number as JSON text,
        null for a parameter that has a default, all of it in an object under one name (``{"arguments": {...}}``). A
        parameter that takes the text, or null, gets that.

        Raises:
            BadArguments: With the first problems, by argument name.
        """
        values = object_in(given)
        if values is None:
            raise BadArguments([f"expected an object with arguments by name, got {type(given).__name__}"])
        try:
            return self._bound(values)
        except BadArguments:
            inner = self._unwrapped(values)
            if inner is None:
                raise
            try:
                return self._bound(inner)
            except BadArguments:
                pass  # then it was none: what is wrong with the whole is told
            raise

    def _unwrapped(self, values: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The arguments inside the one that is not a parameter, if that can be."""
        if len(values) != 1:
            return None
        ((name, inner),) = values.items()
        if name not in WRAPPERS or name in self._names.values():
            return None
        return object_in(inner)

    def _bound(self, given: Mapping[str, Any]) -> dict[str, Any]:
        try:
            model = self._validated(dict(given))
        except ValidationError as error:
            raise BadArguments(_problems(error)) from error
        except RecursionError as error:
            raise BadArguments(["the arguments are nested too deep"]) from error
        return {
            name: getattr(model, key)
            for key, name in self._names.items()
            if name in self._always or key in model.model_fields_set
        }

    def _validated(self, values: dict[str, Any]) -> BaseModel:
        """*values* as the model, mended where they do not fit and can be."""
        try:
            return self._model.model_validate(values)
        except ValidationError as error:
            problems = error
        mending = Mending(values)
        for _ in range(_ROUNDS):
            if not mending.mend(problems.errors(include_url=False, include_context=False)):
                break
            try:
                return self._model.model_validate(mending.values)
            except ValidationError as error:
                problems = error
        raise problems

    def summary(self) -> str:
        """The arguments in one line, for a model that got them wrong."""
        required = set(self.json_schema.get("required", ()))
        names = [name if name in required else f"{name} (optional)" for name in self.json_schema["properties"]]
        return ", ".join(names) or "none"


def _refuse_unnameable(parameter: inspect.Parameter) -> None:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise TypeError(f"'{parameter}' has no schema: name each parameter")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise TypeError(f"'{parameter.name}' is positional-only, but a model gives arguments by name")
    if parameter.name in ("self", "cls") and parameter.annotation is parameter.empty:
        raise TypeError(f"'{parameter.name}' is not bound: make the tool of an object, tool(obj.method)")


def _refuse_other_key(annotation: Any) -> None:
    """Who has a parameter of that name for something else is told, before the model misses it."""
    if annotation not in (Any, str):
        raise TypeError(
            f"'{EFFECT_KEY}' is filled in with the key of the call, which is text: write {EFFECT_KEY}: str, or give "
            "the parameter another name"
        )


def _field(parameter: inspect.Parameter, annotation: Any, description: str | None) -> Any:
    """The field that pydantic makes a parameter of: its type with its alias, and its default."""
    if parameter.default is None:
        annotation = typing.Optional[annotation]  # noqa: UP045 - it may be anything, also what has no |
    field = Field(alias=parameter.name, description=_own_description(annotation) or description)
    default = ... if parameter.default is parameter.empty else parameter.default
    return Annotated[annotation, field], default


def _own_description(annotation: Any) -> str | None:
    """What ``Annotated[..., Field(description=...)]`` says; it wins over the docstring."""
    for extra in reversed(getattr(annotation, "__metadata__", ())):
        if isinstance(extra, FieldInfo) and extra.description:
            return extra.description
    return None


def _resolved(function: Callable[..., Any], parameter: inspect.Parameter, namespace: Mapping[str, Any]) -> Any:
    """The parameter's type. Each alone: that of an injected one may be known to type checkers only."""
    if parameter.annotation is parameter.empty:
        return Any
    holder = type("Holder", (), {})()
    holder.__annotations__ = {"it": parameter.annotation}
    known = {**getattr(inspect.unwrap(function), "__globals__", {}), **namespace}
    try:
        return typing.get_type_hints(holder, known, include_extras=True)["it"]
    except (NameError, AttributeError) as error:
        if _is_deps(parameter.annotation, known):
            return Deps
        raise TypeError(f"the type of '{parameter.name}' is not known here: {error}") from error


def _is_deps(annotation: Any, known: Mapping[str, Any]) -> bool:
    """Is it a ``Deps[...]`` of a type that only type checkers know? Then it takes whatever there is."""
    text = getattr(annotation, "__forward_arg__", annotation)
    if not isinstance(text, str) or "[" not in text:
        return False
    first, *rest = text.partition("[")[0].strip().split(".")
    found = known.get(first)
    for name in rest:
        found = getattr(found, name, None)
    return found is Deps


def _shape(fields: Mapping[str, Any], names: Mapping[str, str]) -> tuple[type[BaseModel], dict[str, Any]]:
    """The model that checks *fields*, and its schema."""
    try:
        return _model_and_schema(fields)
    except _NO_SCHEMA as error:
        # One by one, since pydantic does not always say which one it is.
        bad = [names[key] for key, field in fields.items() if not _has_schema(key, field)]
        raise TypeError(f"the type of {bad} has no JSON Schema: {error}") from error


def _model_and_schema(fields: Mapping[str, Any]) -> tuple[type[BaseModel], dict[str, Any]]:
    model = create_model("Arguments", __config__=ConfigDict(extra="forbid"), **fields)
    schema = model.model_json_schema(schema_generator=_Schema)
    schema.pop("title", None)
    return model, schema


def _has_schema(key: str, field: Any) -> bool:
    try:
        _model_and_schema({key: field})
    except _NO_SCHEMA:
        return False
    return True


def _problems(error: ValidationError) -> list[str]:
    details = error.errors(include_url=False, include_context=False)
    problems = [_problem(detail) for detail in details[:MAX_PROBLEMS]]
    if len(details) > MAX_PROBLEMS:
        problems.append(f"and {len(details) - MAX_PROBLEMS:,} more")
    return problems


def _problem(detail: ErrorDetails) -> str:
    """One line: which argument, what is wrong, what was given. All of it is short: it repeats what a model sent."""
    place = ""
    for step in detail["loc"]:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else str(step)
    place = _short(place, _SHOWN)
    if detail["type"] == "missing":
        return f"{place}: missing"
    if detail["type"] == "extra_forbidden":
        return f"{place}: unknown argument"
    try:
        shown = reprlib.repr(detail["input"])  # not all of it: it may be nested too deep for that
    except ValueError:  # a number of too many digits
        shown = type(detail["input"]).__name__
    return f"{place}: {_short(detail['msg'], _SHOWN)} (got {_short(shown, _SHOWN_VALUE)})"


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + "…"
