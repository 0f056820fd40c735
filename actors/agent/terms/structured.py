"""Answers that are values of a type."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ...core.crash import text_of
from .shortened import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import TypeAdapter

RETRIES = 3
"""How often an answer that does not fit is sent back to the model."""
FENCE = r"(?s)```(?:[a-zA-Z]+\b)?(?P<inside>.*)```"
PROBLEMS = 10
"""So many of them are told."""
LONGEST = 4_000
"""Characters of what is wrong: it may repeat what the model said."""


class Shape:
    """What the answer has to be: told to the model as a JSON Schema, and checked when it comes."""

    schema: dict[str, Any]

    @property
    def native(self) -> dict[str, Any] | None:
        """The schema as a driver may pass it on: providers take only those of objects."""
        return self.schema if self.schema.get("type") == "object" else None

    def instructions(self) -> str:
        """What the system prompt says of it."""
        schema = json.dumps(self.schema, ensure_ascii=False)
        return (
            "Your final answer must be one JSON value that fits this JSON Schema, and nothing else: no words before "
            f"or after it, no code fence.\n{schema}"
        )

    def fields(self) -> list[str] | None:
        """The names of an object's fields; None when other values may fit, too."""
        schema = self.schema
        reference = schema.get("$ref")
        if isinstance(reference, str):  # of a model that holds itself
            schema = self.schema.get("$defs", {}).get(reference.rpartition("/")[2], {})
        properties = schema.get("properties")
        return list(properties) if schema.get("type") == "object" and properties else None

    def read(self, text: str) -> Any:
        """The value of *text*.

        Raises:
            ValueError: It does not fit; the message tells the model what to mend.
        """
        raise NotImplementedError

    def fitted(self, value: Any) -> Any:
        """*value*, which somebody made, as a value that fits.

        Raises:
            ValueError: It does not.
        """
        raise NotImplementedError


class OutputShape(Shape):
    """What the answer has to be, by a type.

    Args:
        output_type: A pydantic model, a dataclass, ``list[int]``: anything that pydantic can validate.
    """

    def __init__(self, output_type: Any) -> None:
        from pydantic import TypeAdapter

        self._type = output_type
        self.adapter: TypeAdapter[Any] = TypeAdapter(output_type)
        """Reads such values from JSON, and writes them."""
        self.schema = self.adapter.json_schema()

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle has the type."""
        return shape_of, (self._type,)

    def read(self, text: str) -> Any:
        """The value of *text*.

        Raises:
            ValueError: It does not fit; the message tells the model what to mend.
        """
        try:
            return self.adapter.validate_json(json_of(text))
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False, include_input=False)[:PROBLEMS]
            raise ValueError(shortened("; ".join(_problem(detail) for detail in details), LONGEST)) from None
        except Exception as error:  # of a validator of the type's own
            raise ValueError(shortened(f"{type(error).__name__}: {text_of(error)}", LONGEST)) from error

    def fitted(self, value: Any) -> Any:
        """*value*, as pydantic takes it; an object of the type stays the one that it is.

        Raises:
            ValueError: It does not fit.
        """
        try:
            return self.adapter.validate_python(value)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False, include_input=False)[:PROBLEMS]
            raise ValueError(shortened("; ".join(_problem(detail) for detail in details), LONGEST)) from None


@lru_cache(maxsize=64)
def _kept_shape(output_type: Any) -> OutputShape:
    return OutputShape(output_type)


def shape_of(output_type: Any) -> OutputShape:
    """The shape of *output_type*. Making one takes half a millisecond, and many agents share a type: so it is kept."""
    try:
        hash(output_type)
    except TypeError:
        return OutputShape(output_type)
    return _kept_shape(output_type)


def _problem(detail: Any) -> str:
    return f"{place_of(detail['loc'])}{detail['msg']}"


def place_of(path: Iterable[Any]) -> str:
    """``a.0.b: ``, to stand before what is wrong there; empty for the whole."""
    place = ".".join(str(part) for part in path)
    return f"{place}: " if place else ""


def json_of(text: str) -> str:
    """*text* without the fence that models like to put around JSON."""
    fenced = re.fullmatch(FENCE, text.strip())
    return fenced["inside"] if fenced else text.strip()
