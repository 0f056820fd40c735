"""Names of tools."""

from __future__ import annotations

from actors import AssistantMessage, CompletionRequest, ToolCall, ToolDefinition, UserMessage
from actors.drivers.edge.names import ToolNames


def test_names_go_and_come_back() -> None:
    """Those that no provider accepts are told otherwise; two never become one."""
    names = ToolNames(["plain", "git.log", "git_log", "git log", "x" * 70, "x" * 69, "", "ÄÖ"])
    said = [names.said(name) for name in ("plain", "git.log", "git_log", "git log", "x" * 70, "x" * 69, "", "ÄÖ")]
    assert said[:2] == ["plain", "git_log"]
    assert len(set(said)) == len(said)
    assert all(0 < len(name) <= 64 and name.replace("_", "").replace("-", "").isascii() for name in said)
    assert [names.meant(name) for name in said][:4] == ["plain", "git.log", "git_log", "git log"]
    assert names.meant("made_up") == "made_up"


def test_names_of_a_conversation() -> None:
    """Also those of earlier calls of tools that are not there any more."""
    call = ToolCall("1", "old.tool", {})
    request = CompletionRequest(
        (UserMessage("q"), AssistantMessage("", (call,))), (ToolDefinition("new.tool", "", {}),)
    )
    names = ToolNames.of(request)
    assert (names.said("old.tool"), names.said("new.tool")) == ("old_tool", "new_tool")
