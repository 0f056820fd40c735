"""What a tool says of a call of which nobody knows whether it was done."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from ..agent.terms.effect import Effect
from ..agent.tool_result import result_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..agent.ports import ToolResult
    from .arguments import Arguments

    Asked = Callable[[str, dict[str, Any]], object]
    """A user's: whether the call with this key and these arguments was done."""

HOW = "reconcile(effect_key, input) returns what the call answered, or None when it was not done"


class Reconcile:
    """A user's function that looks whether a call was done, as the port has it.

    Threads: any; it never changes.
    """

    def __init__(self, function: Asked, effect: Effect, arguments: Arguments) -> None:
        """
        Raises:
            TypeError: It cannot be called, cannot be called so, or is async.
            ValueError: The tool is idempotent.
        """
        if not callable(function):
            raise TypeError(f"reconcile is a function, not {function!r}: {HOW}")
        if is_async(function):
            raise TypeError("reconcile is a plain function, no async one: call asyncio.run in it where it has to await")
        _refuse_other_parameters(function)
        if effect is Effect.IDEMPOTENT:
            raise ValueError("reconcile is of no use with effect='idempotent': such a call is simply made again")
        self._function = function
        self._arguments = arguments

    def __call__(self, effect_key: str, input: Mapping[str, Any]) -> ToolResult | None:  # noqa: A002 - the port's name
        """Was the call done?

        Returns:
            Its result; None when it was not done.
        Raises:
            Exception: What the function raises: nobody knows.
            TypeError: It answers something that does not say it.
            ValueError: The tool does not take that *input*.
        """
        value = self._function(effect_key, self._arguments.bind(input))
        if inspect.iscoroutine(value):
            value.close()
            raise TypeError("reconcile answered with a coroutine: it has to be a plain function")
        if value is False:  # of one that answers whether it was done: as a result it would say that it was
            raise TypeError(f"reconcile answered with False: {HOW}")
        return None if value is None else result_of(value)


def is_async(function: Any) -> bool:
    """Does a call of it give something to be awaited?"""
    while isinstance(function, functools.partial):
        function = function.func
    source = function if inspect.isroutine(function) else type(function).__call__
    return inspect.iscoroutinefunction(source) or inspect.isasyncgenfunction(source)


def _refuse_other_parameters(function: Asked) -> None:
    try:
        signature = inspect.signature(function)
    except ValueError:  # one written in C, which does not tell
        return
    try:
        signature.bind("", {})
    except TypeError as error:
        raise TypeError(f"reconcile cannot be called with a key and the arguments ({error}): {HOW}") from error
