"""What goes over the lanes between the program and a host: plain items, with the id of the agent whom they concern.

What a user gave (queries, results, messages, errors) stands in them as bytes, and is unpickled by whom it concerns: so
one that cannot be unpickled harms nobody else. Moments are seconds on the sender's own clock.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Mail(NamedTuple):
    """One message. ``number`` is the program's name for it, until the host says that it was read."""

    number: int
    sender: int
    to: int
    content: bytes


# From the program to a host ---------------------------------------------------------------------------------------


class KitItem(NamedTuple):
    """What many agents have in common, once for each host: later items name it by ``number``."""

    number: int
    data: bytes


class DropKits(NamedTuple):
    """No agent of these kits will come any more."""

    numbers: tuple[int, ...]


class Place(NamedTuple):
    """An admitted agent.

    Args:
        data: What it has apart from its kit: query, keyword arguments, messages, and so on.
        seconds_left: Of its deadline, when this was sent; None without one.
        timeout: Seconds of its life from its first start.
        group: A number for its group: nothing of a user's is compared on a host.
        restarts: How often it was started again so far.
        is_heard: Is somebody told of its events?
        streams: Is the text of its answers told as it comes? None: where somebody hears it.
        is_recorded: Is it recorded how it ends?
        lives: How often it was placed before: 0, unless its host was lost.
        mail: What was sent to it before, oldest first.
    """

    id: int
    kit: int
    data: bytes
    name: str
    key: str | None
    parent_id: int | None
    depth: int
    max_depth: int | None
    priority: int
    group: int
    seconds_left: float | None
    deadline_reason: str
    timeout: float | None
    restarts: int
    is_heard: bool
    streams: bool | None
    is_recorded: bool = False
    lives: int = 0
    mail: tuple[Mail, ...] = ()


class Cancel(NamedTuple):
    """These agents are to end. One that is not there has ended: it came before, and that it ended is under way."""

    ids: tuple[int, ...]
    reason: str
    timed_out: bool


class Deliver(NamedTuple):
    """A message for an agent of the host: answered by an ``Accepted`` of the mail's number."""

    mail: Mail
    timeout: float | None


class Answer(NamedTuple):
    """The answer to an ``Ask``: what was asked for, or the error that it raises."""

    number: int
    value: bytes | None
    error: bytes | None


class Told(NamedTuple):
    """Something that an agent of the host is told, or the host itself (id 0): ``what`` says who takes it."""

    what: str
    id: int
    args: bytes


class Lease(NamedTuple):
    """So many agents may run on the host at once, from now on. Answered by a ``Leased`` when no more do."""

    slots: int


class Listen(NamedTuple):
    """Are the events of all agents told, whoever they are? And the text of answers as it comes?"""

    to_all: bool
    to_text: bool


class Close(NamedTuple):
    """Nothing comes any more: end."""


# From a host to the program ---------------------------------------------------------------------------------------


class Began(NamedTuple):
    """The agent got a slot, at the moment *at*."""

    id: int
    at: float


class Ended(NamedTuple):
    """How an agent ended: one for each ``Place``, and the last item of its id.

    Args:
        status: A word of ``AgentStatus``.
        result: As bytes; None for None.
        error: As bytes; None without one.
        at: The moment of its end.
        duration: Seconds since its first start on this host; 0 if it never began.
        fields: Further fields of its outcome by their names, such as ``usage`` and ``messages``; empty where all are as
            they are by default. As bytes.
    """

    id: int
    status: str
    result: bytes | None
    error: bytes | None
    at: float
    duration: float
    restarts: int
    fields: bytes | None


class Happened(NamedTuple):
    """An event of an agent: its class and own fields, as bytes."""

    id: int
    event: bytes
    at: float


class Accepted(NamedTuple):
    """What became of a ``Deliver``: ``ok``, ``full`` or ``closed``."""

    number: int
    how: str


class Read(NamedTuple):
    """These messages were read."""

    numbers: tuple[int, ...]


class Ask(NamedTuple):
    """A question of an agent of the host to the program: ``what`` says who answers it, by an ``Answer``."""

    number: int
    what: str
    id: int
    args: bytes


class Note(NamedTuple):
    """What the program is told of an agent of the host, and does not answer."""

    what: str
    id: int
    args: bytes


class Leased(NamedTuple):
    """No more than so many agents run on the host at once, from now on."""

    slots: int


ToHost: TypeAlias = KitItem | DropKits | Place | Cancel | Deliver | Answer | Told | Lease | Listen | Close
ToProgram: TypeAlias = Began | Ended | Happened | Accepted | Read | Ask | Note | Leased
