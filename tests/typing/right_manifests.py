"""Manifests from keywords, with tables or dicts, and with words in place of enumerations."""

# pyright: strict
from __future__ import annotations

from typing import assert_type

from actors import (
    AgentManifest,
    AgentPool,
    AgentStatus,
    Budget,
    FailurePolicy,
    FileRead,
    FileWrite,
    FunctionDriver,
    Network,
    PrivacyTier,
    RestartPolicy,
    RoutingDriver,
    ScriptedDriver,
    Shell,
    Spawn,
    SpawnConfig,
    needs_approval,
    tool,
)
from actors.drivers.openai import OpenAIDriver
from actors.manifests import ApprovalDefault, ApprovalRules, McpServer, McpTransport, ModelConfig, ResourceLimits
from actors.ports import AssistantMessage, UserMessage

by_tables = AgentManifest(
    name="reader",
    version="1.0",
    description="Reads.",
    model=ModelConfig(remote_model="m", temperature=0, private_hosts=["llm.corp"], base_url=None),
    resources=ResourceLimits(max_iterations=3, max_cost_usd=1, max_tokens_budget=None),
    capabilities=[Network(allowed_hosts=["example.com"]), FileRead(allowed_paths=("/data",)), Spawn(max_depth=2)],
    privacy="private",
    mcp_servers=[McpServer(name="git", command=["git-server"], transport="stdio", headers={})],
    agent="bots:Reader",
    tools=["bots:search"],
    approval=ApprovalRules(tools=["write_file"], timeout=3, default="approve"),
)
assert_type(by_tables, AgentManifest)
assert_type(by_tables.privacy, PrivacyTier)
assert_type(by_tables.model.private_hosts, tuple[str, ...])
assert_type(by_tables.approval.default, ApprovalDefault)

by_dicts = AgentManifest(
    model={"system_prompt": "Be brief.", "max_tokens": 100},
    resources={"max_tool_calls": 3},
    capabilities=(FileWrite(allowed_paths=["/out"]), Shell(allowed_commands=["ls"]), {"type": "rag"}),
    privacy=PrivacyTier.STANDARD,
    mcp_servers=({"name": "web", "transport": McpTransport.HTTP, "url": "https://example.com/mcp"},),
    approval={"tools": ("*",), "default": ApprovalDefault.DENY},
)
assert_type(AgentManifest.load("agent.toml"), AgentManifest)
assert_type(AgentManifest.from_toml("name = 'a'"), AgentManifest)
assert_type(by_dicts.narrowed(by_tables), AgentManifest)
assert_type(by_dicts.model_copy(update={"name": "b"}), AgentManifest)


@tool
def search(text: str, limit: int = 3) -> list[str]:
    """Search."""
    return [text] * limit


config = SpawnConfig(
    by_tables,
    {"any": "thing"},
    kwargs={},
    timeout=3,
    deadline=4.5,
    priority=2,
    group=("a", 1),
    tag=object(),
    driver=ScriptedDriver(["a"]),
    tools=[search, needs_approval(search, default="deny", timeout=3)],
    messages=[UserMessage("hello"), AssistantMessage("hi")],
    budget=Budget(max_tokens=100),
    keep_messages=False,
)
assert_type(config.manifest, AgentManifest)
assert_type(config.timeout, float | None)

with AgentPool(
    FunctionDriver(lambda request: request.messages[-1].text),
    8,
    max_queued=None,
    failure="cancel_rest",
    restart=RestartPolicy(max_restarts=1),
    tools=[search],
    group_budgets={"a": Budget(max_iterations=3)},
) as pool:
    pool.map([config], failure="collect")
    pool.join_all(failure=FailurePolicy.COLLECT)
    outcome = pool.spawn(config, timeout=None).outcome(3)
    assert_type(outcome.status, AgentStatus)
    if outcome.status == "completed" or outcome.status in ("failed", "crashed"):
        print(outcome.ok)
    if outcome.status is AgentStatus.TIMED_OUT:
        print(outcome.error)
    assert_type(pool.spawn(config).status, AgentStatus)

AgentPool(RoutingDriver(ScriptedDriver.text("a"), OpenAIDriver("m", privacy="standard"), strategy="primary_only"))
