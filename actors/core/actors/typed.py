"""What an actor is told and what it replies, as type checkers see it."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Generic

import pykka
from typing_extensions import TypeVar

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Coroutine

    from .eventual import Eventual
    from .reply import ReplyFuture

M_contra = TypeVar("M_contra", contravariant=True, default=Any)
"""What is told and asked."""
R_co = TypeVar("R_co", covariant=True, default=Any)
"""What is replied to an ask."""

SYNC_HOOKS = ("on_failure", "on_undelivered")
"""They are called where nothing can be awaited."""


class TypedActor(pykka.ThreadingActor, Generic[M_contra, R_co]):
    """A Pykka actor that says what it is told and what it replies. It costs nothing per message."""

    if TYPE_CHECKING:
        # By position, so that a subclass may call it what it is.
        def on_receive(
            self, message: M_contra, /
        ) -> (
            R_co
            | Coroutine[Any, Any, R_co | ReplyFuture[Any] | concurrent.futures.Future[Any] | Eventual | None]
            | ReplyFuture[Any]
            | concurrent.futures.Future[Any]
            | Eventual
            | None
        ):
            """Handle one message: reply, or return what the reply will be, or nothing where it is put aside."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse hooks that could not work."""
        super().__init_subclass__(**kwargs)
        for hook in SYNC_HOOKS:
            if iscoroutinefunction(vars(cls).get(hook)):
                raise TypeError(
                    f"{cls.__name__}.{hook} must be a plain function: only handlers, on_start and on_stop may be async"
                )
