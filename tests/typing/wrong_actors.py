"""A wrong message, and a wrong use of a reply, is an error where it stands: each line that is marked, and no other."""

from __future__ import annotations

from actors import Actor, ActorRef


class Account(Actor[int, str]):
    def on_receive(self, message: int) -> str:
        self.actor_ref.tell("x")  # error
        return str(message)


class W(Actor[int, str]):
    def on_receive(self, message: str) -> str:  # error
        return message


class V(Actor[int, str]):
    def on_receive(self, message: int) -> int:  # error
        return message


ref = Account.start()
ref.tell("x")  # error
ref.ask("x")  # error
ref.ask_future("x")  # error
x: int = ref.ask(3)  # error


def some(ref: ActorRef[Actor[int, int]]) -> int:
    return ref.ask(4)


some(ref)  # error
ref.ask(3).bit_count()  # error
ref.ask_future(3).get().bit_count()  # error
