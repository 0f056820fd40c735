"""Effects of an agent of one's own: done once, however often its program is started."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar

from ...core.crash import text_of
from ...core.records.error_json import error_from_json, error_to_json
from ...core.records.json_plain import is_plain
from ...core.records.json_value import class_name, to_json
from ...errors import ActorsError, Cancelled
from ..kept_value import (
    NotKeptError,
    adapter_of,
    value_from_data,
    value_to_data,
)
from ..ledger import (
    BEGUN,
    DONE,
    RAISED,
    Scope,
    inside,
    scope_of,
)
from ..terms.effect import Effect
from ..wire import paid_from_data
from .bookkeeper import count_spent, spent_to_data
from .doubts import in_doubt

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from ..agent import Agent
    from ..ledger import Entry, Ledger
    from ..named_step import NamedStep

T = TypeVar("T")


class Steps:
    """Does the steps of one agent that has a ledger.

    Threads: any of the agent's.
    """

    def __init__(self, agent: Agent[Any], ledger: Ledger) -> None:
        self._agent = agent
        self._ledger = ledger

    def do(self, step: NamedStep[T]) -> T:
        """The result of *step*: that of an earlier life, or of now.

        Raises:
            EffectInDoubt: Nobody knows whether it was done, or what its result was.
            JournalFailed: It cannot be recorded.
            ValueError: A step of that name is under way.
        """
        with scope_of(self._ledger).step(step.name) as path:
            self._agent.checkpoint()
            entry = self._ledger.find(path)
            if entry is not None and self._ledger.count(path):
                count_spent(self._agent, path, entry.data)
            if entry is None:
                return self._run(step, path)
            if entry.state is DONE:
                return self._known(step, entry)
            if step.effect is Effect.IDEMPOTENT or (entry.state is RAISED and self._ledger.calls_raised_again):
                return self._run(step, path)
            return self._reconciled(step, entry)

    def _known(self, step: NamedStep[T], entry: Entry) -> T:
        path = entry.path
        outer = scope_of(self._ledger)
        outer.paid.extend(paid_from_data(entry.data.get("paid", ())))
        outer.below.extend(paid_from_data(entry.data.get("below", ())))
        if entry.data.get("kept", True):
            try:
                value: T = _read(entry.data["value"], step.result_type)
            except NotKeptError:
                pass
            else:
                return value
        if path in self._ledger.values:
            kept: T = self._ledger.values[path]
            return kept
        return self._run(step, path) if step.effect is Effect.IDEMPOTENT else self._reconciled(step, entry)

    def _reconciled(self, step: NamedStep[T], entry: Entry) -> T:
        """What *step* says itself; None: it was not done, so it is done now."""
        cause: BaseException | None = None
        if step.reconcile is not None:
            try:
                value = step.reconcile(self._ledger.effect_key(entry.path), step.input())
            except Cancelled:
                raise
            except Exception as error:  # noqa: BLE001 - it cannot tell
                cause = error
            else:
                if value is None:
                    return self._run(step, entry.path)
                self._enter(step, entry.path, value, {})
                found: T = value
                return found
        raise self._doubt(step, entry, cause) from cause or _raised_of(entry)

    def _doubt(self, step: NamedStep[Any], entry: Entry, cause: BaseException | None) -> ActorsError:
        raised = _raised_of(entry)
        if raised is not None:
            why = f"raised {raised} in an earlier life: it may or may not have been done"
        elif entry.state is DONE:
            why = "was done, its result was not kept: give result_type"
        else:
            why = "was begun and interrupted: it may or may not have been done"
        if cause is not None:
            why += f"; reconcile cannot tell ({type(cause).__name__}: {text_of(cause)})"
        return in_doubt(self._agent, self._ledger, entry.path, f"step {step.name!r}", why)

    # Doing it ---------------------------------------------------------------------------------------------------

    def _run(self, step: NamedStep[T], path: str) -> T:
        told = {"name": to_json(step.name), "effect": step.effect.value}
        once = step.effect is Effect.AT_MOST_ONCE
        if once:
            self._ledger.enter(path, BEGUN, "step", told, safe=True)
        else:
            self._ledger.refuse_when_failed()
        scope = Scope(self._ledger, path)
        try:
            with inside(scope):
                value = step.call()
        except Cancelled:  # it is as open as if the program had died
            raise
        except Exception as error:
            if once:
                self._ledger.enter(path, RAISED, "step", {**told, "error": error_to_json(error)})
            raise
        self._enter(step, path, value, spent_to_data(scope))
        outer = scope_of(self._ledger)
        outer.paid.extend(scope.paid)
        outer.below.extend(scope.below)
        return value

    def _enter(self, step: NamedStep[Any], path: str, value: Any, spent: dict[str, Any]) -> None:
        data = {"name": to_json(step.name), "effect": step.effect.value, **spent}
        try:
            data["value"] = _write(value, step.result_type)
        except NotKeptError:
            kind = class_name(type(value))
            self._ledger.not_kept(kind)
            data |= {"kept": False, "type": kind}
            self._ledger.values[path] = value
        self._ledger.enter(path, DONE, "step", data)


def _raised_of(entry: Entry) -> ActorsError | None:
    return error_from_json(entry.data["error"]) if entry.state is RAISED else None


# Results --------------------------------------------------------------------------------------------------------


def _write(value: Any, result_type: Any) -> Any:
    """*value* as data that JSON can hold, from which it comes back as it was.

    Raises:
        NotKeptError: It does not.
    """
    if result_type is not None:
        return value_to_data(_adapter(result_type), value)
    if not is_plain(value):
        raise NotKeptError
    return deepcopy(value)  # what is made of it later changes nothing


def _read(data: Any, result_type: Any) -> Any:
    """What :func:`_write` wrote.

    Raises:
        NotKeptError: Its type does not read it (any more).
    """
    return deepcopy(data) if result_type is None else value_from_data(_adapter(result_type), data)


def _adapter(result_type: Any) -> TypeAdapter[Any]:
    try:
        return adapter_of(result_type)
    except Exception as error:  # pydantic makes nothing of it
        raise NotKeptError from error
