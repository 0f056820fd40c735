"""A frame of ``actors top`` as a picture: for documents."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from .board import Board
from .frame import frame
from .reader import state_of
from .watch import stacked

if TYPE_CHECKING:
    from collections.abc import Sequence

_FONT_FROM_ELSEWHERE = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)


def svg_of(answer: dict[str, Any], *, width: int = 100, height: int = 28, keys: Sequence[str] = ()) -> str:
    """The screen of *answer*, which a live view gave at ``/state``, as an SVG that asks no network for anything.

    Args:
        keys: What was pressed: ``["down", "down"]`` has the second row chosen.
    Raises:
        NoAnswer: It is no such answer.
    """
    from rich._export_format import CONSOLE_SVG_FORMAT
    from rich.console import Console

    board = Board(state_of(answer))
    for key in keys:
        board.press(key)
    voice = Console(
        record=True,
        file=io.StringIO(),
        width=width,
        height=height,
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
        _environ={},
    )
    voice.print(stacked(frame(board, width, height)))
    return voice.export_svg(
        title=f"actors top {board.state.pid}",
        code_format=_FONT_FROM_ELSEWHERE.sub("", CONSOLE_SVG_FORMAT),
        unique_id="top",
    )
