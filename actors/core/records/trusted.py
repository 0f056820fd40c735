"""Models made of values that are known to be right."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import BaseModel

ModelT = TypeVar("ModelT", bound="BaseModel")


def trusted(cls: type[ModelT], fields: dict[str, Any], names: set[str] | None = None) -> ModelT:
    """Make a *cls* of *fields*, all of them, of which each is known to be right: not checked, that takes ten times as
    long. Every end of an agent and every message of one goes through here.

    Args:
        names: Those of the fields, where many share them; None makes a set of its own.
    """
    model = cls.__new__(cls)
    keep = object.__setattr__
    keep(model, "__dict__", fields)
    keep(model, "__pydantic_fields_set__", set(fields) if names is None else names)
    keep(model, "__pydantic_extra__", None)
    keep(model, "__pydantic_private__", None)
    return model


@cache
def names_of(cls: type[BaseModel]) -> set[str]:
    """The names of all fields, for models to share: in a pool with many outcomes a set for each takes 1 kB and 4 % of
    the time. Nobody changes it: the models are frozen, and who copies one copies it.
    """
    return set(cls.model_fields)
