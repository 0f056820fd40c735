"""What is taken in of an answer: plain data, finite, not too deep and not too much. Looked at before anything else is.

What a model or its server sends may be of any shape and size, and much of what works with it later (an encoder of JSON,
a copy, a comparison) recurses, or refuses numbers that are none.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..core.records.conversation import ToolCall
    from .ports import CompletionResponse

MAX_DEPTH = 100
"""How deep lists and objects may stand in each other."""
MAX_NODES = 100_000
"""How many values the arguments of a call may have, the inner ones included."""
MAX_CALLS = 128
"""How many calls one answer may ask for."""
MAX_DECODED = 1_000_000
"""Characters of JSON within a text that is read as JSON: objects take many times the room."""
LONGEST_NAME = 1_000
LONGEST_ID = 16_384
"""Some proxies keep in an id what a provider wants back, which takes some thousand characters."""
PLAIN = frozenset({str, bool, type(None)})
NUMBERS = frozenset({int, float})
LARGE = 1e300
FLAT = 64
"""So many values are looked at one by one."""
_LARGEST_BITS = 1024  # of a whole number that is as finite as a float: beyond it JSON parsers disagree


def problem_in(value: object, *, depth: int = MAX_DEPTH, nodes: int = MAX_NODES, numbers: bool = True) -> str:
    """Why *value* is not taken in; "" when it is plain data (what JSON can hold), finite and within the bounds.

    Args:
        depth: How deep lists and objects may stand in each other.
        nodes: How many values there may be.
        numbers: Are they looked at? Else any may be in it.

    Time is linear in the size of *value*, up to *nodes*; a value that holds itself is too deep, or too much.
    """
    level: list[object] = [value]
    seen = 0
    for _ in range(depth + 1):
        below: list[object] = []
        for one in level:
            if type(one) in PLAIN:
                continue
            if isinstance(one, Mapping):
                for key in one:
                    if not isinstance(key, str):
                        return f"a key is no text: it is of type {type(key).__name__}"
                below.extend(one.values())
            elif isinstance(one, list | tuple):
                below.extend(one)
            elif not (isinstance(one, int | float) and not numbers) and (problem := _problem_in_leaf(one)):
                return problem
            if seen + len(below) > nodes:
                return f"it has more than {nodes:,} values"
        seen += len(below)
        if not below:
            return ""
        level = below
    return f"it is nested more than {depth} levels deep"


def is_flat(values: Mapping[str, Any]) -> bool:
    """Is that an object of texts, truth values, None and numbers of no great size alone? Then nothing is wrong with it,
    and a shallow copy shares nothing: so most arguments are.
    """
    if type(values) is not dict or len(values) > FLAT:
        return False
    for key, value in values.items():
        kind = type(value)
        if type(key) is not str or not (kind in PLAIN or (kind in NUMBERS and -LARGE < value < LARGE)):
            return False
    return True


def _problem_in_leaf(value: object) -> str:
    if value is None or isinstance(value, str | bool):
        return ""
    if isinstance(value, int):
        digits = int(value.bit_length() * math.log10(2))
        return "" if value.bit_length() <= _LARGEST_BITS else f"a number of {digits:,} digits is too large"
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{value} is no number that JSON has"
    return f"JSON has nothing of type {type(value).__name__}"


def decoded(text: str) -> Any:
    """The value of *text*, which is JSON.

    Raises:
        ValueError: It is none, it is too long, or what it holds is not within the bounds.
    """
    if len(text) > MAX_DECODED:
        raise ValueError(f"{len(text):,} characters of JSON in a text are too many")
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep") from error
    if problem := problem_in(value):
        raise ValueError(problem)
    return value


def object_in(value: object) -> Mapping[str, Any] | None:
    """The object that *value* is, or is the JSON text of, also when it was encoded twice; None if it is none."""
    for _ in range(3):
        if isinstance(value, Mapping):
            return value
        if not isinstance(value, str):
            return None
        try:
            value = decoded(value)
        except ValueError:
            return None
    return value if isinstance(value, Mapping) else None


def within_bounds(response: CompletionResponse) -> CompletionResponse:
    """*response* with calls that everybody can work with.

    A call whose arguments are out of bounds has none, and says in ``problem`` why: it is not run, and the model is
    told. Of an answer that asks for too many calls, the first are left, and one more that says so.
    """
    calls = response.tool_calls
    if not calls:
        return response
    if len(calls) == 1 and _bounded(calls[0]) is calls[0]:
        return response
    kept = [_bounded(call) for call in calls[:MAX_CALLS]]
    if len(calls) > MAX_CALLS:
        left_out = len(calls) - MAX_CALLS
        problem = f"an answer may ask for {MAX_CALLS} calls; this one and all after it, {left_out:,}, were left out"
        kept.append(replace(_bounded(calls[MAX_CALLS]), input={}, problem=problem))
    if len(kept) == len(calls) and all(one is call for one, call in zip(kept, calls, strict=True)):
        return response
    return replace(response, tool_calls=tuple(kept))


def _bounded(call: ToolCall) -> ToolCall:
    if type(call.id) is str and type(call.name) is str and is_flat(call.input):
        return call if len(call.name) <= LONGEST_NAME and len(call.id) <= LONGEST_ID else _shortened(call)
    given: tuple[object, object] = call.id, call.name
    if not all(isinstance(one, str) for one in given):  # of a driver that somebody wrote in a hurry
        call = replace(call, id=str(call.id), name=str(call.name or ""))
    values = object_in(call.input)
    if values is None:
        kind = type(call.input).__name__
        call = replace(call, input={}, problem=f"its arguments must be a JSON object, got {kind}; send the call again")
    elif values is not call.input:  # they came as text
        call = replace(call, input=values)
    elif problem := problem_in(values):
        call = replace(call, input={}, problem=f"its arguments cannot be used: {problem}; send the call again")
    return _shortened(call)


def _shortened(call: ToolCall) -> ToolCall:
    """*call* with a name and an id that are not too long."""
    if len(call.name) > LONGEST_NAME:
        call = replace(call, name=call.name[:LONGEST_NAME])
    if len(call.id) > LONGEST_ID:  # still another one than all others
        call = replace(call, id=f"call_{hashlib.sha256(call.id.encode(errors='replace')).hexdigest()[:32]}")
    return call
