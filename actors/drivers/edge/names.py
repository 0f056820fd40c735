"""What a server calls the tools and the calls of a conversation, and back."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...agent.ports import CompletionRequest

LONGEST_NAME = 64
NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_-]")
"""Characters that no provider accepts in the name of a tool."""


class ToolNames:
    """The names of a request's tools as providers accept them, and back.

    Args:
        names: The real ones, also those that stand in the conversation.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._said: dict[str, str] = {}
        self._meant: dict[str, str] = {}
        numbers: dict[str, int] = {}
        for name in names:
            if name in self._said:
                continue
            plain = NOT_ALLOWED.sub("_", name)
            if not plain[:1].isalpha():  # Gemini and others want a letter or an underscore first
                plain = f"_{plain.removeprefix('_')}"
            said = plain = plain[:LONGEST_NAME]
            while said in self._meant:
                numbers[plain] = numbers.get(plain, 1) + 1
                end = f"_{numbers[plain]}"
                said = f"{plain[: LONGEST_NAME - len(end)]}{end}"
            self._said[name] = said
            self._meant[said] = name

    @classmethod
    def of(cls, request: CompletionRequest) -> ToolNames:
        """Those of *request*, of its tools first."""
        called = [call.name for message in request.messages for call in getattr(message, "tool_calls", ())]
        return cls([*(tool.name for tool in request.tools), *called])

    def said(self, name: str) -> str:
        """How the provider is told *name*."""
        return self._said.get(name, name)

    def meant(self, name: str) -> str:
        """What the provider's *name* means; one that it made up stays as it is.

        Some models write a namespace before it, as in ``functions.search`` or ``default_api:search``.
        """
        return self._meant.get(name) or self._meant.get(_bare(name), name)


def _bare(name: str) -> str:
    """*name* without the namespace before it. Its length is a server's choice: an expression would look at it often."""
    last = len(name) - 1
    return name[max(name.rfind(".", 0, last), name.rfind(":", 0, last)) + 1 :]


class CallIds:
    """The ids of a conversation's calls as a server takes them: its own stay, those of another server may not fit.

    Args:
        allowed: What an id of the server looks like.
        length: Characters of one that is made up; it has letters and digits only.
    """

    def __init__(self, allowed: re.Pattern[str], length: int) -> None:
        self._allowed = allowed
        self._length = length
        self._said: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._taken: set[str] = set()

    def of_call(self, id_: str) -> str:
        """How the server is told *id_* of a call. Some use an id again in each answer: then it is another one."""
        said, number = id_, self._numbers.get(id_, 0)
        while said in self._taken or not self._allowed.fullmatch(said):
            said = hashlib.sha256(f"{number}:{id_}".encode("utf-8", "surrogatepass")).hexdigest()[: self._length]
            number += 1
        self._said[id_] = said
        self._numbers[id_] = number  # these are taken: the next one of that id need not be tried by them
        self._taken.add(said)
        return said

    def of_result(self, id_: str) -> str:
        """The same for the result of the last call of that id."""
        return self._said.get(id_) or self.of_call(id_)
