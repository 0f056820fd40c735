"""``actors timeline``: a picture of a run that is over, from its events or its journal."""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

from ..errors import JournalError
from ..inside.saving import save, writer_of
from ..inside.why.wording import seconds_in_words
from .check import answer
from .event_lines import read_events
from .options import STANDARD_STREAM
from .output import refuse_clashes
from .refusal import OutputLostError, RefusedError, why
from .terminal import say
from .wording import counted, one_line

if TYPE_CHECKING:
    from ..inside.picture import Picture
    from ..inside.timeline import Timeline

EXIT_OK: Final = 0
SQLITE: Final = b"SQLite format 3\0"


def draw(source: str, *, output: str | None) -> int:
    """Make the picture, and tell where the time went.

    Args:
        source: A file of ``--events``, a journal, or ``-``: events from standard input.
        output: Where to; None: beside the source, as a page.
    Raises:
        RefusedError: It cannot be read, or not written there.
        OutputLostError: It could not be written.
    """
    place = _place(source, output)
    refuse_timeline(place, option="-o")
    refuse_clashes({"-o": place}, {"what is read": source})
    timeline = _read(source)
    timeline.name = "standard input" if source == STANDARD_STREAM else os.path.basename(source)
    picture = timeline.picture()
    try:
        save(picture, place)
    except OSError as error:
        raise OutputLostError(f"-o {place}: cannot be written: {why(error)}") from None
    tell(picture, place)
    return EXIT_OK


def tell(picture: Picture, place: str) -> None:
    """Say how the run went, and why it took so long."""
    ends = Counter(agent.status or "not ended" for agent in picture.agents)
    if picture.rest is not None:
        ends.update(picture.rest.ends)
    count = len(picture.agents) + picture.folded
    how = ", ".join(f"{number:,} {status.replace('_', ' ')}" for status, number in ends.most_common())
    answer(f"{place}: {counted(count, 'agent')} in {seconds_in_words(picture.seconds)}{f' ({how})' if how else ''}")
    for sentence in picture.summary.sentences:
        answer(sentence)


def refuse_timeline(path: str, *, option: str) -> None:
    """Look at where a timeline is to be written before there is one.

    Raises:
        RefusedError: It has another ending than those that there are, or its folder is not there.
    """
    try:
        writer_of(path)
    except ValueError as error:
        raise RefusedError(f"{option} {one_line(path, 500)}: {one_line(str(error), 500)}") from None
    if os.path.isdir(path):
        raise RefusedError(f"{option} {path}: is a folder")
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise RefusedError(f"{option} {path}: cannot be written: its folder is not there")
    if not os.access(folder, os.W_OK):
        raise RefusedError(f"{option} {path}: cannot be written: nothing may be written into its folder")


def _place(source: str, output: str | None) -> str:
    if output is not None:
        return output
    if source == STANDARD_STREAM:
        raise RefusedError("what comes from standard input has no name: give -o FILE.html")
    place = f"{os.path.splitext(source)[0]}.html"
    if os.path.lexists(place):
        raise RefusedError(f"{place}: exists already: give -o FILE to write another one, or over it")
    return place


def _read(source: str) -> Timeline:
    if source == STANDARD_STREAM:
        return _of_lines(source)
    try:
        with open(source, "rb") as file:
            is_journal = file.read(len(SQLITE)) == SQLITE
    except OSError as error:
        raise RefusedError(f"{source}: cannot be read: {why(error)}") from None
    return _of_journal(source) if is_journal else _of_lines(source)


def _of_journal(source: str) -> Timeline:
    from .journal import opened
    from .journal_events import timeline_of

    with opened(source) as journal:
        try:
            return timeline_of(journal)
        except JournalError as error:
            raise RefusedError(one_line(str(error), 1_000)) from None


def _of_lines(source: str) -> Timeline:
    try:
        if source == STANDARD_STREAM:
            read = read_events(sys.stdin.buffer, "standard input")
        else:
            with open(source, "rb") as file:
                read = read_events(file, source)
    except OSError as error:
        raise RefusedError(f"{source}: cannot be read: {why(error)}") from None
    if read.is_torn:
        say(f"{source}: the last line was broken off, and is left out")
    if read.runs > 1:
        say(f"{source}: has {read.runs:,} runs, one after the other: the last one is drawn")
    if read.others:
        say(f"{source}: {counted(read.others, 'event')} of other kinds are not drawn")
    return read.timeline
