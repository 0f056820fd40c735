"""``actors top``: finds the live view, and shows its pool once or until it ends."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from ...core.figures import seconds
from ...core.shown import one_line
from ...inside.live_view.doorplate import doors
from ..refusal import RefusedError
from ..terminal import answering, console, say
from .address import address_of
from .client import Client, NoAnswer, Trouble
from .frame import snapshot
from .reader import state_of
from .watch import Watch, last_word, print_lines

if TYPE_CHECKING:
    from ...inside.live_view.doorplate import Door
    from .address import Address

EXIT_OK = 0
EXIT_INCOMPLETE = 1
HOW = "To open one: actors run ... --live; in a program: with LiveView(pool)"


def top(target: str | None, *, once: bool, as_json: bool) -> int:
    """Show the pool of a live view: until it ends, or once where there is no terminal.

    Args:
        target: The id of its process, or its URL; None: the one that there is.
        once: Show it once, as plain text.
        as_json: Show once what the view answers, as JSON.
    Raises:
        RefusedError: The target makes no sense, or several views could be meant.
    """
    address = _find(target)
    if address is None:
        return EXIT_INCOMPLETE
    client = Client(address)
    try:
        answer = client.get("/state")
        state = state_of(answer)
    except NoAnswer as error:
        say(f"error: {error}")
        return EXIT_INCOMPLETE
    if as_json:
        with answering():
            print(json.dumps(answer))  # noqa: T201 - the command line may print
        return EXIT_OK
    voice = console(sys.stdout)
    if once or not sys.stdout.isatty() or voice.is_dumb_terminal:
        with answering():
            print_lines(voice, snapshot(state, voice.width))
        return EXIT_OK
    watch = Watch(client, state)
    try:
        why = watch.show()
    except KeyboardInterrupt:
        return EXIT_OK
    if why is not None or watch.state.is_closed:
        say(last_word(watch.state, why))
    return EXIT_OK if why is None or why.trouble is Trouble.GONE else EXIT_INCOMPLETE


def _find(target: str | None) -> Address | None:
    """Which view is meant; None: there is none, which was said."""
    if target is not None and not target.strip().isdigit():
        if "://" not in target:
            raise RefusedError(f"{one_line(target, 100)}: is neither the id of a process nor the URL of a live view")
        return address_of(target)
    pid = None if target is None else int(target[:20])
    try:
        found = doors(pid)
    except OSError as error:
        say(f"error: {one_line(str(error))}")
        return None
    if not found:
        where = "no program of yours has" if pid is None else f"process {pid} is not yours, is not there, or has not"
        none = f"{where} a live view that is open"
        say(f"error: {none}. {HOW}")
        return None
    if len(found) > 1:
        wanted = "actors top PID takes" if len({door.pid for door in found}) == len(found) else "actors top URL takes"
        raise RefusedError(f"there are several live views: {wanted} one of them", *map(_row, found))
    return address_of(found[0].url)


def _row(door: Door) -> str:
    since = f"since {seconds(max(0.0, time.time() - door.began))}"
    return f"  {door.pid}  {one_line(door.pool, 40)}  {since}  {one_line(door.url)}"
