"""Models made of values that are known to be right."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import BaseModel

ModelT = TypeVar("ModelT", bound="BaseModel")


def trusted(cls: type[ModelT], fields: dict[str, Any]) -> ModelT:
    """Make a *cls* of *fields*, all of them, of which each is known to be right: not checked, that takes ten times as
    long. Every end of an agent and every message of one goes through here.
    """
    model = cls.__new__(cls)
    keep = object.__setattr__
    keep(model, "__dict__", fields)
    keep(model, "__pydantic_fields_set__", _names(cls).copy())
    keep(model, "__pydantic_extra__", None)
    keep(model, "__pydantic_private__", None)
    return model


@cache
def _names(cls: type[BaseModel]) -> set[str]:
    """The names of all fields: to copy a set takes a fraction of the time that making one takes."""
    return set(cls.model_fields)
