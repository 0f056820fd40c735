"""What an actor is told and what it replies is known where it says so."""

# pyright: strict
from __future__ import annotations

import asyncio
from typing import Any, Generic, TypeVar, assert_type

from actors import Actor, ActorRef, ReplyFuture, supervise
from actors.actors import DeferredReply

T = TypeVar("T")


class Account(Actor[int, str]):
    def on_receive(self, message: int) -> str:
        assert_type(self.actor_ref.ask(3), str)
        self.actor_ref.tell(3)
        return str(message)


class Later(Actor[int, str]):
    async def on_receive(self, message: int) -> str:
        await asyncio.sleep(0)
        return str(message)


class Fut(Actor[int, str]):
    def on_receive(self, message: int) -> ReplyFuture[str]:
        return Account.start().ask_future(message)


class Def(Actor[int, str]):
    def on_receive(self, message: int) -> None:
        reply: DeferredReply[str] = self.defer_reply()
        reply.set("3")
        self.pipe(Account.start().ask_future(3))


class Box(Actor[T, list[T]], Generic[T]):
    def on_receive(self, message: T) -> list[T]:
        return [message]


class IntBox(Box[int]):
    pass


class Plain(Actor):
    def on_receive(self, message: Any) -> Any:
        return message


ref = Account.start()
assert_type(ref, ActorRef[Account])
assert_type(ref.ask(3), str)
assert_type(ref.ask(3, timeout=3), str)
assert_type(ref.ask(3, block=False), ReplyFuture[str])
assert_type(ref.ask_future(3), ReplyFuture[str])
assert_type(ref.ask_future(3).get(), str)
ref.tell(3)
sup = supervise(Account)
assert_type(sup, ActorRef[Account])
assert_type(sup.ask(3), str)
assert_type(Later.start().ask(3), str)
assert_type(Fut.start().ask(3), str)
assert_type(Def.start().ask(3), str)
assert_type(IntBox.start().ask(3), list[int])
plain = Plain.start()
assert_type(plain.ask("anything"), Any)
plain.tell(object())


def some(ref: ActorRef[Actor[int, str]]) -> str:
    return ref.ask(4)


some(ref)


def anyref(ref: ActorRef) -> None:
    ref.tell(3)


anyref(ref)


async def main() -> None:
    assert_type(await ref.ask_future(3), str)
