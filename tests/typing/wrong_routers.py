"""A wrong message for a router, and a wrong use of its reply, is an error where it stands."""

from __future__ import annotations

from actors import Actor
from actors.actors import by_key, start_router


class Account(Actor[int, str]):
    def on_receive(self, message: int) -> str:
        return str(message)


workers = start_router(Account, 3)
workers.tell("x")  # error
workers.ask("x")  # error
workers.ask(3).bit_count()  # error
workers.resize("2")  # error
everybody = start_router(Account, 3, routing="broadcast")
everybody.ask(3).upper()  # error
start_router(Account, 3, routing="nearest")  # error
start_router(int, 3)  # error
by_key("name")  # error
