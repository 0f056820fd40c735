"""The link on a real cluster: two nodes of Ray's on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors.cluster.beside import told
from actors.cluster.items import Cancel
from actors.cluster.link import HostDied, HostFailed, HostInfo, LinkError, LinkGone
from actors.cluster.ray_link import RayLink
from actors.testing import no_thread_left

from ..waiting import eventually
from .caller import Caller, Pending

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.process, pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")]

HERE = Path(__file__)
ECHO = "tests.cluster.echo_host:EchoHost"
PROGRAM = f"""
import os, signal, sys
from actors.cluster.ray_link import RayLink
from tests.cluster.caller import Caller, Pending
link = RayLink(sys.argv[1], host="{ECHO}")
node = Pending(link.nodes).get(60)[0]
print(link.pid, Caller(link, "mine").start(node.id).pid, link.log, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def cluster() -> Iterator[dict[str, Any]]:
    """Where it is, and its raylets by the ids of their nodes."""
    process = subprocess.Popen(
        [sys.executable, str(HERE.with_name("ray_cluster.py")), "2"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(HERE.parents[2])},
    )
    with process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())


def is_gone(pid: int) -> bool:
    """Is there no such process any more?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def word(text: str) -> Cancel:
    return Cancel((1,), text, False)


def test_hosts_on_a_cluster_begin_work_die_and_end(cluster: dict[str, Any]) -> None:
    """One story, as starting a cluster takes seconds: each step says what it shows."""
    with no_thread_left():
        link = RayLink(cluster["address"], host=ECHO)
        first, second = Pending(link.nodes).get(60)
        assert {first.id, second.id} == set(cluster["raylets"])
        assert first.name != second.name, "nodes of one machine have names of their own"
        pids = [_works(link, first.id, "one"), _works(link, second.id, "two"), _dies(link, first.id)]
        _fails(cluster["address"], first.id)
        _is_killed(link, first.id)
        _loses_a_node(link, second.id, cluster["raylets"][second.id])
        link.close()
        eventually(lambda: all(map(is_gone, pids)))
        assert not link.log.exists()
    _ends_with_the_program(cluster["address"])


def _works(link: RayLink, node: str, name: str) -> int:
    """A host begins in a process of its own, takes and gives; what it raises is told apart."""
    caller = Caller(link, name)
    info = caller.start(node)
    assert isinstance(info, HostInfo)
    assert info[1:] == link.here[1:]
    assert info.pid not in (os.getpid(), link.pid)
    caller.outbox.put(word("there"))
    caller.put()
    assert caller.drain() == [word("there")]
    assert isinstance(caller.pending("put", b"no frame").get(), HostFailed)
    return info.pid


def _dies(link: RayLink, node: str) -> int:
    """The end of its process is known at once, and for sure; another one begins there."""
    caller = Caller(link, "dies")
    info = caller.start(node)
    assert isinstance(info, HostInfo)
    waiting = caller.pending("drain", caller.drain_frame(60.0))
    os.kill(info.pid, signal.SIGKILL)
    for died in (waiting.get(), caller.drain()):
        assert isinstance(died, HostDied)
        assert died.node_lives
    return _works(link, node, "again")


def _fails(address: str, node: str) -> None:
    """Where a host cannot be made, the reason is told."""
    link = RayLink(address, host="no_such_module:Host")
    failed = Caller(link, "one").start(node)
    assert isinstance(failed, HostFailed)
    assert "no_such_module" in str(failed)
    link.close()


def _is_killed(link: RayLink, node: str) -> None:
    """By the program: also one that stands still, of which nobody is sure then."""
    caller = Caller(link, "stopped")
    info = caller.start(node)
    assert isinstance(info, HostInfo)
    os.kill(info.pid, signal.SIGSTOP)
    waiting = caller.pending("drain", caller.drain_frame(60.0))
    link.kill("stopped")
    died = waiting.get()
    assert isinstance(died, HostDied)
    assert not died.node_lives
    os.kill(info.pid, signal.SIGCONT)
    eventually(lambda: is_gone(info.pid))


def _loses_a_node(link: RayLink, node: str, raylet: int) -> None:
    """Calls to it fail, and nobody is sure of what ended."""
    caller = Caller(link, "two")
    caller.drain()
    waiting = caller.pending("drain", caller.drain_frame(60.0))
    os.kill(raylet, signal.SIGKILL)
    lost = waiting.get(30)
    assert isinstance(lost, LinkError)
    assert not getattr(lost, "node_lives", False)


def _ends_with_the_program(address: str) -> None:
    """A program that is killed leaves no host, no process beside, and no log."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, address],
        stdout=subprocess.PIPE,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(HERE.parents[2])},
        check=False,
    )
    beside, host, log = ran.stdout.decode().split()
    eventually(lambda: is_gone(int(host)))
    eventually(lambda: is_gone(int(beside)))
    assert not Path(log).exists()


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1:1", "ConnectionError: there is no cluster at 127.0.0.1:1: "),
        ("ray://head:10001", "ValueError: ray://head:10001 is for clients of Ray's: give the address of the head"),
    ],
)
def test_without_a_cluster_every_call_says_so(address: str, why: str) -> None:
    """At once, with the file that has the rest."""
    link = RayLink(address, host=ECHO)
    gone = Pending(link.nodes).get(60)
    assert isinstance(gone, LinkGone)
    assert str(gone).startswith(why)
    assert str(link.log) in str(gone)
    link.close()
    link.log.unlink()


WORKER_DIED = """The actor died unexpectedly before finishing this task.
\tclass_name: RayHost
\tactor_id: 0123
\tpid: 8809
The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: \
Worker unexpectedly exits. End of file. Some common causes include: (1) many."""


@pytest.mark.parametrize(
    ("of_ray", "reason", "is_sure"),
    [
        (
            WORKER_DIED,
            "its process has ended (SYSTEM_ERROR: Worker unexpectedly exits. End of file.)",
            True,
        ),
        (
            "Died.\n\tpid: 1\nThe actor is dead because it was killed by `ray.kill`.",
            "it was killed by the program",
            False,
        ),
        ("Died.\n\tpid: 1\nThe actor died because its node has died. Node Id: 12", "its node has died", False),
        ("Died.\n\tpid: 1\nSomething new.", "Something new.", False),
    ],
)
def test_what_ray_says_of_a_dead_actor_is_told_of_a_host(of_ray: str, reason: str, is_sure: bool) -> None:
    """In few words; sure is only what its raylet has seen."""
    from ray.exceptions import ActorDiedError

    error = ActorDiedError()
    error.error_msg = of_ray
    died = told(error)
    assert isinstance(died, HostDied)
    assert (str(died), died.node_lives) == (reason, is_sure)
