"""An object that is looked up by being the same one."""

from __future__ import annotations


class Same:
    """An object that equals itself alone. It is held: no other one gets its id."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return type(other) is Same and other.value is self.value
