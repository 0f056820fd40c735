"""What a type checker refuses of topics and registries."""

from actors import Actor, Registry, Topic


class Reader(Actor):
    """Somebody who listens."""


news: Topic[str] = Topic("news")
reader = Reader.start()
news.subscribe(Reader)  # error
news.subscribe(reader, accept="a")  # error
news.publish(3)  # error
numbers: Topic[int] = Topic("numbers")
numbers.subscribe(reader, accept=lambda number: number.title())  # error
registry = Registry()
registry.register(reader, "reader")  # error
registry.find("reader").tell("a letter")  # error
registry.all("Reader")  # error
