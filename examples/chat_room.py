"""A chat: who has joined a room hears what others say there, and who quits has left all of them.

python examples/chat_room.py [FILE of lines "NAME: WORDS", "NAME: /join ROOM", "NAME: /leave ROOM", "NAME: /quit"]
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

from actors import Actor, Registry, Topic

CHAT = """\
ann: /join tea
bob: /join tea
ann: Is anybody here?
bob: I am.
bob: /join code
cid: /join tea
cid: /join code
cid: Who knows Python?
bob: /quit
ann: Who has the biscuits?
cid: /leave tea
ann: Nobody, it seems."""


class Said(NamedTuple):
    """What somebody said in a room."""

    who: str
    room: str
    words: str


class User(Actor):
    """Somebody in front of a screen. While nobody says anything, a million of them need no thread."""

    dispatcher = "shared"

    def __init__(self, name: str, rooms: dict[str, Topic[Said]]) -> None:
        super().__init__()
        self.name, self.rooms = name, rooms
        self.ways_out: dict[str, Any] = {}  # functions, of the rooms that it has joined; it speaks in the last
        self.screen: list[str] = []

    def on_receive(self, message: Said | str) -> str:
        """Show what somebody else has said, or do what a line says; answer what came of it."""
        if isinstance(message, Said):
            self.screen.append(f"[{message.room}] {message.who}: {message.words}")
            return "reads"
        command, _, room = message.partition(" ")
        if command == "/join":
            topic = self.rooms.setdefault(room, Topic(room))
            self.ways_out[room] = topic.subscribe(self.actor_ref, accept=lambda said: said.who != self.name)
            return f"joins {room}"
        if command == "/leave" and room in self.ways_out:
            self.ways_out.pop(room)()
            return f"leaves {room}"
        if command.startswith("/") or not self.ways_out:
            return f"cannot do that: {message}"
        room = list(self.ways_out)[-1]
        return f"says in {room}: {message} ({self.rooms[room].publish(Said(self.name, room, message))} hear it)"

    def on_stop(self) -> None:
        """Print what it has read."""
        print(f"{self.name} quits, and has read", *self.screen, sep="\n  ")


rooms: dict[str, Topic[Said]] = {}
users = Registry()
for line in (Path(sys.argv[1]).read_text(encoding="utf-8") if sys.argv[1:] else CHAT).splitlines():
    name, _, words = line.partition(": ")
    user = users.find(name) or User.start(name, rooms)
    users.register(name, user)  # until it ends; once more changes nothing
    if words == "/quit":
        user.stop()  # it reads what was said before, and leaves its rooms by ending
    else:
        print(name, user.ask(words))
users.stop_all()  # who came last quits first
