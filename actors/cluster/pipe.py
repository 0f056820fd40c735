"""What the program and the process beside it say to each other, over a pipe each way."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import IO, NamedTuple

HEAD = struct.Struct("!BQI")
"""Kind, number of the call, length of what follows."""


class Kind(IntEnum):
    """What a message is. Of the program, up to KILL; of the process beside it, from READY."""

    HELLO = 1
    """How to connect; a ``Hello``."""
    NODES = 2
    START = 3
    """A ``StartHost``."""
    PUT = 4
    DRAIN = 5
    KILL = 6
    READY = 10
    """It is connected."""
    ANSWER = 11
    """Bytes, as the host gave them."""
    VALUE = 12
    """A pickled value: nodes, the host that started, or the error that is the answer."""
    GONE = 13
    """It cannot go on; why, as text."""


class Hello(NamedTuple):
    """How to connect. *path* and *program* are those of the program: what it imports, nodes on its machine import.

    Args:
        host: ``module:Class`` of what is made on a node.
        here: Versions that hosts have to have; a ``HostInfo``.
        log: The file that it writes to: it takes it away when it ends because the program did.
    """

    address: str
    runtime_env: dict[str, object] | None
    host: str
    here: tuple[int, str, str, str]
    path: list[str]
    program: str
    log: str


class StartHost(NamedTuple):
    """A host that is to begin on a node."""

    node: str
    incarnation: str
    settings: bytes


class Message(NamedTuple):
    """One message; *number* is that of the call which it is, or answers."""

    kind: Kind
    number: int
    body: bytes


def write(pipe: IO[bytes], message: Message) -> None:
    """Write it, whole."""
    pipe.write(HEAD.pack(message.kind, message.number, len(message.body)) + message.body)
    pipe.flush()


def read(pipe: IO[bytes]) -> Message | None:
    """Wait for the next. None: the other end is gone."""
    head = pipe.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    kind, number, length = HEAD.unpack(head)
    body = pipe.read(length)
    return Message(Kind(kind), number, body) if len(body) == length else None


def call_body(incarnation: str, frame: bytes) -> bytes:
    """A frame for a host: it is passed on unread."""
    name = incarnation.encode()
    return bytes((len(name),)) + name + frame


def split_call(body: bytes) -> tuple[str, bytes]:
    """The host that a frame is for, and the frame."""
    end = body[0] + 1
    return body[1:end].decode(), body[end:]
