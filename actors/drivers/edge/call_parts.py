"""How pieces become tool calls. Servers count, name and repeat them differently; a call must not run twice for that."""

from __future__ import annotations

import json
import re
from typing import Any

_TELLING = re.compile(r'["\\{}\[\]]')
"""The characters that open or close something in JSON."""


SHORT = 16
"""Characters of an empty object, with some space around it."""


class OpenCall:
    """One call whose pieces still come. ``id`` and ``name`` are None until a piece brought them.

    ``has_begun``: some argument has come; ``whole``: all have, so that a call that has none yet is not whole;
    ``placed``: the server gave it an index.
    """

    __slots__ = (
        "_depth",
        "_escaped",
        "_in_text",
        "_pieces",
        "_value",
        "extra",
        "has_begun",
        "id",
        "length",
        "name",
        "placed",
        "whole",
    )

    def __init__(self) -> None:
        self.id: str | None = None
        self.name: str | None = None
        self.placed = False
        self.extra: dict[str, Any] = {}
        self._value: Any  # arguments that came as a value, not as text
        self._clear()

    def _clear(self) -> None:
        self._value = None
        self._pieces: list[str] = []
        self._depth = self.length = 0
        self._in_text = self._escaped = self.whole = self.has_begun = False

    def put(self, arguments: Any) -> None:
        """A piece of the arguments."""
        if isinstance(arguments, str):
            if arguments and self._value is None:
                self._pieces.append(arguments)
                self.length += len(arguments)
                self.has_begun = self.has_begun or bool(arguments.strip())
                self._scan(arguments)
        elif arguments is not None:
            # As a value nothing may stand where all is still to come.
            self._value, self.whole, self.has_begun = arguments, True, bool(arguments)

    def replace(self, arguments: str) -> None:
        """All of the arguments, once more from their beginning."""
        self._clear()
        self.put(arguments)

    def _scan(self, piece: str) -> None:
        """Is the JSON whole after *piece*? Each character is looked at once, however many pieces it comes in."""
        at = 0
        while at < len(piece):
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            found = _TELLING.search(piece, at)
            if found is None:
                return
            at = found.end()
            mark = found.group()
            if mark == "\\":
                self._escaped = self._in_text
            elif mark == '"':
                self._in_text = not self._in_text
                self.whole = not self._in_text and not self._depth
            elif not self._in_text:
                self._depth += 1 if mark in "{[" else -1
                self.whole = self._depth == 0

    @property
    def is_placeholder(self) -> bool:
        """Is all that came an empty object? Some gateways send one before the arguments.

        Source: https://github.com/openai/openai-agents-js/pull/712
        """
        value = self._value if self._value is not None else self.arguments if self.length < SHORT else None
        return value == {} or (isinstance(value, str) and "".join(value.split()) == "{}")

    @property
    def is_written(self) -> bool:
        """Are there arguments, in a text that shows where they end?"""
        return self._value is None and not self.is_placeholder and self.arguments.strip() != "null"

    @property
    def arguments(self) -> Any:
        """What came: text, or a value; "" for nothing."""
        if self._value is not None:
            return self._value
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""


class CallParts:
    """Puts the calls of one answer together.

    A piece begins a call when it brings an id that is new and a name, or (without an id) a name while the call at hand
    is whole. A piece with a known id goes on with that call; what has come before, and comes again, is not taken twice.
    A piece with neither belongs to the call of its index, if that one is not whole, or else to the call opened last.
    """

    def __init__(self) -> None:
        self.calls: list[OpenCall] = []
        self._at: dict[object, OpenCall] = {}  # the latest at each index that the server names
        self._by_id: dict[str, OpenCall] = {}

    def take(self, index: object, id_: object, name: object, arguments: Any) -> OpenCall:
        """A piece; whatever is missing is None.

        Returns:
            The call that it belongs to.
        """
        index, id_, name, arguments = _plain(index, id_, name, arguments)
        call = self._of(index, id_, name, arguments)
        if call is None:
            return self._begin(index, id_, name, arguments)
        if id_ is not None and call.id is None:
            call.id = id_
            self._by_id[id_] = call
        call.name = call.name or name
        if index is not None:
            self._at.setdefault(index, call)
        self._go_on(call, arguments, again=id_ is not None or name is not None)
        return call

    def begin(self, id_: object, name: object, arguments: Any) -> OpenCall:
        """A piece that is known to begin a call, or to be one."""
        return self._begin(*_plain(None, id_, name, arguments))

    def _begin(self, index: int | str | None, id_: str | None, name: str | None, arguments: Any) -> OpenCall:
        call = OpenCall()
        call.id, call.name = id_, name
        call.put(arguments)
        self.calls.append(call)
        if index is not None:
            self._at[index] = call
            call.placed = True
        if id_ is not None:
            self._by_id[id_] = call
        return call

    def _of(self, index: int | str | None, id_: str | None, name: str | None, arguments: Any) -> OpenCall | None:
        """The call that a piece belongs to; None when it begins one."""
        if not self.calls:
            return None
        here = self._at.get(index) if index is not None else None
        last = self.calls[-1]
        some = arguments.strip() if isinstance(arguments, str) else arguments
        if id_ is not None:
            known = self._by_id.get(id_)
            if known is not None:
                if known.is_placeholder and (index is None or not known.placed or here is known):
                    return known
                # An id that is used again, for other arguments, or at another place: another call.
                anew = name is not None and bool(some)
                if anew and known.whole:
                    return known if _same(known, arguments) else None
                elsewhere = index is not None and here is None and known.placed
                return None if anew and elsewhere and str(some).startswith("{") else known
            open_ = here or last
            if open_.id is None and not open_.whole and name in (None, open_.name) and not open_.has_begun:
                return open_  # its id comes late
            # Some servers give each piece an id of its own; a call without a name is none.
            return open_ if name is None and not open_.whole else None
        if name is not None:
            open_ = here or last
            if open_.whole:
                repeated = open_.id is not None and here is open_ and _same(open_, arguments)
                return open_ if not some or repeated else None
            if index is not None and here is None and not open_.has_begun and not some:
                return None  # several that are announced before their arguments come
            if name != open_.name and open_.name is not None and (here is None or open_.id is None):
                return None
            return open_
        if here is not None and (not here.whole or here is last or last.whole):
            return here
        return last

    @staticmethod
    def _go_on(call: OpenCall, arguments: Any, *, again: bool) -> None:
        if not isinstance(arguments, str):
            if not call.whole or (call.is_placeholder and arguments):
                call.put(arguments)
            return
        if call.is_placeholder and arguments.lstrip().startswith("{") and not _same(call, arguments):
            call.replace(arguments)
        elif call.whole:
            if arguments.strip() and not _same(call, arguments):
                call.put(arguments)  # more than one value: the model is told that it is no JSON
        elif again and call.has_begun and _is_all(call, arguments):
            call.replace(arguments)  # each piece has all that came so far
        else:
            call.put(arguments)


def _plain(
    index: object, id_: object, name: object, arguments: Any
) -> tuple[int | str | None, str | None, str | None, Any]:
    """What came; None for an index, an id or a name that is none. Arguments of any kind are told to the model."""
    return (
        index if isinstance(index, int | str) else None,
        str(id_) if isinstance(id_, int | str) and str(id_).strip() else None,
        name if isinstance(name, str) and name else None,
        arguments,
    )


def _is_all(call: OpenCall, arguments: str) -> bool:
    """Does *arguments* have what came so far, and the rest?"""
    return len(arguments) > call.length and arguments.startswith(call.arguments) and _value_of(arguments) is not None


def _same(call: OpenCall, arguments: Any) -> bool:
    """Are these the call's own arguments, however they are written?"""
    if isinstance(arguments, str) and 4 * len(arguments) < call.length:
        return False  # not looked at: the work stays in proportion to what comes
    values = [_value_of(each) if isinstance(each, str) else each for each in (call.arguments, arguments)]
    return values[0] is not None and values[0] == values[1]


def _value_of(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return None
