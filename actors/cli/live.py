"""``--live [PORT]``: the page of a run while it runs."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from .refusal import RefusedError, why
from .terminal import say

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ..pool import AgentPool

OPTION = "--live"
ANY_PORT = "0"


class LiveCommand(TyperCommand):
    """A command whose ``--live`` may stand alone: the port of the page follows it, or it does not.

    A word that is no number belongs to whatever comes next: a manifest, say.
    """

    # Any: it is a class of a package that typer has inside, or of another one, by its version.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As of any command."""
        return super().parse_args(ctx, with_port(args))


def with_port(args: list[str]) -> list[str]:
    """*args*, where each ``--live`` that has no port of its own has the one that takes any."""
    own = args[: args.index("--")] if "--" in args else args
    given: list[str] = []
    for place, word in enumerate(own):
        given.append(word)
        follows = own[place + 1] if place + 1 < len(own) else ""
        if word == OPTION and not follows.lstrip("-").isdecimal():
            given.append(ANY_PORT)
    return given + args[len(own) :]


def refuse_taken(port: int | None) -> None:
    """Refuse a port that somebody else has, before anything is written.

    Raises:
        RefusedError: It is taken.
    """
    if port:
        from ..inside.live_view.door import listen

        try:
            listen(port).close()
        except OSError as error:
            raise _refusal(error) from error


def page_of(pool: AgentPool, port: int | None, *, control: bool) -> AbstractContextManager[object]:
    """The page of *pool*, whose address is told; with no *port* there is none.

    Raises:
        RefusedError: The port is taken.
    """
    if port is None:
        return nullcontext()
    from ..inside.live import LiveView

    try:
        view = LiveView(pool, port=port, control=control)
    except OSError as error:
        raise _refusal(error) from error
    say(f"live: {view.url}")
    return view


def _refusal(error: OSError) -> RefusedError:
    return RefusedError(f"--live: {why(error)}; without a number any free port is taken")
