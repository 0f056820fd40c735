"""Every tool of ours passes the suite that users' own tools may pass."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from actors import (
    Capability,
    FileRead,
    FileWrite,
    InMemorySubstrate,
    MemorySubstrate,
    Network,
    Shell,
    Spawn,
    Tool,
    needs_approval,
    tool,
)
from actors.core.waiting.cancel import CancelToken
from actors.testing import ToolConformance
from actors.tools import agents, file_changes, files, memory_tools
from actors.tools.fetch import fetch_tool
from actors.tools.grep import grep_files
from actors.tools.inference import ask_model
from actors.tools.mcp import McpServers
from actors.tools.shell import run_command
from tests.tools.isolated import double
from tests.tools.test_mcp import manifest, rogue
from tests.tools.web import web_server


class OfFiles(ToolConformance):
    """Tools that need a folder."""

    granted: tuple[Capability, ...] = (FileRead(allowed_paths=(".",)), FileWrite(allowed_paths=(".",)))

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "a.txt").write_text("one two\n")

    def grants(self) -> tuple[Capability, ...]:
        return self.granted


class TestReadFile(OfFiles):
    def tool(self) -> Tool:
        return files.read_file

    def input(self) -> Mapping[str, Any]:
        return {"path": "a.txt"}


class TestListFiles(OfFiles):
    def tool(self) -> Tool:
        return files.list_files

    def input(self) -> Mapping[str, Any]:
        return {"path": "."}


class TestFindFiles(OfFiles):
    def tool(self) -> Tool:
        return files.find_files

    def input(self) -> Mapping[str, Any]:
        return {"pattern": "*.txt"}


class TestGrepFiles(OfFiles):
    def tool(self) -> Tool:
        return grep_files

    def input(self) -> Mapping[str, Any]:
        return {"pattern": "two", "path": "."}


class TestWriteFile(OfFiles):
    def tool(self) -> Tool:
        return file_changes.write_file

    def input(self) -> Mapping[str, Any]:
        return {"path": "b.txt", "content": "three\n"}


class TestEditFile(OfFiles):
    def tool(self) -> Tool:
        return file_changes.edit_file

    def input(self) -> Mapping[str, Any]:
        Path("a.txt").write_text("one two\n")
        return {"path": "a.txt", "old": "two", "new": "2"}

    def test_it_serves_many_agents_at_once(self) -> None:
        """Of the same edit one wins; that none is lost is tested with the tool."""


@pytest.mark.process
class TestRunCommand(OfFiles):
    granted = (Shell(allowed_commands=("true",)),)

    def tool(self) -> Tool:
        return run_command

    def input(self) -> Mapping[str, Any]:
        return {"command": ["true"]}


class TestFetch(ToolConformance):
    def tool(self) -> Tool:
        return fetch_tool(timeout=5)

    def input(self) -> Mapping[str, Any]:
        web = self.cleanup.enter_context(web_server())
        web.page("/", "<p>x</p>")
        return {"url": f"{web.url}/"}

    def grants(self) -> tuple[Capability, ...]:
        return (Network(allowed_hosts=("127.0.0.1",)),)


class OfMemory(ToolConformance):
    """Tools that need a memory."""

    def setup_method(self) -> None:
        super().setup_method()
        self._memory = InMemorySubstrate()
        self._memory.set("caller", "key", 1)

    def memory(self) -> MemorySubstrate:
        return self._memory


class TestRemember(OfMemory):
    def tool(self) -> Tool:
        return memory_tools.memory_remember

    def input(self) -> Mapping[str, Any]:
        return {"content": "an apple"}


class TestRecall(OfMemory):
    def tool(self) -> Tool:
        return memory_tools.memory_recall

    def input(self) -> Mapping[str, Any]:
        return {"query": "apple"}


class TestForget(OfMemory):
    def tool(self) -> Tool:
        return memory_tools.memory_forget

    def input(self) -> Mapping[str, Any]:
        return {"id": "none"}


class TestSet(OfMemory):
    def tool(self) -> Tool:
        return memory_tools.memory_set

    def input(self) -> Mapping[str, Any]:
        return {"key": "key", "value": {"a": 1}}


class TestGet(OfMemory):
    def tool(self) -> Tool:
        return memory_tools.memory_get

    def input(self) -> Mapping[str, Any]:
        return {"key": "key"}


class OfAgents(ToolConformance):
    """Tools that need others."""

    def grants(self) -> tuple[Capability, ...]:
        return (Spawn(max_depth=1),)


class TestSpawnAgent(OfAgents):
    def tool(self) -> Tool:
        return agents.spawn_agent

    def input(self) -> Mapping[str, Any]:
        return {"task": "Think.", "timeout": 5}

    def test_a_good_call_succeeds(self) -> None:
        """It needs a model that answers both; tested with the tool."""

    test_it_serves_many_agents_at_once = test_a_good_call_succeeds


class TestSendMessage(OfAgents):
    def tool(self) -> Tool:
        return agents.send_message

    def input(self) -> Mapping[str, Any]:
        return {"to": 0, "content": "hello"}


class TestListAgents(OfAgents):
    def tool(self) -> Tool:
        return agents.list_agents

    def input(self) -> Mapping[str, Any]:
        return {}


class TestAskModel(ToolConformance):
    def tool(self) -> Tool:
        return ask_model

    def input(self) -> Mapping[str, Any]:
        return {"prompt": "Why?"}


@pytest.mark.process
class TestIsolated(ToolConformance):
    def tool(self) -> Tool:
        return double

    def input(self) -> Mapping[str, Any]:
        return {"numbers": [1, 2]}

    def test_odd_arguments_do_no_harm(self) -> None:
        """They are looked at before a process is started, as those of any function."""


class TestApproved(TestListFiles):
    def tool(self) -> Tool:
        return needs_approval(files.list_files, timeout=0, default="approve")


@pytest.mark.process
class TestMcp(ToolConformance):
    def tool(self) -> Tool:
        servers = McpServers()
        self.cleanup.callback(servers.close)
        found = servers.tools_for(manifest(rogue()), CancelToken())
        return next(tool for tool in found if tool.name == "rogue.echo")

    def input(self) -> Mapping[str, Any]:
        return {"text": "hi"}

    def test_an_unknown_argument_is_an_error(self) -> None:
        """That is the server's to say."""

    def test_odd_arguments_do_no_harm(self) -> None:
        """To this one server; each call starts it anew here."""
        assert self._call({"text": "\0\U0001f600" * 1000}).content


@tool(reconcile=lambda effect_key, input: f"{input['to']} was paid" if effect_key else None)  # noqa: A006
def pay(to: str, effect_key: str) -> str:
    """Pay somebody."""
    return f"{to} {effect_key}"


class TestPay(ToolConformance):
    def tool(self) -> Tool:
        return pay

    def input(self) -> Mapping[str, Any]:
        return {"to": "me"}


class Said(ToolConformance):
    """A tool that says something of itself."""

    def __init__(self, **attributes: Any) -> None:
        self.attributes = attributes

    def tool(self) -> Tool:
        class Looked:
            name, definition, timeout, required_capability = "it", pay.definition, None, None
            execute = pay.execute

        vars(made := Looked()).update(self.attributes)
        return made

    def input(self) -> Mapping[str, Any]:
        return {"to": "me"}


@pytest.mark.parametrize(
    ("attributes", "wrong"),
    [
        ({}, None),
        ({"effect": "idempotent", "repeatable": True, "reconcile": None, "approval": None}, None),
        ({"effect": "at_most_once", "reconcile": pay.reconcile}, None),
        ({"effect": "once"}, ValueError),
        ({"effect": "idempotent", "reconcile": pay.reconcile}, AssertionError),
        ({"reconcile": "was_paid"}, TypeError),
        ({"reconcile": lambda: None}, TypeError),
        ({"repeatable": "yes"}, AssertionError),
        ({"approval": True}, AssertionError),
        ({"check": True}, AssertionError),
    ],
)
def test_what_a_tool_may_say_is_looked_at(attributes: dict[str, Any], wrong: type[Exception] | None) -> None:
    """Each optional attribute has to be such as it is read."""
    said = Said(**attributes)
    with nullcontext() if wrong is None else pytest.raises(wrong):
        said.test_what_it_may_say_of_its_calls()


def suites(base: type[ToolConformance] = ToolConformance) -> list[type[ToolConformance]]:
    below = [suite for child in base.__subclasses__() for suite in (child, *suites(child))]
    return [suite for suite in below if suite.__module__ == __name__ and suite.__name__.startswith("Test")]


def test_all_tools_are_here() -> None:
    """A new one needs a class above."""
    covered = {suite().tool().name for suite in suites() if suite is not TestMcp}
    ours = {tool.name for tool in (*files.FILE_TOOLS, *file_changes.CHANGE_TOOLS, *memory_tools.MEMORY_TOOLS)}
    ours |= {tool.name for tool in agents.AGENT_TOOLS} - {"wait_for_message"}  # it waits, and is tested by itself
    assert ours | {"grep_files", "run_command", "fetch_url", "ask_model"} <= covered
