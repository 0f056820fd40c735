"""The process beside a host that ends what is left of it: children of a process that is killed live on otherwise.

It runs as a file, with nothing of the library: it is small, and there before anything is started. A parent-death signal
would reach a child alone and not what that has started, would follow the thread that started it, and would have to be
set between ``fork`` and ``exec``, in a process of many threads.
"""

import os
import select
import signal
import sys
import time

ROUNDS = 500
"""Looks at what is left: who is being killed may start one more, and one that hangs in the system never ends."""
LINE = 0
"""Its other end is held by the host, and by who was forked from it."""
PAUSE = 0.01
"""Seconds for the system to end who was killed: nobody can wait for a process that is not a child."""


def main(host: int, mark: str) -> None:
    """Wait for the end of *host*, then kill who has *mark* in its environment, or was forked from it.

    It does so in the background, as nobody's child: Ray kills the children of a worker that it ends, and no others.
    """
    end = end_of(host)
    if os.fork():
        return
    select.select([end], [], [])
    line = os.readlink(f"/proc/self/fd/{LINE}")
    for _ in range(ROUNDS):
        left = [pid for pid in others() if has_mark(pid, mark) or holds(pid, line)]
        if not left:
            return
        for pid in left:
            kill(pid)
        time.sleep(PAUSE)


def end_of(host: int) -> int:
    """What can be read once the process *host*, the parent of this one, has ended."""
    try:
        end = os.pidfd_open(host)
    except (AttributeError, OSError):  # an old system, or it is over
        return LINE
    return end if os.getppid() == host else LINE  # the number may be another's by now


def others() -> list[int]:
    """All processes but this one."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) != os.getpid()]


def has_mark(pid: int, mark: str) -> bool:
    """Was it started with *mark* in its environment?"""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return mark.encode() in file.read().split(b"\0")
    except OSError:  # it has ended, or is another user's
        return False


def holds(pid: int, line: str) -> bool:
    """Does it hold an end of *line*?"""
    folder = f"/proc/{pid}/fd"
    try:
        return any(_link(f"{folder}/{name}") == line for name in os.listdir(folder))
    except OSError:
        return False


def kill(pid: int) -> None:
    """Kill it, with its group if it leads one: who gave up the environment is in that still."""
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # it has ended, or is another user's


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:  # closed since
        return ""


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
