"""Exceptions of any make: what agents may raise."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from typing import Any, Generic, TypeVar

import httpx2
import pydantic

T = TypeVar("T")


class Refusing(Exception):
    """Has a field, and an ``__init__`` that needs keywords."""

    def __init__(self, *, response: Any, request: Any) -> None:
        super().__init__("refused")
        self.response = response
        self.request = request


class Made(Exception):
    """Its ``__new__`` needs a keyword, too."""

    code: int

    def __new__(cls, *, code: int) -> Made:
        made = super().__new__(cls)
        made.code = code
        return made

    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    """Its attributes cannot be set."""

    code: int

    def __str__(self) -> str:
        return f"frozen {self.code}"


class Slotted(KeyError):
    """Has slots, one of which is never set."""

    __slots__ = ("code", "never")

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Obstinate(Exception):
    """Nothing that Python does with exceptions works on it."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError

    def __setattr__(self, name: str, value: Any) -> None:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise RuntimeError

    def __copy__(self) -> Any:
        raise RuntimeError

    def __deepcopy__(self, memo: Any) -> Any:
        raise RuntimeError

    def __getstate__(self) -> Any:
        raise RuntimeError


class Namesake(Exception):
    """Has names that a crash has, too."""

    type_name = property(lambda _: "theirs")
    text = property(lambda _: "theirs")
    traceback = property(lambda _: "theirs")
    _traceback = property(lambda _: "theirs")
    args = property(lambda _: ("theirs",))  # type: ignore[assignment]
    __dict__ = property(lambda _: {})  # type: ignore[assignment]


class Unit(Exception, Generic[T]):
    """A generic one."""


class BothKinds(OSError, ValueError):
    """Of two of Python's own."""


class Final(Exception):
    """Takes no subclasses."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        raise TypeError("final")


class Exiting(Exception):
    """Neither does this."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        raise SystemExit


class Unhashable(type):
    """Its classes cannot be looked up."""

    def __hash__(cls) -> int:
        raise SystemExit


class NoKey(Exception, metaclass=Unhashable):
    """One of those."""


class Strange(type):
    """Makes something else of a subclass."""

    def __new__(cls, name: str, bases: Any, namespace: Any) -> Any:
        return super().__new__(cls, name, bases if name == "Changeling" else (Exception,), {})


class Changeling(Exception, metaclass=Strange):
    """One of those."""


def invalid() -> pydantic.ValidationError:
    """One of a class that is written in another language."""
    try:
        pydantic.TypeAdapter(int).validate_python("x")
    except pydantic.ValidationError as error:
        return error
    raise AssertionError


def missing() -> AttributeError:
    """One that knows the object whose attribute it was."""
    try:
        return object().nothing  # type: ignore[attr-defined, no-any-return]
    except AttributeError as error:
        return error


REQUEST = httpx2.Request("GET", "http://localhost/")

BOTH: list[Exception] = [
    KeyError("b"),
    KeyError(),
    ValueError("two\nlines"),
    MemoryError("m"),
    RecursionError("deep"),
    DeprecationWarning("old"),
    FileNotFoundError(2, "No such file", "a", None, "b"),
    BlockingIOError(11, "again", 5),
    ImportError("no", name="n", path="p"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    UnicodeEncodeError("ascii", "ä", 0, 1, "bad"),
    UnicodeTranslateError("ä", 0, 1, "bad"),
    SyntaxError("bad", ("f.py", 1, 5, "x = = 1", 1, 6)),
    IndentationError("bad"),
    missing(),
    NameError("no", name="n"),
    json.JSONDecodeError("bad", "doc", 1),
    subprocess.CalledProcessError(3, "cmd", "out", "err"),
    httpx2.HTTPStatusError("404", request=REQUEST, response=httpx2.Response(404)),
    httpx2.ConnectError("no"),
    Refusing(response=1, request=2),
    Made(code=3),
    Frozen(3),
    Slotted(3),
    Obstinate("no"),
    Namesake("words"),
    Unit[int]("u"),
    BothKinds(2, "two", "f"),
    RuntimeError(ValueError("inside"), [ValueError("deeper")]),
]
"""What is raised as a crash of both classes."""

ALONE: list[BaseException] = [
    SystemExit(3),
    KeyboardInterrupt(),
    GeneratorExit(),
    BaseException("b"),
    StopIteration(3),
    StopAsyncIteration(),
    TimeoutError("t"),
    ExceptionGroup("g", [ValueError("a"), ExceptionGroup("h", [KeyError("b")])]),
    BaseExceptionGroup("g", [KeyboardInterrupt()]),
    invalid(),
    Final("f"),
    Exiting("e"),
    NoKey("n"),
    Changeling("c"),
]
"""What is raised as a crash of one."""
