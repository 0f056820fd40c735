"""A child process that speaks in lines, on the private loop. Whatever happens to who talks with it, it ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from typing import TYPE_CHECKING, cast

from ..core.process import native
from .pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_LINE = 8_000_000
"""Bytes; a longer line is dropped while it is read."""
ENDLESS = 16_000_000
"""Bytes of one line that end the process, if nobody knows what it answers."""
MAX_UNSENT = 16_000_000
"""Bytes that wait for a process that does not read; more of them end it."""
ENDS = 1_000
"""Bytes of either end of a line that is dropped."""
LINES_AHEAD = 1_000
"""Lines that are read before anybody asks for them."""
UNWANTED = 1_000
"""Lines of no use, one after another, after which it is read slowly."""
REST = 0.02
"""Seconds between two reads then."""
LAST_LINES = 0.2
"""Seconds for what it wrote to arrive, after it ended: a child of its own may hold its output open."""
LEAVE = 1.0
"""Seconds that it has to end by itself once its input is closed."""
KILLED = 2.0
"""Seconds for a killed process to be gone."""
LAST_WORDS = 1_000
"""Characters of what it wrote to its standard error last."""

INPUT, OUTPUT, ERRORS = 0, 1, 2
PATCHED = {"subprocess": "subprocess", "thread": "threading"}
"""What gevent must leave alone: how its ``patch_all`` calls it, and the module."""


class LineProcess(asyncio.SubprocessProtocol):
    """One process, in a process group of its own, which is killed as a whole when it is closed.

    Guarantees: a bounded part of what it writes is kept in memory; its end is noticed when it ends, whoever else holds
    its output open; after :meth:`close` nothing of its group is left, also when the close was cancelled.

    Threads: the private loop's.
    """

    def __init__(self, wanted: bytes, on_long: Callable[[bytes], bool]) -> None:
        self._loop = asyncio.get_running_loop()
        self._wanted = wanted
        self._on_long = on_long
        self._unwanted = 0
        self._dropped = 0
        self._is_known = False
        self._transport: asyncio.SubprocessTransport | None = None
        self._buffer = bytearray()
        self._lines: deque[bytes] = deque()
        self._pace = Pace()
        self._errors = b""
        self._is_over = False
        self._news = asyncio.Event()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self.problem = ""

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        env: Mapping[str, str],
        *,
        wanted: bytes = b"",
        on_long: Callable[[bytes], bool] = lambda _: False,
    ) -> LineProcess:
        """Start *command*.

        Args:
            wanted: Lines without it are dropped as they are read. Who writes nothing else is read slowly.
            on_long: Called with the beginning of a line that is dropped, and perhaps with its end: is it known now?
        Raises:
            OSError: It cannot be started; or gevent has put its own into what asyncio starts processes with.
        """
        patched = [name for name, module in PATCHED.items() if native.is_patched(module)]
        if patched:
            without = ", ".join(f"{name}=False" for name in patched)
            raise OSError(f"asyncio cannot start a process under gevent's monkey.patch_all(): use patch_all({without})")
        _, protocol = await asyncio.get_running_loop().subprocess_exec(
            lambda: cls(wanted, on_long), *command, env=dict(env), start_new_session=os.name == "posix"
        )
        return protocol

    @property
    def last_words(self) -> str:
        """Its end in words: why it was ended, or the last line of its standard error."""
        lines = self._errors.decode(errors="replace").strip().splitlines()
        return self.problem or (lines[-1][-LAST_WORDS:] if lines else "")

    async def line(self) -> bytes | None:
        """The next line that it writes; None when there will be none any more. An empty one stands for one that was
        dropped, and known.
        """
        await self._pace.step()
        while not self._lines:
            if self._is_over:
                return None
            self._news.clear()
            await self._news.wait()
        if len(self._lines) == LINES_AHEAD:
            self._reading(goes_on=True)
        return self._lines.popleft()

    def useful(self) -> None:
        """The line was waited for: it may be followed at once by others."""
        self._pace.useful()

    def is_behind(self) -> bool:
        """Does it not read what it is sent?"""
        pipe = self._pipe(INPUT)
        return pipe is None or cast("asyncio.WriteTransport", pipe).get_write_buffer_size() > 0

    def write(self, line: str) -> None:
        """Send it a line.

        Raises:
            ConnectionError: It has ended, or has not read for too long.
        """
        pipe = self._pipe(INPUT)
        if self._is_over or pipe is None or pipe.is_closing():
            raise ConnectionError("the process has ended")
        writing = cast("asyncio.WriteTransport", pipe)
        if writing.get_write_buffer_size() > MAX_UNSENT:
            self._end("it does not read what it is sent")
            raise ConnectionError(self.problem)
        writing.write(line.encode(errors="replace") + b"\n")

    async def close(self) -> None:
        """Close its input, wait a moment for its end, and kill what is left."""
        transport = self._transport
        if transport is None:
            return
        try:
            pipe = transport.get_pipe_transport(INPUT)
            if pipe is not None:
                pipe.close()
            await asyncio.wait([self._gone], timeout=LEAVE)
        finally:
            self._kill_group()
            try:
                await asyncio.wait([self._gone], timeout=KILLED)
            finally:
                transport.close()

    # What the loop tells ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It has started."""
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """It wrote something."""
        if fd == ERRORS:
            self._errors = (self._errors + data)[-4 * LAST_WORDS :]
            return
        first, *others = data.split(b"\n")
        self._go_on(first)
        for following in others:
            self._take()
            self._go_on(following)
        if self._dropped > ENDLESS and not self._is_known:
            self._end(f"it wrote a line of more than {ENDLESS:,} bytes")
        elif len(self._lines) >= LINES_AHEAD:
            self._reading(goes_on=False)
        elif self._unwanted > UNWANTED:
            self._reading(goes_on=False)
            self._loop.call_later(REST, self._rested)
        self._news.set()

    def _go_on(self, piece: bytes) -> None:
        """More of the line."""
        self._buffer += piece
        if self._dropped:
            self._dropped += len(piece)
            del self._buffer[:-ENDS]  # its end may tell what it answers
        elif len(self._buffer) > MAX_LINE:
            self._dropped = len(self._buffer)
            self._tell_long(bytes(self._buffer[:ENDS]))
            del self._buffer[:-ENDS]

    def _take(self) -> None:
        """The line has ended."""
        if not self._dropped:
            if self._wanted in self._buffer:
                self._lines.append(bytes(self._buffer))
                self._unwanted = 0
            else:
                self._unwanted += 1
        elif not self._is_known:
            self._tell_long(bytes(self._buffer))
        self._buffer.clear()
        self._dropped, self._is_known = 0, False

    def _tell_long(self, part: bytes) -> None:
        self._is_known = self._on_long(part)
        if self._is_known:
            self._lines.append(b"")

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """It closed one of its streams."""
        if fd == OUTPUT:
            self._end()

    def process_exited(self) -> None:
        """It has ended."""
        self._kill_group()  # at once: while a child of its is left, nobody else gets the number of the group
        if not self._gone.done():
            self._gone.set_result(None)
        self._loop.call_later(LAST_LINES, self._end)

    # ---------------------------------------------------------------------------------------------------------------

    def _end(self, problem: str = "") -> None:
        """There will be no more lines."""
        self.problem = self.problem or problem
        self._is_over = True
        self._news.set()
        if problem:
            self._buffer.clear()
            self._kill_group()

    def _rested(self) -> None:
        if len(self._lines) < LINES_AHEAD:
            self._reading(goes_on=True)

    def _pipe(self, fd: int) -> asyncio.BaseTransport | None:
        return None if self._transport is None else self._transport.get_pipe_transport(fd)

    def _reading(self, *, goes_on: bool) -> None:
        pipe = self._pipe(OUTPUT)
        if pipe is not None and not pipe.is_closing():
            reading = cast("asyncio.ReadTransport", pipe)
            if goes_on:
                reading.resume_reading()
            else:
                reading.pause_reading()

    def _kill_group(self) -> None:
        transport = self._transport
        if transport is None:
            return
        try:
            if os.name == "posix":
                os.killpg(transport.get_pid(), signal.SIGKILL)
            else:
                transport.kill()
        except (ProcessLookupError, PermissionError):  # nobody is left
            pass
