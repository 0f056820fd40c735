"""Functions that run in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from actors import ImagePart, ToolFailed, needs_approval, tool


@tool(isolation="process", timeout=60)
def who() -> int:
    """Tell the process."""
    return os.getpid()


@tool(isolation="process", timeout=60)
async def double(numbers: list[int], note: str = "") -> dict[str, Any]:
    """Double numbers."""
    return {"doubled": [2 * number for number in numbers], "note": note}


@tool(isolation="process", timeout=60)
def picture(size: int) -> list[Any]:
    """Take a picture of so many bytes."""
    return ["seen", ImagePart(b"\x89PNG\r\n\x1a\n" + bytes(size))]


@tool(isolation="process", timeout=60)
def fail(how: str) -> str:
    """Fail in some way."""
    if how == "tool":
        raise ToolFailed("as said")
    if how == "exit":
        sys.exit(3)
    if how == "die":
        os.abort()
    if how == "odd":
        return object()  # type: ignore[return-value]  # what no pickle takes
    raise ValueError(how)


@tool(isolation="process", timeout=3)
def hang(path: str, deaf: bool = False) -> None:
    """Never return, and start a child that does not, either."""
    if deaf:
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
    Path(path).write_text(f"{os.getpid()} {child.pid}")
    threading.Event().wait()


@tool(isolation="process", timeout=30)
def forks() -> str:
    """Fork, and answer in both."""
    return "parent" if os.fork() else "child"


@tool(isolation="process", timeout=30)
def leaves() -> int:
    """Leave a child behind."""
    return subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"]).pid


@tool(isolation="process", timeout=30)
def careful(text: str) -> str:
    """Say it loud."""
    return text.upper()


careful = needs_approval(careful)  # type: ignore[assignment]


@tool(isolation="process", timeout=60)
def size(text: str) -> int:
    """Count characters."""
    return len(text)


@tool(isolation="process", timeout=60)
def surrogate() -> str:
    """Answer with half a character."""
    return "a\ud800b"


@tool(isolation="process", timeout=60)
def keyed(text: str, effect_key: str) -> list[str]:
    """Tell the key of the call."""
    return [text, effect_key]
