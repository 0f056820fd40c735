"""What a router is told and what it replies is what its members are told and reply."""

# pyright: strict
from __future__ import annotations

from typing import Any, Literal, assert_type

from actors import Actor, ActorRef, ReplyFuture
from actors.actors import RouterRef, by_key, start_router


class Account(Actor[int, str]):
    def on_receive(self, message: int) -> str:
        return str(message)


def key(message: Any) -> int:
    return int(message)


workers = start_router(Account, 3)
assert_type(workers, RouterRef[Account])
assert_type(workers.members, tuple[ActorRef[Account], ...])
assert_type(workers.ask(3, timeout=3), str)
assert_type(workers.ask_future(3), ReplyFuture[str])
workers.tell(3)
assert_type(start_router(Account, 3, routing=by_key(key)).ask(3), str)
assert_type(start_router(Account, 3, routing="random", supervised=False).ask(3), str)

everybody = start_router(Account, 3, routing="broadcast")
assert_type(everybody, RouterRef[Account, Literal["all"]])
assert_type(everybody.ask(3), list[str])
assert_type(everybody.ask_future(3), ReplyFuture[list[str]])
everybody.tell(3)


def total(router: RouterRef[Actor[int, str]]) -> str:
    return router.ask(4)


total(workers)
assert_type(workers.stop(), bool)
workers.watch(lambda ended: print(ended.how_ended))
