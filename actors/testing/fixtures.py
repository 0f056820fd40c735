"""pytest fixtures: pools that are closed, with a failure for each thread that is left, and recordings of what a model
said.

# conftest.py
from actors.testing.fixtures import agent_pool, cassette, make_agent_pool
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

import pytest

from ..pool import AgentPool
from .cassette import Cassette, CassetteMode, mode_of
from .cassette_of_test import advice_on_unused, file_name
from .leaks import no_thread_left

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VARIABLE = "ACTORS_CASSETTE"
FOLDER = "cassettes"
TAKEN = pytest.StashKey[dict["Path", str]]()
"""Whose a cassette is: the node id of its test."""
NO = frozenset({"", "0", "false", "no"})


@pytest.fixture
def make_agent_pool() -> Iterator[Callable[..., AgentPool]]:
    """``make_agent_pool(driver, ...)`` makes a pool as :class:`AgentPool` does. When the test ends all are closed, what
    still runs is aborted, and a thread that is left (of an agent that never looks at its cancel, say) fails the test.
    """
    pools: list[AgentPool] = []

    def make(*args: Any, **kwargs: Any) -> AgentPool:
        pools.append(AgentPool(*args, **kwargs))
        return pools[-1]

    with no_thread_left():
        yield make
        for pool in pools:
            pool.close()


@pytest.fixture
def agent_pool(make_agent_pool: Callable[..., AgentPool]) -> AgentPool:
    """A pool without a driver, as ``AgentPool()`` makes it; see :func:`make_agent_pool`."""
    return make_agent_pool()


@pytest.fixture
def cassette(request: pytest.FixtureRequest) -> Iterator[Cassette]:
    """The recording of this test: ``cassettes/test_name.jsonl`` beside its file.

    It replays. With ``ACTORS_CASSETTE=once`` in the environment it records where there is no file, with ``all`` it
    records anew; with ``CI`` set it replays in any case. A test that fails, or is skipped, writes nothing; one that
    leaves recorded answers unused fails.

    A fixture ``cassette_options`` of yours may return what :class:`Cassette` is to get: ``{"redact": ...}``.
    """
    verdict = _Verdict.on(request)
    options = {"mode": _default_mode(), **_options(request)}
    if _is_checking():
        options["mode"] = CassetteMode.NONE
    recording = Cassette(_path_for(request), **options)
    try:
        yield recording
    finally:
        verdict.forget()
        if verdict.is_good:
            recording.close()
        else:
            recording.discard()
    if verdict.is_good and recording.unused:
        pytest.fail(advice_on_unused(recording), pytrace=False)


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    try:
        found: dict[str, Any] = request.getfixturevalue("cassette_options")
    except pytest.FixtureLookupError as missing:
        if missing.argname != "cassette_options":
            raise
        return {}
    return found


def _default_mode() -> CassetteMode:
    """As the environment says."""
    word = os.environ.get(VARIABLE, "")
    return mode_of(word) if word else CassetteMode.NONE


def _is_checking() -> bool:
    """Are tests only held to what was recorded? A server for that would record a new file for each run, and lose it."""
    return os.environ.get("CI", "").lower() not in NO


def _path_for(request: pytest.FixtureRequest) -> Path:
    """``cassettes/test_name.jsonl`` beside the file of the test, ``Class.test_name`` and ``test_name-id`` where there
    are a class and parameters.

    Raises:
        pytest.UsageError: Another test has the same.
    """
    path = request.path.parent / FOLDER / f"{_name_of(request.node)}.jsonl"
    taken = request.config.stash.setdefault(TAKEN, {})
    other = taken.setdefault(path, request.node.nodeid)
    if other != request.node.nodeid:
        raise pytest.UsageError(
            f"{other} and {request.node.nodeid} would share the cassette {path.name}: give one of them another name"
        )
    return path


def _name_of(item: Any) -> str:
    return file_name(item.name, getattr(item, "originalname", None) or item.name, item.cls)


class _Verdict:
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
