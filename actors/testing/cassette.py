"""Recordings of what a model said, for tests."""

from __future__ import annotations

import itertools
import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from ..drivers.cassette import RecordingDriver, Reel, ReplayingDriver
from ..drivers.recorded import file
from ..drivers.recorded.answer import DriverFacts, read_lines
from ..drivers.recorded.shelf import Shelf
from ..drivers.recorded.tape import Tape
from ..drivers.recorded.wording import Verbatim, Wording

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from types import TracebackType

    from ..agent.ports import CompletionRequest, LlmDriver
    from ..drivers.recorded.answer import RecordedAnswer


class CassetteMode(StrEnum):
    """``none``: replay; ``once``: record where there is no file, else replay; ``all``: record anew."""

    NONE = "none"
    ONCE = "once"
    ALL = "all"


CassetteWord = Literal["none", "once", "all"]

HINT = 'record it with ACTORS_CASSETTE={word} (the fixture) or Cassette(path, "{word}")'


class Cassette:
    """A file of what a model was asked and what it answered: recorded once, and replayed in tests.

    Example:
        ```python
        from actors import AgentManifest, AgentPool, ScriptedDriver, SpawnConfig
        from actors.testing import Cassette

        def make_driver() -> ScriptedDriver:  # or OpenAIDriver("NAME")
            return ScriptedDriver.text("It was built in 1867.")

        for _ in range(2):  # recorded, then replayed
            with Cassette("mill.jsonl", "once") as cassette, AgentPool(cassette.driver(make_driver)) as pool:
                print(pool.spawn(SpawnConfig(AgentManifest(name="guide"), "When was it built?")).result().text)
        ```

        ```text
        It was built in 1867.
        It was built in 1867.
        ```

    It stands between agents and their driver: budgets and guards work as ever, tools act as ever, and no key, header or
    address gets into the file. What was recorded is written when the block ends, in one step; when it ends by an
    exception, nothing is.

    Args:
        path: One answer on each line, as JSON: prompts and answers in the clear.
        mode: ``none`` replays, and a request that was not recorded is a ``CassetteMiss``; ``once`` records where there
            is no file, and replays else; ``all`` records anew.
        normalize: Gives a request without what changes from run to run (times, temporary paths): so it is recorded,
            and so it is looked for.
        redact: Gives a text without what nobody may read. Every text that is written goes through it, and so do those
            of a request that is looked for; what it returns it must leave as it is.
        speed: 1 replays answers in the time that they took, 10 in a tenth of it. None waits for nothing, not even
            before an agent asks again after an error.

    Raises:
        CassetteError: The file is no cassette, of a newer version, or names an error that is not ours; with its line.
        ValueError: Another mode; a speed that is not above 0.
        OSError: The file cannot be read, or, to record, its folder not be written to.

    Threads: any. In a child after a fork its drivers raise ``ForkedPoolError``, and nothing is written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        mode: CassetteMode | CassetteWord = CassetteMode.NONE,
        *,
        normalize: Callable[[CompletionRequest], CompletionRequest] | None = None,
        redact: Callable[[str], str] | None = None,
        speed: float | None = None,
    ) -> None:
        place, mode = Path(path), mode_of(mode)
        speed = None if speed is None else checked_speed(speed)
        wording = Wording(normalize, redact)
        content = file.read(place)
        if mode is CassetteMode.ALL or (mode is CassetteMode.ONCE and content is None):
            file.refuse_unwritable(place)
            self._load(place, Reel(str(place), wording, ""), Tape(), speed)
            return
        shelf = Shelf([] if content is None else list(read_lines(content, str(place))))
        hint = HINT.format(word="all") if content is not None else f"no such file: {HINT.format(word='once')}"
        self._load(place, Reel(str(place), wording, hint), shelf, speed)

    @classmethod
    def from_journal(cls, path: str | os.PathLike[str], *, context_window: int = 10_000_000) -> Self:
        """The answers of a run that really was, to replay it in a test, or to look why it went as it did.

        Example:
            ```python
            from actors import AgentManifest, AgentPool, SpawnConfig
            from actors.testing import Cassette

            config = SpawnConfig(AgentManifest(name="poet"), "rain", key="rain")
            with AgentPool("echo", journal="run.db") as pool:
                pool.spawn(config).result()
            with Cassette.from_journal("run.db") as cassette, AgentPool(cassette.driver()) as pool:
                print(pool.spawn(config).result().text)
            ```

            ```text
            rain
            ```

        They are matched by the digest of the whole request. A miss names the part that differs: a journal has no
        requests, so there is no text to compare. It has what agents' own loops have asked, as long as that was not
        pruned; not what their tools have. Tokens and costs are those that were paid, of tries that failed, too.

        Args:
            path: A journal, also one that a program is writing.
            context_window: Of the driver then, in tokens, if conversations were cut to fit it.
        Raises:
            FileNotFoundError: There is none.
            JournalCorrupt: It is no journal, or not as it was written.
            JournalVersion: A newer version has written it.
            ValueError: A window below 1.
        """
        if context_window < 1:
            raise ValueError(f"context_window must be at least 1, got {context_window}")
        from . import journal_answers  # and with it SQLite: not for who has no journal

        place = Path(path)
        found = journal_answers.read(place, DriverFacts(context_window=context_window))
        replayed = cls.__new__(cls)
        hint = "the journal has what its agents asked themselves, and was not pruned"
        shelf = Shelf(found.answers, found.difference_from)
        replayed._load(place, Reel(str(place), Verbatim(), hint), shelf, None)  # noqa: SLF001 - one of this class
        return replayed

    def _load(self, path: Path, reel: Reel, holds: Shelf | Tape, speed: float | None) -> None:
        self._path = path
        self._place = path.absolute()  # so it is written where it was read, wherever the program has gone meanwhile
        self._reel = reel
        self._holds = holds
        self._speed = speed
        self._numbers = itertools.count()

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def is_recording(self) -> bool:
        """Are drivers asked, and what they answer recorded?"""
        return isinstance(self._holds, Tape)

    @property
    def unused(self) -> tuple[RecordedAnswer, ...]:
        """Answers that nobody has asked for so far; none while it records."""
        return self._holds.unused if isinstance(self._holds, Shelf) else ()

    def driver(self, make: Callable[[], LlmDriver] | None = None, *, speed: float | None = None) -> LlmDriver:
        """A driver for a pool, or for agents.

        Several drivers of one cassette are told apart by the order in which they are made here.

        Args:
            make: Makes the driver that is asked when something is to be recorded; then it is called once. None is
                enough for a replay.
            speed: In place of the cassette's.
        Raises:
            ValueError: Something is to be recorded, and there is no *make*; a speed that is not above 0.
            CassetteError: The cassette is closed.
        """
        if make is not None and not callable(make):
            raise TypeError(
                f"make must be a function that makes the driver, got {type(make).__name__}: give lambda: driver"
            )
        speed = self._speed if speed is None else checked_speed(speed)
        self._reel.refuse_use()
        if isinstance(self._holds, Shelf):
            return ReplayingDriver(self._reel, self._holds, next(self._numbers), speed)
        if make is None:
            raise ValueError(f"{self._path} is to be recorded: give cassette.driver a function that makes the driver")
        return RecordingDriver(self._reel, self._holds, next(self._numbers), make)

    def close(self) -> None:
        """End it, and write what was recorded. Idempotent.

        Raises:
            OSError: It cannot be written; what was there is there still.
        """
        if self._reel.closed or self._reel.is_forked():
            return
        self._reel.closed = True
        if isinstance(self._holds, Tape):
            old = file.read(self._place)
            content = self._holds.content(old or b"")
            if content or old is not None:
                file.write(self._place, content)

    def discard(self) -> None:
        """End it, and write nothing."""
        if not self._reel.is_forked():
            self._reel.closed = True

    def __enter__(self) -> Self:
        self._reel.refuse_use()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def mode_of(word: str) -> CassetteMode:
    """The mode that *word* names.

    Raises:
        ValueError: None.
    """
    try:
        return CassetteMode(word)
    except ValueError:
        raise ValueError(f"the mode of a cassette is none, once or all, not {word!r}") from None


def checked_speed(speed: float) -> float:
    """*speed*.

    Raises:
        ValueError: It is not above 0.
    """
    if not 0 < speed < math.inf:
        raise ValueError(f"speed must be a number above 0, got {speed}; None waits for nothing")
    return speed
