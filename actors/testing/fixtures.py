"""pytest fixtures: pools that are closed, with a failure for each thread that is left, and recordings of what a model
said.

# conftest.py
from actors.testing.fixtures import agent_pool, cassette, make_agent_pool
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from ..pool import AgentPool
from .cassette import Cassette, CassetteMode, mode_of
from .cassette_of_test import Verdict, advice_on_unused, path_for
from .leaks import no_thread_left

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VARIABLE = "ACTORS_CASSETTE"
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
    verdict = Verdict.on(request)
    options = {"mode": _default_mode(), **_options(request)}
    recording = Cassette(path_for(request), **options)
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
    """As the environment says: where tests only have to be held to what was recorded, nothing is."""
    word = os.environ.get(VARIABLE, "")
    mode = mode_of(word) if word else CassetteMode.NONE
    return mode if os.environ.get("CI", "").lower() in NO else CassetteMode.NONE
