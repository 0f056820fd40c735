"""The ``@tool`` decorator."""

from __future__ import annotations

import asyncio
import collections.abc
import enum
import functools
import gc
import json
import sys
import threading
import weakref
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, field_serializer

from actors.agent.ports import Tool, ToolResult
from actors.agent.terms.capability import Memory
from actors.core.waiting.cancel import CancelToken
from actors.errors import Cancelled, ToolFailed
from actors.tools.tool import DEFAULT_TIMEOUT, FunctionTool, tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from nowhere import Unknown  # type: ignore[import-not-found]


def _call(made: FunctionTool[..., Any], agent: Any = None, **arguments: Any) -> ToolResult:
    return made.execute(arguments, cancel=CancelToken(), agent=agent)


@tool
def add(a: int, b: int = 2) -> int:
    """Add two
    numbers.

    More than the model needs to know.

    Args:
        a: The first.
        b: The second.
    """
    return a + b


class Color(enum.StrEnum):
    """A color."""

    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    """A point."""

    x: int
    y: int = 0


# What the model is told ---------------------------------------------------------------------------------------


def test_definition() -> None:
    """Name, description and schema come from the function, its docstring and its types."""
    assert add.definition.name == add.name == "add"
    assert add.definition.description == "Add two numbers."
    assert add.definition.input_schema == {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "description": "The first."},
            "b": {"type": "integer", "description": "The second.", "default": 2},
        },
        "required": ["a"],
        "additionalProperties": False,
    }
    json.dumps(add.definition.input_schema)


def test_defaults_of_the_decorator() -> None:
    """Without arguments: no capability, two minutes."""
    assert isinstance(add, Tool)
    assert add.required_capability is None
    assert add.timeout == DEFAULT_TIMEOUT == 120.0


def test_arguments_of_the_decorator() -> None:
    """Capability, timeout and name are those given."""

    @tool(capability=Memory(), timeout=None, name="other-name")
    def function() -> str:
        return "x"

    assert function.required_capability == Memory()
    assert function.timeout is None
    assert function.name == function.definition.name == "other-name"
    assert repr(function) == "<tool other-name>"
    assert function.definition.input_schema["properties"] == {}


def test_the_object_stays_callable() -> None:
    """Called as a function, it is the function."""
    assert add(1, b=4) == 5
    assert (add.__name__, add.__wrapped__(1)) == ("add", 3)  # type: ignore[attr-defined]


def test_injected_parameters_are_not_in_the_schema() -> None:
    """``cancel`` and ``agent`` are filled in, whatever their types are, and the model cannot set them."""

    @tool
    def function(x: int, cancel: Unknown, agent: Unknown) -> list[Any]:
        return [x, cancel, agent]

    assert list(function.definition.input_schema["properties"]) == ["x"]
    token, agent = CancelToken(), object()
    seen: list[Any] = []
    spy = tool(lambda cancel, agent: seen.extend([cancel, agent]), name="spy")
    spy.execute({}, cancel=token, agent=agent)
    assert seen == [token, agent]
    refused = function.execute({"x": 1, "cancel": 1}, cancel=token, agent=agent)
    assert refused.is_error
    assert "- cancel: unknown argument" in refused.content


def test_types_in_the_schema() -> None:
    """Enums, literals, models, lists, optional and annotated types are written as JSON Schema."""

    @tool
    def function(
        color: Color,
        mode: Literal["r", "w"],
        point: Point,
        items: list[int],
        maybe: str | None = None,
        bounded: Annotated[int, Field(ge=0, description="From the annotation.")] = 1,
    ) -> str:
        """Do.

        Args:
            maybe: From the docstring.
            bounded: Not this one.
        """
        return "x"

    schema = function.definition.input_schema
    assert schema["required"] == ["color", "mode", "point", "items"]
    properties = schema["properties"]
    assert properties["mode"] == {"enum": ["r", "w"], "type": "string"}
    assert properties["items"] == {"type": "array", "items": {"type": "integer"}}
    assert properties["maybe"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert properties["maybe"]["description"] == "From the docstring."
    assert properties["bounded"]["description"] == "From the annotation."
    assert properties["bounded"]["minimum"] == 0
    assert schema["$defs"]["Color"]["enum"] == ["red", "blue"]
    assert schema["$defs"]["Point"]["required"] == ["x"]


def test_types_of_the_enclosing_function() -> None:
    """An annotation may name what is defined beside the tool, inside a function."""

    class Local(enum.Enum):
        ONE = 1

    @tool
    def plain(x: Local) -> str:
        return x.name

    @tool(name="other")
    def named(x: list[Local]) -> str:
        return x[0].name

    assert _call(plain, x=1).content == "ONE"
    assert _call(named, x=[1]).content == "ONE"


@pytest.mark.parametrize("name", ["_x", "json", "schema", "model_config", "self_", "field_0", "class_", "copy"])
def test_any_parameter_name(name: str) -> None:
    """A parameter may have any name, also one that means something to pydantic."""
    scope: dict[str, Any] = {}
    exec(f"def function(first: int, {name}: int = 3): return [first, {name}]", scope)  # noqa: S102
    made = tool(scope["function"])
    assert list(made.definition.input_schema["properties"]) == ["first", name]
    assert _call(made, first=1, **{name: 5}).content == "[1,5]"
    assert f"- {name}: " in _call(made, first=1, **{name: "x"}).content


def test_a_parameter_without_a_type_takes_anything() -> None:
    """No annotation: no demand."""
    made = tool(lambda x: x, name="echo")
    assert made.definition.input_schema["properties"] == {"x": {}}
    assert _call(made, x=[1, "a"]).content == '[1,"a"]'


def test_defaults_are_the_functions_own() -> None:
    """A default is passed as it is, needs no JSON, and None as a default allows null."""
    marker = object()

    def function(x: Any = marker, y: int = None, z: Annotated[list[int], Field()] = []) -> Any:  # type: ignore[assignment]  # noqa: B006, RUF013
        return [x is marker, y, z is function.__defaults__[2]]  # type: ignore[index]

    made = tool(function)
    assert _call(made).content == "[true,null,true]"
    assert _call(made, y=None).content == "[true,null,true]"
    assert "default" not in made.definition.input_schema["properties"]["x"]


def test_defaults_of_pydantic_fields() -> None:
    """``Field(...)`` as a default or in an annotation gives the default and the bounds."""

    @tool
    def function(x: int = Field(3, ge=1), y: Annotated[int, Field(default=4)] = 0, z: int = Field(ge=0)) -> Any:  # type: ignore[misc]
        return [x, y, z]

    assert _call(function, z=1).content == "[3,0,1]"
    assert "- x: " in _call(function, x=0, z=1).content
    assert function.definition.input_schema["required"] == ["z"]


# What cannot be a tool ----------------------------------------------------------------------------------------


def _star(*args: int) -> None: ...


def _double_star(x: int, **options: int) -> None: ...


def _positional(x: int, /) -> None: ...


def _unbound(self, x: int) -> None: ...  # type: ignore[no-untyped-def]


def _lock(x: threading.Lock) -> None: ...


def _function(ok: int, x: Any) -> None: ...


_function.__annotations__["x"] = collections.abc.Callable


def _unknown(x: Unknown) -> None: ...


async def _generator(x: int) -> AsyncIterator[int]:
    yield x


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (_star, r"_star: '\*args"),
        (_double_star, r"_double_star: '\*\*options"),
        (_positional, "_positional: 'x' is positional-only"),
        (_unbound, r"'self' is not bound: .*tool\(obj.method\)"),
        (_lock, r"_lock: the type of \['x'\] has no JSON Schema"),
        (_function, r"_function: the type of \['x'\] has no JSON Schema"),
        (_unknown, "_unknown: the type of 'x' is not known here: .*Unknown"),
        (_generator, "_generator: an async generator"),
        (Point, "a tool is made of a function"),
        ("text", "a tool is made of a function"),
    ],
)
def test_refused_at_decoration(function: Any, text: str) -> None:
    """What a model could not call is a TypeError that names the tool, the parameter and the reason."""
    with pytest.raises(TypeError, match=text):
        tool(function)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="before 3.14 such a function cannot be defined")
def test_unquoted_annotations_for_type_checkers_only() -> None:
    """Where annotations are evaluated late, an unknown one matters only where the model has to know it."""
    source = "def good(x: int, cancel: Nowhere) -> Nowhere: ...\ndef bad(x: list[Nowhere]) -> None: ..."
    functions: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, "source", "exec", dont_inherit=True), functions)  # noqa: S102 - this module has the future
    assert list(tool(functions["good"]).definition.input_schema["properties"]) == ["x"]
    with pytest.raises(TypeError, match=r"bad: the type of 'x' is not known here: .*Nowhere"):
        tool(functions["bad"])


def test_nothing_of_its_caller_is_kept() -> None:
    """What a function had that made a tool goes with it, and does not wait for the garbage collection."""

    class Thing:
        """Dies with the last that holds it."""

    def caller() -> weakref.ref[Thing]:
        thing = Thing()
        tool(lambda x: x, name="own")
        return weakref.ref(thing)

    gc.disable()
    try:
        assert caller()() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("name", ["", "a b", "größe", "x" * 65, "<lambda>", "a.b", "a\n"])
def test_impossible_names(name: str) -> None:
    """A name that providers refuse is refused at once."""
    with pytest.raises(ValueError, match="name"):
        tool(lambda: "x", name=name)


def test_a_lambda_needs_a_name() -> None:
    """A function without a usable name asks for one."""
    with pytest.raises(ValueError, match="set name"):
        tool(lambda: "x")


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
def test_impossible_timeouts(timeout: float) -> None:
    """A timeout is above 0."""
    with pytest.raises(ValueError, match="timeout"):
        tool(timeout=timeout)(add.__wrapped__)  # type: ignore[attr-defined]


# Calls ----------------------------------------------------------------------------------------------------------


def test_a_call_converts_its_arguments() -> None:
    """The function gets its own types, not what JSON knows."""

    @tool
    def function(color: Color, point: Point, day: date, where: Path, pair: tuple[int, str]) -> str:
        assert isinstance(color, Color)
        assert isinstance(point, Point)
        assert isinstance(day, date)
        assert isinstance(where, Path)
        return f"{color.name} {point.x} {day.year} {where.name} {pair!r}"

    result = _call(function, color="red", point={"x": 1}, day="2024-05-06", where="/a/b", pair=[1, "z"])
    assert result == ToolResult("RED 1 2024 b (1, 'z')")


def test_bad_arguments_name_every_problem() -> None:
    """Missing, wrong and unknown arguments come back in one error, each by its name; nothing is called."""
    calls = []

    @tool
    def function(a: int, b: str, point: Point, items: list[int], c: int = 0) -> None:
        calls.append(a)

    result = _call(function, b=5, point={"x": "no"}, items=[1, "two"], d=1)
    assert result.is_error
    lines = result.content.splitlines()
    assert lines[0] == "invalid arguments for function:"
    assert lines[1] == "- a: missing"
    assert lines[2].startswith("- b: Input should be a valid string (got 5)")
    assert lines[3].startswith("- point.x: Input should be a valid integer")
    assert lines[4].startswith("- items[1]: Input should be a valid integer")
    assert lines[5] == "- d: unknown argument"
    assert lines[6] == "expected: a, b, point, items, c (optional)"
    assert calls == []


def test_a_long_wrong_value_is_cut() -> None:
    """A problem shows the beginning of a wrong value, not all of it."""
    result = _call(add, a="x" * 100_000)
    assert result.is_error
    assert len(result.content) < 400


@pytest.mark.parametrize("given", [None, "a=1", [1, 2], 5])
def test_arguments_that_are_no_object(given: Any) -> None:
    """Arguments that are no object are an error that says so."""
    result = add.execute(given, cancel=CancelToken(), agent=None)
    assert result.is_error
    assert type(given).__name__ in result.content
    assert "expected: a, b (optional)" in result.content


def test_no_arguments_are_expected_of_a_function_without_parameters() -> None:
    """The error says that there is nothing to give."""
    result = _call(tool(lambda: "x", name="nothing"), a=1)
    assert result.content.endswith("expected: none")


def test_names_that_are_no_text() -> None:
    """A key that is no text is an error, not a crash."""
    assert add.execute({1: 2, "a": 1}, cancel=CancelToken(), agent=None).is_error  # type: ignore[dict-item]


@pytest.mark.parametrize("error", [ToolFailed("no"), ValueError("no"), SystemExit(3), Cancelled("stop")])
def test_what_the_function_raises_is_raised(error: BaseException) -> None:
    """Only bad arguments become a result here; whatever the function raises reaches the loop as it is."""

    @tool
    def function() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        _call(function)
    assert caught.value is error


def test_validation_inside_the_function_is_not_the_models_fault() -> None:
    """A validation error of the function's own is no argument error."""

    @tool
    def function() -> None:
        Point.model_validate({})

    with pytest.raises(ValueError, match="x"):
        _call(function)


# Results --------------------------------------------------------------------------------------------------------


@dataclass
class _Record:
    name: str
    tags: set[str]


class _Broken(BaseModel):
    value: int = 1

    @field_serializer("value")
    def written(self, value: int) -> int:
        raise RuntimeError("broken")


_CIRCLE: list[Any] = [1]
_CIRCLE.append(_CIRCLE)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it\nis", "as it\nis"),
        ("", ""),
        (Color.RED, "red"),
        (3, "3"),
        (None, "null"),
        (True, "true"),
        ({"a": [1, 2.5]}, '{"a":[1,2.5]}'),
        ("ü", "ü"),
        (["ü"], '["ü"]'),
        (Point(x=1), '{"x":1,"y":0}'),
        (_Record("n", {"t"}), '{"name":"n","tags":["t"]}'),
        (date(2024, 5, 6), '"2024-05-06"'),
        (b"text", '"text"'),
        (float("inf"), '"Infinity"'),
        (b"\xff", "b'\\xff'"),
        (["\ud800"], "['\\ud800']"),
        (_CIRCLE, "[1, [...]]"),
        (_Broken(), "_Broken(value=1)"),
        ([int], "[\"<class 'int'>\"]"),
    ],
)
def test_results(value: Any, text: str) -> None:
    """Text is itself, the rest is JSON, and what JSON cannot hold is its repr."""
    result = _call(tool(lambda: value, name="give"))
    assert not result.is_error
    assert result.content == text
    assert type(result.content) is str


def test_a_tool_result_is_itself() -> None:
    """A ToolResult passes as it is."""
    given = ToolResult("no", is_error=True)
    assert _call(tool(lambda: given, name="give")) is given


def test_a_generator_gives_a_list() -> None:
    """What a generator yields is the result; what it raises is raised."""

    @tool
    def count(n: int) -> Iterator[int]:
        yield from range(n)
        if n > 2:
            raise ToolFailed("too far")

    assert _call(count, n=2).content == "[0,1]"
    with pytest.raises(ToolFailed, match="too far"):
        _call(count, n=3)


# Other things that can be called ---------------------------------------------------------------------------------


class _Counter:
    def __init__(self) -> None:
        self.total = 0

    def add(self, n: int) -> int:
        """Add to the total.

        Args:
            n: How much.
        """
        self.total += n
        return self.total

    @staticmethod
    def double(n: int) -> int:
        """Double it."""
        return 2 * n

    @classmethod
    def kind(cls) -> str:
        """Say what it is."""
        return cls.__name__

    def __call__(self, n: int) -> int:
        """Call it."""
        return n


def test_bound_methods() -> None:
    """A method of an object, of a class, and a static one are tools without ``self``."""
    counter = _Counter()
    made = tool(counter.add)
    assert list(made.definition.input_schema["properties"]) == ["n"]
    assert made.definition.description == "Add to the total."
    assert [_call(made, n=2).content, _call(made, n=3).content] == ["2", "5"]
    assert counter.total == 5
    assert _call(tool(_Counter.double), n=4).content == "8"
    assert _call(tool(counter.kind, capability=Memory())).content == "_Counter"


def test_objects_and_partials() -> None:
    """A callable object and a partial are tools, too."""
    made = tool(_Counter(), name="counter")
    assert (made.definition.description, _call(made, n=7).content) == ("Call it.", "7")
    partial = tool(functools.partial(add.__wrapped__, b=10))  # type: ignore[attr-defined]
    assert partial.name == "add"
    assert partial.definition.description == "Add two numbers."
    assert _call(partial, a=1).content == "11"


# async ----------------------------------------------------------------------------------------------------------


def test_async_functions_run_on_the_private_loop() -> None:
    """An ``async def`` is awaited, away from the calling thread, and its result is the result."""
    here = threading.get_ident()

    @tool
    async def function(x: int) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"x": x, "elsewhere": threading.get_ident() != here}

    assert json.loads(_call(function, x=1).content) == {"x": 1, "elsewhere": True}


def test_async_exceptions_are_raised() -> None:
    """What an ``async def`` raises reaches the loop as it is."""

    @tool
    async def function() -> None:
        raise ToolFailed("no")

    with pytest.raises(ToolFailed, match="no"):
        _call(function)


def test_async_functions_are_cancelled() -> None:
    """A cancel of the token ends an ``async def`` where it waits."""
    started, ended = threading.Event(), threading.Event()

    @tool
    async def function() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    token = CancelToken()

    def cancel() -> None:
        started.wait(timeout=30)
        token.cancel("enough")

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(Cancelled, match="enough"):
        function.execute({}, cancel=token, agent=None)
    canceller.join(timeout=30)
    assert ended.wait(timeout=30)


def test_called_as_a_function_an_async_tool_is_awaited_by_its_caller() -> None:
    """Outside an agent, the async function is itself."""

    @tool
    async def function() -> int:
        return 3

    async def caller() -> int:
        return await function()

    assert asyncio.run(caller()) == 3


def test_arguments_that_are_nested_too_deep() -> None:
    """An error that says so, and no more of them than is needed."""

    @tool
    def take(path: str, value: Any = None) -> str:
        """Take."""
        return path

    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    for arguments in ({"path": deep}, {"path": "x", "value": 1, "other": deep}):
        result = take.execute(arguments, cancel=CancelToken(), agent=None)
        assert result.is_error
        assert len(result.content) < 500
