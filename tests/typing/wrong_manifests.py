"""A wrong field, kind of value or word is an error where it stands: each line that is marked, and no other."""

from __future__ import annotations

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    Budget,
    FileRead,
    FileWrite,
    FunctionDriver,
    Network,
    RestartPolicy,
    RoutingDriver,
    ScriptedDriver,
    Shell,
    Spawn,
    needs_approval,
    tool,
)
from actors.drivers.openai import OpenAIDriver
from actors.manifests import ApprovalRules, McpServer, ModelConfig, ResourceLimits
from actors.ports import CompletionRequest

AgentManifest("m")  # error
AgentManifest(nmae="m")  # error
AgentManifest(name=3)  # error
AgentManifest(privacy="secret")  # error
AgentManifest(capabilities=Network())  # error
AgentManifest(capabilities=["network"])  # error
AgentManifest(tools="bots:search")  # error
AgentManifest(tools=[len])  # error
AgentManifest(agent=Agent)  # error
AgentManifest(model="gpt")  # error
AgentManifest(model={"temprature": 0.5})  # error
AgentManifest(model={"temperature": "hot"})  # error
AgentManifest(resources={"max_iteration": 3})  # error
AgentManifest(resources=ModelConfig())  # error
AgentManifest(approval={"default": "perhaps"})  # error
AgentManifest(approval=["write_file"])  # error
AgentManifest(mcp_servers=[{"transport": "stdio"}])  # error
AgentManifest(mcp_servers=[{"name": "a", "transport": "pipe"}])  # error
AgentManifest(name="m").name = "n"  # error

ModelConfig("gpt")  # error
ModelConfig(model="gpt")  # error
ModelConfig(max_tokens="100")  # error
ModelConfig(private_hosts="llm.corp")  # error
ResourceLimits(max_iterations=None)  # error
ResourceLimits(max_cost=3)  # error
ApprovalRules(tools="write_file")  # error
ApprovalRules(default="yes")  # error
McpServer(command=["a"])  # error
McpServer(name="a", transport="tcp")  # error
McpServer(name="a", command="git-server --stdio")  # error

FileRead("/data")  # error
FileRead(allowed_paths="/data")  # error
FileRead(paths=["/data"])  # error
FileWrite(allowed_paths="/data")  # error
Network(allowed_hosts="example.com")  # error
Network(hosts=["example.com"])  # error
Shell(allowed_commands="ls")  # error
Spawn(depth=2)  # error
Spawn(max_depth="2")  # error

AgentPool(3)  # error
AgentPool(failure="cancel-rest")  # error
AgentPool(max_concurrent="4")  # error
AgentPool(None, 4, 8)  # error
AgentPool(restart=3)  # error
AgentPool(restarts=RestartPolicy())  # error
AgentPool(budget={"max_tokens": 3})  # error
AgentPool(on_event=lambda: None)  # error
AgentPool(FunctionDriver(lambda request: 3))  # error
AgentPool(RoutingDriver(ScriptedDriver(["a"]), strategy="fallback"))  # error
OpenAIDriver("m", privacy="public")  # error
OpenAIDriver("m", time_out=3)  # error
Budget(100)  # error
Budget(tokens=100)  # error


@tool(isolation="thraed")  # error
def search(text: str, limit: int = 3) -> list[str]:
    """Search."""
    return [text] * limit


@tool(effect="at_least_once")  # error
def post(text: str) -> None: ...


@tool
def look(text: str, limit: int = 3) -> list[str]:
    """Look."""
    return [text] * limit


look(3)  # error
look("a").upper()  # error
needs_approval(look, default="no")  # error
needs_approval(len)  # error


def waits(pool: AgentPool) -> None:
    pool.join_all(failure="cancel")  # error
    pool.map([], failure="all")  # error
    pool.approve("call_1")  # error


def policy(request: CompletionRequest) -> str:
    return request.messages[-1].content  # error
