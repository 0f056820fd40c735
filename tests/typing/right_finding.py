"""Topics and registries: what a type checker knows of them."""
# pyright: strict

from typing import assert_type

from actors import Actor, ActorRef, Registry, Topic


class Reader(Actor):
    """Somebody who listens."""


news: Topic[str] = Topic("news")
reader = Reader.start()
leave = news.subscribe(reader)
news.subscribe(reader, accept=lambda text: text.startswith("a"))
news.subscribe(reader, None)
assert_type(leave(), None)
assert_type(news.publish("a book"), int)
assert_type(len(news), int)

registry = Registry()
registry.register("reader", reader)
assert_type(registry.unregister("reader"), bool)
assert_type(registry.all(Reader), list[ActorRef[Reader]])
assert_type(registry.names(), list[str])
assert_type(registry.stop_all(), list[bool])
assert_type(registry.stop_all(block=True, timeout=3), list[bool])
found = registry.find("reader")
if found is not None:
    found.tell("a letter")
for future in registry.stop_all(block=False):
    assert_type(future.get(), bool)
