"""``actors run --live``: a page of a run."""

from __future__ import annotations

import os
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest

from actors.agent.events import ApprovalRequested
from actors.cli.approver import Approver
from actors.cli.live import with_port
from actors.inside.live_view.doorplate import doors

from ..inside.visitor import Visitor
from ..waiting import BOUND, eventually
from .test_approver import CAREFUL, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--live bot.toml", "--live 0 bot.toml"),
        ("bot.toml --live", "bot.toml --live 0"),
        ("--live 8123 bot.toml", "--live 8123 bot.toml"),
        ("--live -q", "--live 0 -q"),
        ("--live -1", "--live -1"),
        ("--live=8123 bot.toml", "--live=8123 bot.toml"),
        ("--live -- 8123", "--live 0 -- 8123"),
        ("-- --live", "-- --live"),
        ("bot.toml", "bot.toml"),
    ],
)
def test_the_port_may_be_left_out(typed: str, meant: str) -> None:
    """A word that is no number is not taken for it."""
    assert with_port(typed.split()) == meant.split()


def test_a_run_tells_the_address_of_its_page(cli: Callable[..., Any]) -> None:
    """Once, beside what it tells otherwise, and not in its results; the page ends with it."""
    done = cli("run", "--driver", "echo", "--prompt", "hi", "--live", "nodriver.toml")
    assert done.exit_code == 0
    (address,) = re.findall(r"^live: http://127\.0\.0\.1:(\d+)/\?token=\S+$", done.stderr, re.MULTILINE)
    assert "token" not in done.stdout
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(address)), 1)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--live", "70000"], "--live is 70000: a port is a whole number from 0 to 65535"),
        (["--live", "-1"], "--live is -1: a port is a whole number"),
        (["--control"], "--control is about the page of --live: give --live"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_makes_no_sense_is_refused(cli: Callable[..., Any], options: list[str], problem: str) -> None:
    """By the option, before anything runs."""
    done = cli("run", "--driver", "echo", "--prompt", "hi", "nodriver.toml", *options)
    assert done.exit_code == 2
    assert problem in done.stderr


def test_a_port_that_is_taken_leaves_no_file(cli: Callable[..., Any], folder: Path) -> None:
    """It is looked at before the output is made: else the next try would find that."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = cli(
            "run", "--driver", "echo", "--prompt", "hi", "nodriver.toml", "--live", str(port), "--out", "o.jsonl"
        )
    assert done.exit_code == 2
    assert f"error: --live: the live view cannot listen on port {port}: Address already in use" in done.stderr
    assert not (folder / "o.jsonl").exists()


def test_what_a_page_can_answer_is_not_denied_for_want_of_a_terminal(capsys: Any) -> None:
    """It is told where to answer, and left."""
    with Approver(elsewhere=True) as approver:  # has no pool: an answer would fail
        approver(
            ApprovalRequested(
                agent_id=7, agent="payer", call_id="c", tool="pay", input={}, timeout=None, default="deny"
            )
        )
    assert capsys.readouterr().err == "#7 payer asks to call pay: answer on the page of --live\n"


def test_a_call_is_approved_on_the_page(
    cli: Callable[..., Any], folder: Path, tmp_path: Path, monkeypatch: Any, in_thread: Callable[..., Any]
) -> None:
    """Of a run without a terminal, with --control; it is found by its process, as ``actors top`` does."""
    (folder / "careful.py").write_text(CAREFUL)
    (folder / "careful.toml").write_text(MANIFEST.format(more=""))
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))

    def approve() -> None:
        eventually(lambda: doors(os.getpid()))
        visitor = Visitor(doors(os.getpid())[0])
        eventually(lambda: visitor.get("/state").json["approvals"])
        assert visitor.order("/approve", {"agent_id": 1, "call_id": "c"}).json == {"done": True}

    approving = in_thread(approve)
    done = cli("run", "careful.toml", "--prompt", "hi", "--live", "--control")
    approving.result(BOUND)
    assert done.exit_code == 0
    assert "told: HI" in done.stdout
