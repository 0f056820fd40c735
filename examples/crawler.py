"""A crawler: the pages of a host go to one fetcher, in order, and one that fails is tried again, later and later.

python examples/crawler.py [PAGES]     (of a site in memory: some pages are down for a while, one for good)
"""

import sys
from collections import Counter
from typing import NamedTuple
from urllib.parse import urlsplit

from actors import Actor, ActorRef, by_key, start_router

PAGES = int(sys.argv[1]) if sys.argv[1:] else 60
TRIES = 4
asked = Counter[str]()  # how often the site was asked for each page


def fetch(url: str) -> list[str]:
    """Return the links of a page, or fail, as a real site would: page 1 of host b links to 3 of host a and 4 of b."""
    number = int(urlsplit(url).path[1:])
    asked[url] += 1
    if number == 11 or (number % 5 == 3 and asked[url] <= number % TRIES):
        raise ConnectionError("503 Service Unavailable")
    return [f"http://{'abc'[n % 3]}.example/{n}" for n in (2 * number + 1, 2 * number + 2) if n < PAGES]


class Page(NamedTuple):
    """A page to be fetched, and then what came of it: its links, or None when it is down."""

    url: str
    tries: int = 0
    links: list[str] | None = None


class Fetcher(Actor[Page, None]):
    """Fetches the pages of some hosts, one at a time: so no host is asked for two at once."""

    dispatcher, inbox_capacity = "shared", None

    def __init__(self, crawler: "ActorRef[Crawler]") -> None:
        super().__init__()
        self.crawler = crawler

    def on_receive(self, message: Page) -> None:
        """Fetch it. If that fails, go on with other pages meanwhile, and try again when the time has come."""
        page = Page(message.url, message.tries + 1)
        try:
            page = Page(page.url, page.tries, fetch(page.url))
        except ConnectionError:
            if page.tries < TRIES:
                self.tell_later(0.005 * 2**page.tries, page)
                return
        self.crawler.tell(page, timeout=None)  # waits for room: a crawler that is behind slows its fetchers down


class Crawler(Actor[Page, list[Page]]):
    """Is asked with the first links, and replies with all that was found when no page is on its way any more."""

    def on_start(self) -> None:
        """Two fetchers for all hosts."""
        self.seen, self.found = set[str](), list[Page]()
        self.fetchers = start_router(Fetcher, 2, self.actor_ref, routing=by_key(lambda page: urlsplit(page.url).netloc))

    def on_receive(self, message: Page) -> None:
        """Have each page fetched that was not seen before."""
        self.found.append(message)
        if len(self.found) == 1:
            self.reply = self.defer_reply()
        for url in message.links or []:
            if url not in self.seen:
                self.seen.add(url)
                self.fetchers.tell(Page(url))
        if len(self.found) > len(self.seen):
            self.reply.set(self.found[1:])


found = Crawler.start().ask(Page("the beginning", links=["http://a.example/0"]), timeout=60)
down = [page.url for page in found if page.links is None]
print(f"{len(found) - len(down)} pages in {sum(asked.values())} requests; {down} down after {TRIES} tries")
