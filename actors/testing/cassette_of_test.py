"""Which cassette belongs to a test, and whether the test was good."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Self

import pytest

from ..core.shown import shown

if TYPE_CHECKING:
    from pathlib import Path

    from .cassette import Cassette

FOLDER = "cassettes"
PLAIN = re.compile(r"[a-z0-9_.-]{1,60}")
"""Ids of parameters that are the end of a file name as they are, on every system."""
NAMED = 10
TAKEN = pytest.StashKey[dict["Path", str]]()


class Verdict:
    """Hears how one test went: a plugin for as long as it takes.

    ``is_good``: its function returned; it did not raise, and was not skipped.
    """

    def __init__(self, item: Any, plugins: pytest.PytestPluginManager) -> None:
        self.is_good = False
        self._item = item
        self._plugins = plugins

    @classmethod
    def on(cls, request: pytest.FixtureRequest) -> Self:
        """Listen, until :meth:`forget`."""
        verdict = cls(request.node, request.config.pluginmanager)
        verdict._plugins.register(verdict)
        return verdict

    def forget(self) -> None:
        """Listen no more."""
        self._plugins.unregister(self)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: Any, call: pytest.CallInfo[None]) -> None:
        """Look at the call, before anybody makes something else of it (an expected failure, say)."""
        if item is self._item and call.when == "call":
            self.is_good = call.excinfo is None


def path_for(request: pytest.FixtureRequest) -> Path:
    """``cassettes/test_name.jsonl`` beside the file of the test, ``Class.test_name`` and ``test_name-id`` where there
    are a class and parameters.

    Raises:
        pytest.UsageError: Another test has the same.
    """
    path = request.path.parent / FOLDER / f"{_name(request.node)}.jsonl"
    taken = request.config.stash.setdefault(TAKEN, {})
    other = taken.setdefault(path, request.node.nodeid)
    if other != request.node.nodeid:
        raise pytest.UsageError(
            f"{other} and {request.node.nodeid} would share the cassette {path.name}: give one of them another name"
        )
    return path


def _name(item: Any) -> str:
    name = str(item.name)
    plain = str(getattr(item, "originalname", None) or name)
    if item.cls is not None:
        plain = f"{item.cls.__qualname__}.{plain}"
    if not name.endswith("]") or "[" not in name:
        return plain
    label = name.partition("[")[2][:-1]
    if PLAIN.fullmatch(label):
        return f"{plain}-{label}"
    digest = hashlib.blake2b(label.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    slug = re.sub(r"[^a-z0-9_.-]+", "_", label.lower())[:50].strip("_.-")
    return f"{plain}-{slug}-{digest}" if slug else f"{plain}-{digest}"


def advice_on_unused(cassette: Cassette) -> str:
    """What is told of a test that leaves answers unused."""
    unused = cassette.unused
    told = [f"  {answer.place}: {_asked(answer.request)}" for answer in unused[:NAMED]]
    if len(unused) > NAMED:
        told.append(f"  and {len(unused) - NAMED} more")
    count = "1 answer" if len(unused) == 1 else f"{len(unused)} answers"
    head = f"recorded and not used: {count} of {cassette.path}"
    return "\n".join([head, *told, "record it anew with ACTORS_CASSETTE=all"])


def _asked(request: Any) -> str:
    """The last words of a request."""
    try:
        return shown(str(request["messages"][-1]["content"]), 80)
    except (TypeError, LookupError):  # somebody has written it by hand
        return "no message"
