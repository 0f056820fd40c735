"""A cluster that is played in this process: its calls, and what happens to them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from actors.cluster.items import Cancel
from actors.cluster.lane import Drained, PutAnswer, load
from actors.cluster.link import HostDied, HostFailed, HostInfo, HostRefused, LinkError, LinkGone
from actors.cluster.shared import sharing_now
from actors.testing import no_thread_left
from actors.testing.cluster import LinkStats, LocalLink

from .caller import Caller, Pending
from .echo_host import EchoHost

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def links() -> Iterator[Any]:
    """Makes links, and closes them: no thread of them may be left."""
    made: list[LocalLink] = []

    def make(nodes: int = 1, **said: Any) -> LocalLink:
        made.append(LocalLink(nodes, seed=1, make_host=EchoHost, **said))
        return made[-1]

    with no_thread_left():
        yield make
        for link in made:
            link.close()


def started(link: LocalLink, node: str = "node-1", incarnation: str = "one") -> Caller:
    caller = Caller(link, incarnation)
    assert isinstance(caller.start(node), HostInfo)
    return caller


def word(text: str = "") -> Cancel:
    return Cancel((1,), text, False)


def test_what_is_put_comes_out_of_the_host(links: Any) -> None:
    """Calls carry bytes there and back."""
    caller = started(links())
    caller.outbox.put(word("there"))
    caller.put()
    assert caller.drain() == [word("there")]
    assert len(caller.outbox) == 0


def test_nodes_are_named_and_join(links: Any) -> None:
    """A node that joins is seen at the next look."""
    link = links(2)
    caller = Caller(link, "one")
    assert [(node.id, node.is_alive) for node in caller.nodes()] == [("node-1", True), ("node-2", True)]
    assert link.add_node() == "node-3"
    assert len(caller.nodes()) == 3


def test_a_host_says_what_it_is_made_of(links: Any) -> None:
    """The same versions as the program, in this process."""
    link = links()
    assert Caller(link, "one").start("node-1") == link.here
    assert link.here.pid == os.getpid()


def test_a_node_of_another_python_is_refused_by_name(links: Any) -> None:
    """No host begins there, and the answer says why."""
    link = links(0)
    link.add_node(python="3.9")
    refused = Caller(link, "one").start("node-1")
    assert isinstance(refused, HostRefused)
    assert "Python 3.9 there" in str(refused)
    assert link.hosting("node-1") is None


def test_a_host_that_cannot_be_made_is_an_answer(links: Any) -> None:
    """What its making raises is told, with its cause."""
    failed = Caller(links(), "one").start("node-1", b"broken")
    assert isinstance(failed, HostFailed)
    assert str(failed) == "ValueError: these settings are broken"


def test_what_a_host_raises_is_told_apart_from_a_call_that_failed(links: Any) -> None:
    """It would raise it again: nobody needs to repeat the call."""
    failed = started(links()).pending("put", b"no frame").get()
    assert isinstance(failed, HostFailed)


@pytest.mark.parametrize("doing", ["starting", "calling"])
def test_an_unknown_name_is_an_error_of_the_call(links: Any, doing: str) -> None:
    """It does not harm the caller."""
    caller = Caller(links(), "one")
    answer = caller.start("node-9") if doing == "starting" else caller.drain()
    assert isinstance(answer, LinkError)


def test_a_killed_host_answers_what_is_on_its_way_and_what_comes(links: Any) -> None:
    """At once, with a node that lives; the host is closed."""
    link = links()
    caller = started(link)
    host = link.hosting("node-1")
    waiting = caller.pending("drain", caller.drain_frame(60.0))
    link.kill_host("node-1")
    for died in (waiting.get(), caller.drain()):
        assert isinstance(died, HostDied)
        assert died.node_lives
    assert host.is_closed.wait(10)
    assert not waiting.has_come


def test_a_new_host_can_begin_on_the_node_of_one_that_was_killed(links: Any) -> None:
    """Under a new name; the old name stays dead."""
    link = links()
    old = started(link)
    link.kill("one")
    new = started(link, incarnation="two")
    assert new.drain() == []
    assert isinstance(old.drain(), HostDied)


def test_a_host_killed_before_it_began_never_lives(links: Any) -> None:
    """The start is answered by its end."""
    link = links()
    link.freeze("node-1")
    pending = Pending(lambda done: link.start("node-1", "one", b"", done))
    link.kill("one")
    link.thaw("node-1")
    assert isinstance(pending.get(), HostDied)
    assert link.hosting("node-1") is None


def test_a_host_that_ends_its_own_process_has_died(links: Any) -> None:
    """As one whose fence has come."""
    caller = started(links())
    caller.outbox.put(word("end"))
    assert isinstance(caller.put(), HostDied)


def test_a_node_that_goes_leaves_nobody_sure(links: Any) -> None:
    """Calls fail, but no word that the host ended; it is seen as gone."""
    link = links(2)
    caller = started(link)
    waiting = caller.pending("drain", caller.drain_frame(60.0))
    link.kill_node("node-1")
    for failed in (waiting.get(), caller.drain()):
        assert type(failed) is LinkError
    assert [node.is_alive for node in caller.nodes()] == [False, True]
    assert isinstance(caller.start("node-1"), LinkError)


def test_calls_to_a_frozen_node_wait_and_come_when_it_goes_on(links: Any) -> None:
    """Nothing is answered before; the call that has waited is executed then."""
    link = links()
    caller = started(link)
    link.freeze("node-1")
    caller.outbox.put(word("late"))
    waiting = caller.pending("put", caller.put_frame())
    assert (Caller(link, "other").nodes()[0].is_alive, waiting.has_come) == (True, False)
    link.thaw("node-1")
    assert load(waiting.get(), PutAnswer).state.took == 1


def test_an_answer_of_a_frozen_node_waits_too(links: Any) -> None:
    """What was under way when it froze is answered when it goes on."""
    link = links()
    caller = started(link)
    waiting = caller.pending("drain", caller.drain_frame(60.0))
    host = link.hosting("node-1")
    assert host.is_drained.wait(10)
    link.freeze("node-1")
    host.outbox.put(word())
    assert (len(caller.nodes()), waiting.has_come) == (1, False)
    link.thaw("node-1")
    assert caller.inlet.take(load(waiting.get(), Drained)) == [word()]


def test_a_host_killed_while_frozen_is_told_at_once(links: Any) -> None:
    """A stopped process can be killed, and its node says so."""
    link = links()
    caller = started(link)
    link.freeze("node-1")
    waiting = caller.pending("drain", caller.drain_frame(0.0))
    link.kill_host("node-1")
    assert isinstance(waiting.get(), HostDied)


def test_calls_to_a_node_that_is_cut_off_fail_until_it_is_mended(links: Any) -> None:
    """Its host lives on, and knows of nothing."""
    link = links()
    caller = started(link)
    caller.outbox.put(word("again"))
    link.cut("node-1")
    assert isinstance(caller.put(), LinkError)
    assert link.hosting("node-1").inlet.last == 0
    link.mend("node-1")
    caller.put()
    assert caller.drain() == [word("again")]


def test_without_patience_a_lost_call_is_answered_by_the_end_alone(links: Any) -> None:
    """The engine has to time it out itself."""
    link = links(lost=1.0, patience=None)
    caller = started(link)
    waiting = caller.pending("put", caller.put_frame())
    caller.nodes()
    assert not waiting.has_come
    link.close()
    assert isinstance(waiting.get(), LinkGone)


def test_a_lost_answer_is_a_call_that_came(links: Any) -> None:
    """Nobody hears of it, and repeating it changes nothing."""
    link = links(lost_answers=1.0)
    caller = started(link)
    caller.outbox.put(word())
    assert isinstance(caller.put(), LinkError)
    assert link.hosting("node-1").inlet.last == 1


def test_a_doubled_call_comes_twice_and_is_answered_once(links: Any) -> None:
    """The first answer counts."""
    link = links(doubled=1.0)
    caller = started(link)
    caller.outbox.put(word())
    waiting = caller.pending("put", caller.put_frame())
    assert load(waiting.get(), PutAnswer).state.took == 1
    caller.outbox.acknowledge(1)
    assert caller.drain() == [word()]
    link.close()
    assert not waiting.has_come


def test_when_the_engine_is_lost_every_call_says_so(links: Any) -> None:
    """Those under way too, and all hosts end."""
    link = links(2)
    first, second = started(link), started(link, "node-2", "two")
    hosts = [link.hosting("node-1"), link.hosting("node-2")]
    waiting = first.pending("drain", first.drain_frame(60.0))
    link.lose_engine()
    assert isinstance(waiting.get(), LinkGone)
    assert isinstance(second.drain(), LinkGone)
    assert isinstance(Pending(link.nodes).get(), LinkGone)
    assert all(host.is_closed.wait(10) for host in hosts)


def test_a_closed_link_answers_what_it_owes_and_what_comes(links: Any) -> None:
    """By ``LinkGone``; closing again changes nothing."""
    link = links()
    caller = started(link)
    waiting = caller.pending("drain", caller.drain_frame(60.0))
    link.close()
    link.close()
    assert isinstance(waiting.get(), LinkGone)
    assert isinstance(caller.drain(), LinkGone)


def test_its_calls_are_counted(links: Any) -> None:
    """By kind, and what was lost of them."""
    link = links(lost=1.0)
    caller = started(link)
    caller.put()
    caller.drain()
    assert link.stats() == LinkStats(starts=1, puts=1, drains=1, lost=2)


@pytest.mark.parametrize("share", ["lost", "lost_answers", "doubled", "late"])
def test_a_share_is_from_0_to_1(share: str) -> None:
    """Another number is refused by name."""
    with pytest.raises(ValueError, match=f"{share} is a share of all calls"):
        LocalLink(0, **{share: 15})


def test_the_same_seed_gives_the_same_fates(links: Any) -> None:
    """Call by call."""

    def fates() -> list[bool]:
        caller = started(links(lost=0.5, patience=0.0))
        return [isinstance(caller.put(), LinkError) for _ in range(20)]

    first = fates()
    assert fates() == first
    assert {True, False} == set(first)


@pytest.mark.parametrize("seed", range(3))
def test_items_arrive_once_and_in_order_through_all_faults(seed: int) -> None:
    """The lanes bear calls and answers that are lost, doubled, late and out of order, 15 % each."""
    wanted = [word(str(number)) for number in range(30)]
    with no_thread_left():
        link = LocalLink(
            1, seed=seed, lost=0.15, lost_answers=0.15, doubled=0.15, late=0.15, late_by=0.002,
            patience=0.001, make_host=EchoHost,
        )  # fmt: skip
        caller = started(link)
        got: list[Cancel] = []
        for item in wanted:
            caller.outbox.put(item)
            caller.put()
            new = caller.drain()
            got += [] if isinstance(new, LinkError) else new
        while len(got) < len(wanted):
            caller.put()
            new = caller.drain(0.01)
            got += [] if isinstance(new, LinkError) else new
        link.close()
    assert got == wanted


def test_what_cannot_be_pickled_is_shared_while_a_link_that_shares_is_open(links: Any) -> None:
    """Several links share at once, and the last one that closes ends it: in whatever order they close."""
    first, second = links(shares=True), links(shares=True)
    shared = sharing_now()
    assert shared is not None
    first.close()
    assert sharing_now() is shared
    second.close()
    second.close()
    assert sharing_now() is None
