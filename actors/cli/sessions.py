"""``actors sessions list | show | delete``: the conversations that ``actors chat --session`` goes on with."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ..core.records.conversation import AssistantMessage
from ..core.shown import shown
from ..errors import SessionError
from .check import answer
from .columns import cell, width_of
from .refusal import RefusedError
from .session_file import default_file, open_to_look, refuse_bad_name
from .terminal import answering, console
from .wording import counted, dollars, one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from ..agent.turns import Turn
    from ..sessions.session import Session
    from ..sessions.sessions import Sessions

EXIT_OK = 0
LIMIT = 50
GAP = 2
"""Between two columns."""
LEAST_OF_QUERY = 16
"""Characters of the last query that are shown; with less room it is left out."""


def list_all(path: str | None, *, limit: int) -> int:
    """Show the sessions, the one that was updated last first.

    Args:
        path: Of their file; None: the command's own.
    Raises:
        RefusedError: There are none, or they cannot be read.
    """
    if limit < 1:
        raise RefusedError(f"--limit must be at least 1, got {limit}")
    if path is None and not default_file().exists():
        answer("no sessions: actors chat MANIFEST --session NAME begins one")
        return EXIT_OK
    with open_to_look(path) as sessions:
        try:
            found = sessions.list(limit + 1)
            if not found:
                answer("no sessions")
                return EXIT_OK
            parts: list[RenderableType] = [_table(found[:limit], console(sys.stdout).width)]
        except SessionError as error:
            raise RefusedError(one_line(str(error), 1_000)) from None
    if len(found) > limit:
        parts += ["", f"and more: --limit {limit * 10}"]
    _show(parts)
    return EXIT_OK


def show(name: str, path: str | None, *, last: int | None) -> int:
    """Show what was said in one session.

    Args:
        path: Of the file of sessions; None: the command's own.
        last: Only so many of its last turns; None: all.
    Raises:
        RefusedError: There is no such session, or it cannot be read.
    """
    if last is not None and last < 1:
        raise RefusedError(f"--last must be at least 1, got {last}")
    with open_to_look(path) as sessions:
        try:
            turns = sessions.get(_known(sessions, name)).turns()
        except SessionError as error:
            raise RefusedError(one_line(str(error), 1_000)) from None
    with answering():
        for turn in turns if last is None else turns[-last:]:
            for line in _told(turn):
                print(line)  # noqa: T201 - the command line may print
    return EXIT_OK


def delete(name: str, path: str | None) -> int:
    """Drop one session with all its turns.

    Args:
        path: Of the file of sessions; None: the command's own.
    Raises:
        RefusedError: There is no such session, or it cannot be dropped.
    """
    with open_to_look(path) as sessions:
        try:
            session = sessions.get(_known(sessions, name))
            count = len(session)
            sessions.delete(session.id)
        except SessionError as error:
            raise RefusedError(one_line(str(error), 1_000)) from None
    answer(f"{shown(name)}: deleted ({counted(count, 'turn')})")
    return EXIT_OK


def _known(sessions: Sessions, name: str) -> str:
    """*name*, if there is such a session."""
    refuse_bad_name(name)
    if len(sessions.get(name)):
        return name
    near = get_close_matches(name, [session.id for session in sessions.list(1_000)], n=1)
    hint = f", did you mean {shown(near[0])}?" if near else ": actors sessions list shows those that are there"
    raise RefusedError(f"there is no session {shown(name)}{hint}")


def _show(parts: Sequence[RenderableType]) -> None:
    with answering():
        voice = console(sys.stdout)
        for part in parts:
            voice.print(part, markup=False, highlight=False)


def _table(found: Sequence[Session], width: int) -> Table:
    from rich.table import Table

    columns = {
        "session": [shown(session.id, 60) for session in found],
        "turns": [f"{len(session):,}" for session in found],
        "last": [_moment(session) for session in found],
    }
    widths = {title: width_of(title, cells) for title, cells in columns.items()}
    left = width - sum(GAP + each for each in widths.values())
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False)
    for title in columns:
        table.add_column(title, justify="right" if title == "turns" else "left", no_wrap=True)
    has_query = left >= LEAST_OF_QUERY
    if has_query:
        table.add_column("last query", no_wrap=True)
    for number, session in enumerate(found):
        cells: list[Any] = [cell(column[number], widths[title]) for title, column in columns.items()]
        table.add_row(*cells, *([cell(_last_query(session, left), left)] if has_query else []))
    return table


def _moment(session: Session) -> str:
    at = session.updated_at
    return "" if at is None else f"{at.astimezone():%Y-%m-%d %H:%M}"


def _last_query(session: Session, width: int) -> str:
    try:
        turns = session.last(1)
    except SessionError:  # the others can be read
        return "(cannot be read)"
    return shown(turns[0].query, max(width, 20)) if turns else ""


def _told(turn: Turn) -> Iterator[str]:
    """A turn in lines: the moment and who answered, the question, the tools that were called, the answer."""
    spent = f"{turn.usage.total:,} tokens" if turn.usage.total else ""
    cost = dollars(turn.cost_usd) if turn.cost_usd else ""
    model = "" if turn.model is None else one_line(turn.model, 60)
    about = [f"{turn.at.astimezone():%Y-%m-%d %H:%M:%S}", one_line(turn.agent, 60), model, spent, cost]
    yield f"-- {turn.number} -- {', '.join(filter(None, about))}"
    yield printable(f"> {turn.query}")
    for message in turn.messages:
        if isinstance(message, AssistantMessage):
            for call in message.tool_calls:
                yield f"[{one_line(call.name, 100)}]"
    yield printable(turn.text)
    yield ""
