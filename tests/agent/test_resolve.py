"""What a manifest names: its class, its driver, its tools, and every problem with its place."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from actors import Agent, AgentManifest, CapabilityDenied, FunctionDriver, LlmAgent, ManifestError, PrivacyTier
from actors.agent.assembly import resolve
from actors.drivers.builtin import find_driver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BOTS = """
import sys
from actors import Agent, FunctionDriver, ManifestError, tool

class Counter(Agent):
    pass

class NoAgent:
    pass

def make(manifest):
    return FunctionDriver(lambda request: manifest.name)

def broken(manifest):
    raise ValueError("no key")

def leaving(manifest):
    sys.exit("no key")

def refusing(manifest):
    raise ManifestError(["model.model_path: no such file"])

def nothing(manifest):
    return None

class Half:
    context_window = 4096
    def __init__(self, manifest):
        pass
    def complete(self, request, *, cancel):
        pass

number = 3

@tool
def shout(text: str) -> str:
    "Shout."
    return text.upper()

class ToolClass:
    name = definition = required_capability = timeout = None
    def execute(self, input, *, cancel, agent):
        pass

def no_tool():
    pass
"""


@pytest.fixture
def bots(tmp_path: Path) -> Iterator[Callable[..., AgentManifest]]:
    """``bots(driver=..., agent=..., tools=[...])`` is a manifest beside a module of bots."""
    (tmp_path / "actors_test_bots.py").write_text(BOTS, encoding="utf-8")

    def load(driver: str | None = None, agent: str | None = None, tools: tuple[str, ...] = ()) -> AgentManifest:
        lines = ['name = "bot"']
        lines += [f'agent = "{agent}"'] if agent else []
        lines += [f"tools = {list(tools)!r}"]
        lines += [f'[model]\ndriver = "{driver}"'] if driver else []
        path = tmp_path / "bot.toml"
        path.write_text("\n".join(lines), encoding="utf-8")
        return AgentManifest.load(path)

    yield load
    sys.modules.pop("actors_test_bots", None)


def problem(find: Callable[[], Any]) -> str:
    with pytest.raises(ManifestError) as caught:
        find()
    (only,) = caught.value.problems
    return only


def test_the_agent_class(bots: Callable[..., AgentManifest]) -> None:
    """The named one, or the ``LlmAgent``."""
    assert resolve.agent_class(AgentManifest()) is LlmAgent
    found = resolve.agent_class(bots(agent="actors_test_bots:Counter"))
    assert issubclass(found, Agent)
    assert found.__name__ == "Counter"


@pytest.mark.parametrize("name", ["NoAgent", "number", "shout"])
def test_what_is_no_agent_class(bots: Callable[..., AgentManifest], name: str) -> None:
    """Another class, and what is no class at all."""
    path = f"actors_test_bots:{name}"
    found = problem(lambda: resolve.agent_class(bots(agent=path)))
    assert found == f"agent: '{path}' is no subclass of actors.Agent"


def test_the_driver(bots: Callable[..., AgentManifest]) -> None:
    """Made by the factory from the manifest; none is named: none is made."""
    assert resolve.driver(AgentManifest(), find_driver) is None
    assert resolve.driver_factory(AgentManifest(), find_driver) is None
    assert isinstance(resolve.driver(bots("actors_test_bots:make"), find_driver), FunctionDriver)
    assert isinstance(resolve.driver(bots("echo"), find_driver), FunctionDriver)


def test_another_driver_than_the_manifests(bots: Callable[..., AgentManifest]) -> None:
    """A path given beside it wins, and problems name its place."""
    manifest = bots("actors_test_bots:broken")
    assert isinstance(resolve.driver(manifest, find_driver, "actors_test_bots:make"), FunctionDriver)
    assert problem(lambda: resolve.driver(manifest, find_driver, "gpt", "--driver")).startswith("--driver: ")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("gpt", "no built-in driver 'gpt' (known: anthropic, echo, openai)"),
        ("actors_test_bots:nobody", "module 'actors_test_bots' has no 'nobody'"),
        ("actors_test_bots:number", "'actors_test_bots:number' cannot be called"),
        ("actors_test_bots:broken", "'actors_test_bots:broken' raised ValueError: no key"),
        ("actors_test_bots:leaving", "'actors_test_bots:leaving' raised SystemExit: no key"),
        ("actors_test_bots:nothing", "returned no driver: NoneType has no complete, stream"),
        ("actors_test_bots:Half", "returned no driver: Half has no stream, estimate_cost, privacy_tier"),
    ],
)
def test_what_is_no_driver(bots: Callable[..., AgentManifest], path: str, said: str) -> None:
    """Each with its place, and what to look at."""
    found = problem(lambda: resolve.driver(bots(path), find_driver))
    assert found.startswith("model.driver: ")
    assert said in found


def test_a_factory_may_refuse_the_manifest(bots: Callable[..., AgentManifest]) -> None:
    """Its own problems are told as they are."""
    found = problem(lambda: resolve.driver(bots("actors_test_bots:refusing"), find_driver))
    assert found == "model.model_path: no such file"


def test_the_tools(bots: Callable[..., AgentManifest]) -> None:
    """By their place in the list."""
    manifest = bots(tools=("actors_test_bots:no_tool", "actors_test_bots:shout"))
    assert resolve.tool(manifest, 1).name == "shout"
    for name in ("no_tool", "number", "ToolClass"):
        broken = bots(tools=(f"actors_test_bots:{name}",))
        found = problem(lambda broken=broken: resolve.tool(broken, 0))
        assert found == f"tools.0: 'actors_test_bots:{name}' is no tool; put @actors.tool above the function"


class Needy(Agent[None]):
    """Needs a driver."""

    needs_driver = True


@pytest.mark.parametrize("privacy", list(PrivacyTier))
@pytest.mark.parametrize("tier", list(PrivacyTier))
def test_privacy_and_tier(privacy: PrivacyTier, tier: PrivacyTier) -> None:
    """A driver may be as permissive as the agent, and not more."""
    driver = FunctionDriver(lambda request: "x")
    driver.privacy_tier = tier
    found = resolve.misfit(AgentManifest(name="bot", privacy=privacy), Needy, driver)
    order = ["sovereign", "private", "standard"]
    if order.index(tier) <= order.index(privacy):
        assert found is None
    else:
        assert isinstance(found, CapabilityDenied)
        assert f"privacy {privacy}, but its driver's tier is {tier}" in str(found)


def test_without_a_driver() -> None:
    """Only who needs one misses it."""
    assert resolve.misfit(AgentManifest(), Agent, None) is None
    found = resolve.misfit(AgentManifest(name="bot"), Needy, None)
    assert isinstance(found, ValueError)
    assert "agent 'bot' needs a driver" in str(found)


def test_all_problems(bots: Callable[..., AgentManifest]) -> None:
    """Class, driver and each tool; no driver is made for it."""
    manifest = bots(
        driver="gpt",
        agent="actors_test_bots:NoAgent",
        tools=("actors_test_bots:no_tool", "actors_test_bots:shout", "actors_test_bots:nobody"),
    )
    places = [found.partition(":")[0] for found in resolve.problems(manifest, find_driver)]
    assert places == ["agent", "model.driver", "tools.0", "tools.2"]
    good = bots(driver="actors_test_bots:broken", agent="actors_test_bots:Counter", tools=("actors_test_bots:shout",))
    assert resolve.problems(good, find_driver) == []
