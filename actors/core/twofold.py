"""The class of a crash that is raised: ``AgentCrashed``, and also the class of what the agent raised."""

from __future__ import annotations

import concurrent.futures
from functools import lru_cache
from inspect import getattr_static
from types import new_class
from typing import Any

from ..errors import ActorsError, AgentCrashed

MEANT_FOR_OTHERS = (
    StopIteration,  # ends whatever generator it passes, and no future takes it
    StopAsyncIteration,
    TimeoutError,  # means that the caller waited in vain
    concurrent.futures.CancelledError,  # means that the future was cancelled
    BaseExceptionGroup,  # `except*` takes them apart
    ActorsError,  # tells what happened here; an AgentError on its way through another agent would be its failure
)

_NAMES = {*vars(object), *vars(BaseException)} - {
    "__new__", "__init__", "__class__", "__doc__", "__init_subclass__", "__subclasshook__",
}  # fmt: skip

_SEALED = {name: getattr_static(AgentCrashed, name) for name in _NAMES}
"""What everybody needs of an exception stays as it is in AgentCrashed, whatever the other class has changed: its
``str`` and ``repr``, its traceback and cause, how attributes are set, how it is compared, hashed and pickled.
"""


@lru_cache(maxsize=128)
def twofold(kind: type) -> type[AgentCrashed]:
    """The class of a crash by a *kind*: both, where that can be made; AgentCrashed alone where it cannot."""
    if issubclass(kind, AgentCrashed):  # an agent raised what it got from another
        return kind
    if not issubclass(kind, Exception) or issubclass(kind, MEANT_FOR_OTHERS):
        return AgentCrashed
    try:
        made = new_class(AgentCrashed.__name__, (AgentCrashed, kind), exec_body=_fill)
    except (Exception, SystemExit, GeneratorExit):  # noqa: BLE001 - a metaclass or an __init_subclass__ may forbid it
        return AgentCrashed
    return made if AgentCrashed in type.__getattribute__(made, "__mro__") else AgentCrashed


def _fill(namespace: dict[str, Any]) -> None:
    namespace.update(_SEALED)
    namespace.update(
        __module__=AgentCrashed.__module__,
        __qualname__=AgentCrashed.__qualname__,
        __doc__=AgentCrashed.__doc__,
        __copy__=None,  # by __reduce__
        __deepcopy__=None,
        __bool__=lambda _: True,
        type_name=None,  # what the other class calls so does not stand before ours
        text=None,
        _traceback=None,
        _origin=None,
        is_alone=False,
    )
