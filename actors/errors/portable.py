"""What makes an exception survive pickling and copying."""

from __future__ import annotations

from typing import Any


def rebuild(cls: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """Make one again from what :class:`Portable` gave."""
    # Not cls(*args): the signature of a subclass need not be that of its args.
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class Portable(BaseException):
    """What makes an exception survive pickling and copying, whatever its ``__init__`` takes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild, (type(self), self.args, self.__getstate__() or {})

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)
