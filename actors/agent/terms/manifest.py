"""What an agent is: its model, its limits, what it may do."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, get_args

from pydantic import BaseModel, BeforeValidator, Field, PrivateAttr, ValidationError, field_validator

from ...core.glance import Words, glance
from ...errors import ManifestError
from ...public import publish
from . import driver_word
from .approval_rules import ApprovalDefault, ApprovalRule
from .capability import (
    Capability,
    Memory,
    Rag,
    narrow,
)
from .effect import Effect
from .json_schema import output_of
from .manifest_problems import (
    Problem,
    at,
    found,
    with_lines,
)
from .manifest_table import (
    Count,
    ManifestTable,
    Number,
    ObjectPath,
    Text,
)
from .manifest_tables import (
    AgentTable,
    ContextTable,
    GuardrailTable,
    HandoffTable,
    MemoryTable,
    names_of,
)
from .mcp_transport import McpTransport
from .model_config import ModelConfig
from .privacy import PrivacyTier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from typing_extensions import Unpack

    from .capability import Texts
    from .keywords import (
        AgentKeywords,
        ApprovalKeywords,
        ContextKeywords,
        GuardrailKeywords,
        HandoffKeywords,
        LimitKeywords,
        McpKeywords,
        MemoryKeywords,
        ModelKeywords,
    )
    from .privacy import PrivacyWord

Output = Annotated[str | dict[str, Any] | None, BeforeValidator(output_of)]

MAX_CHILD_ITERATIONS = 10
"""No child has more turns than this."""


class ResourceLimits(ManifestTable, frozen=True):
    """What an agent may use.

    Args:
        max_cost_usd: 0 has no limit.
        max_tokens_budget: Tokens of all completions together; None has no limit.
        max_handoffs: How often the conversation may be handed on.
    """

    max_iterations: Count = 20
    max_tool_calls: Count = 50
    max_cost_usd: Annotated[Number, Field(ge=0)] = 0.0
    max_tokens_budget: Count | None = None
    max_handoffs: Annotated[int, Field(strict=True, ge=0)] = 5

    if TYPE_CHECKING:

        def __init__(self, /, **fields: Unpack[LimitKeywords]) -> None: ...

    def narrowed(self, parent: ResourceLimits) -> ResourceLimits:
        """These limits as a child may have them: no wider than *parent*'s, and not many turns."""
        within = self.within(parent)
        return within.model_copy(update={"max_iterations": min(within.max_iterations, MAX_CHILD_ITERATIONS)})

    def within(self, parent: ResourceLimits) -> ResourceLimits:
        """These limits, but no wider than *parent*'s."""
        costs = [cost for cost in (self.max_cost_usd, parent.max_cost_usd) if cost > 0]
        budgets = [budget for budget in (self.max_tokens_budget, parent.max_tokens_budget) if budget is not None]
        return ResourceLimits(
            max_iterations=min(self.max_iterations, parent.max_iterations),
            max_tool_calls=min(self.max_tool_calls, parent.max_tool_calls),
            max_cost_usd=min(costs, default=0.0),
            max_tokens_budget=min(budgets, default=None),
            max_handoffs=min(self.max_handoffs, parent.max_handoffs),
        )


class ApprovalRules(ManifestTable, frozen=True):
    """Which tool calls need somebody's approval (``handle.approve`` and ``deny``).

    Args:
        tools: Names of tools, or patterns of them: ``write_file``, ``git.*``, ``*``.
        timeout: Seconds to wait for an answer; None waits for ever.
        default: ``deny`` or ``approve``: what holds when none comes in time.
    """

    tools: tuple[Annotated[str, Field(strict=True, min_length=1)], ...] = ()
    timeout: Annotated[Number, Field(ge=0)] | None = None
    default: ApprovalDefault = ApprovalDefault.DENY

    if TYPE_CHECKING:

        def __init__(self, /, **fields: Unpack[ApprovalKeywords]) -> None: ...

    def rule_for(self, tool: str) -> ApprovalRule | None:
        """What a call of *tool* needs; None: nothing."""
        if not any(fnmatchcase(tool, pattern) for pattern in self.tools):
            return None
        return ApprovalRule(self.timeout, self.default)

    def narrowed(self, parent: ApprovalRules) -> ApprovalRules:
        """These rules and *parent*'s: a child needs approval for all that its parent needs it for."""
        if not parent.tools:
            return self
        rule = ApprovalRule(parent.timeout, parent.default)
        if self.tools:
            rule = rule & ApprovalRule(self.timeout, self.default)
        tools = tuple(dict.fromkeys((*self.tools, *parent.tools)))
        return ApprovalRules(tools=tools, timeout=rule.timeout, default=rule.default)


class McpServer(ManifestTable, frozen=True):
    """A server of tools (Model Context Protocol). Its tools are called ``name.tool``; the capability ``mcp`` grants
    them.

    Args:
        command: For ``stdio``: the program and its arguments. Its environment is cleared but for a short list.
        env: Names of further variables that the command gets from this process's environment.
        url: For ``http`` (streamable HTTP).
        headers: Sent with each request by ``http``.
        timeout: Seconds for a call of one of its tools.
        start_timeout: Seconds until it has to list its tools.
        effects: What its tools do to the world, by their own names or patterns of them: ``{pay = "at_most_once"}``. It
            wins over the server's hints. A name wins over patterns, of those the first one.
    """

    name: Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    transport: McpTransport = McpTransport.STDIO
    command: tuple[Text, ...] = ()
    env: tuple[Text, ...] = ()
    url: Text | None = None
    headers: dict[Text, Text] = Field(default_factory=dict)
    timeout: Annotated[Number, Field(gt=0)] = 120.0
    start_timeout: Annotated[Number, Field(gt=0)] = 30.0
    effects: dict[Text, Effect] = Field(default_factory=dict)

    if TYPE_CHECKING:

        def __init__(self, /, **fields: Unpack[McpKeywords]) -> None: ...

    def effect_of(self, tool: str) -> Effect | None:
        """What ``effects`` says of the server's *tool*; None: nothing."""
        fitting = (effect for pattern, effect in self.effects.items() if fnmatchcase(tool, pattern))
        return self.effects.get(tool) or next(fitting, None)


class ManifestKeywords(TypedDict, total=False):
    """What an ``AgentManifest`` takes by name."""

    name: str
    version: str
    description: str
    model: ModelConfig | ModelKeywords
    resources: ResourceLimits | LimitKeywords
    capabilities: Sequence[Capability | Mapping[str, object]]
    privacy: PrivacyTier | PrivacyWord
    mcp_servers: Sequence[McpServer | McpKeywords]
    agent: str | None
    tools: Texts
    approval: ApprovalRules | ApprovalKeywords
    output: str | Mapping[str, object] | None
    context: ContextTable | ContextKeywords
    handoffs: Sequence[HandoffTable | HandoffKeywords]
    agents: Sequence[AgentTable | AgentKeywords]
    guardrails: GuardrailTable | GuardrailKeywords
    memory: MemoryTable | MemoryKeywords | None


class AgentManifest(ManifestTable, frozen=True):
    """What an agent is. Made from keywords, from TOML text, or from a file; each refuses with all problems at once.

    Example:
        ```python
        from actors import AgentManifest, FileRead

        reader = AgentManifest(
            name="reader",
            model={"system_prompt": "You summarize files."},
            capabilities=[FileRead(allowed_paths=["letters"])],
            resources={"max_iterations": 10, "max_cost_usd": 0.05},
        )
        same = AgentManifest.from_toml("name = 'reader'")
        ```

    Args:
        agent: ``package.module:Class``, an ``Agent`` subclass to run in place of the ``LlmAgent``.
        tools: ``package.module:name``, each a tool that it may call.
        approval: Which of their calls need somebody's approval.
        output: What the answer of an ``LlmAgent`` must be: a JSON Schema, or ``package.module:Model``, anything that
            pydantic can validate. The result is such a value. ``SpawnConfig(output_type=)`` wins.
        context: What becomes of a conversation that no longer fits the window.
        handoffs: Other manifests under which the conversation may go on.
        agents: Other agents as tools.
        guardrails: What is checked on the way.
        memory: Where it remembers; None leaves that to the pool.

    Raises:
        ManifestError: ``problems`` names the place of every one.

    Locks: none; frozen, and ``_folder`` is written before anybody else has it.
    """

    name: Annotated[str, Field(strict=True, min_length=1)] = "unnamed-agent"
    version: Text = "0.1.0"
    description: Text = ""
    model: ModelConfig = ModelConfig.model_construct()
    resources: ResourceLimits = ResourceLimits.model_construct()
    capabilities: tuple[Capability, ...] = (Rag.model_construct(), Memory.model_construct())
    privacy: PrivacyTier = PrivacyTier.SOVEREIGN
    mcp_servers: tuple[McpServer, ...] = ()
    agent: ObjectPath | None = None
    tools: tuple[ObjectPath, ...] = ()
    approval: ApprovalRules = ApprovalRules.model_construct()
    output: Output = None
    context: ContextTable = ContextTable.model_construct()
    handoffs: tuple[HandoffTable, ...] = ()
    agents: tuple[AgentTable, ...] = ()
    guardrails: GuardrailTable = GuardrailTable.model_construct()
    memory: MemoryTable | None = None

    _folder: Path | None = PrivateAttr(default=None)

    def __init__(self, /, **fields: Unpack[ManifestKeywords]) -> None:
        problems: list[Problem] = []
        try:
            BaseModel.__init__(self, **fields)
        except ValidationError as error:
            tables = _tables()
            problems += [found(detail, tables) for detail in error.errors()]
        problems += _contradictions(fields)
        if problems:
            raise ManifestError([one.text for one in problems], places=[one.place for one in problems])

    @field_validator("handoffs", "agents", mode="before")
    @classmethod
    def _with_manifests(cls, entries: Any) -> Any:
        """One that stands there in full, as in ``[handoffs.manifest]`` and in JSON."""
        if not isinstance(entries, list | tuple):
            return entries
        return tuple(
            {**entry, "manifest": _inner(index, entry["manifest"])}
            if isinstance(entry, dict) and isinstance(entry.get("manifest"), dict)
            else entry
            for index, entry in enumerate(entries)
        )

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        if "name" not in self.__dict__:  # one that was refused, as a traceback shows it
            return
        yield "name", Words(glance(self.name, 40))
        if self.model.name or self.model.driver:
            yield "model", Words(glance(self.model.name or self.model.driver))
        yield "privacy", Words(self.privacy)
        yield "capabilities", Words(f"[{', '.join(grant.type for grant in self.capabilities[:12])}]")
        if self.tools:
            yield "tools", len(self.tools)
        if self.mcp_servers:
            yield "mcp_servers", Words(f"[{', '.join(server.name for server in self.mcp_servers[:12])}]")

    @property
    def folder(self) -> Path | None:
        """The folder of the file that it was loaded from; modules are looked for there first."""
        return self._folder

    @classmethod
    def from_toml(cls, text: str) -> AgentManifest:
        """Read a manifest from TOML text.

        Raises:
            ManifestError: No TOML, or no good manifest.
        """
        import tomllib

        try:
            fields = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # also nested too deep, or a number of thousands of digits
            raise ManifestError([f"not valid TOML: {error}"]) from error
        try:
            return cls(**fields)
        except ManifestError as error:
            problems = with_lines(error.problems, error.places, text)
            raise ManifestError(problems, places=error.places) from error.__cause__

    @classmethod
    def load(cls, path: str | Path) -> AgentManifest:
        """Read a manifest from a file.

        Raises:
            ManifestError: The file cannot be read, is no TOML, or no good manifest; ``source`` is the path.
        """
        path = Path(path)
        try:
            # Some editors put a mark in front of a text in UTF-8.
            manifest: AgentManifest = cls.from_toml(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise ManifestError([f"cannot be read: {error.strerror or error}"], source=str(path)) from error
        except UnicodeDecodeError as error:
            raise ManifestError([f"is not UTF-8 text (byte {error.start})"], source=str(path)) from error
        except ValueError as error:
            raise ManifestError([f"cannot be read: {error}"], source=str(path)) from error
        except ManifestError as error:
            raise ManifestError(error.problems, source=str(path), places=error.places) from error
        manifest._folder = path.resolve().parent  # type: ignore[misc]  # only fields are frozen
        return manifest

    def narrowed(self, parent: AgentManifest, *, own_grants: bool = False) -> AgentManifest:
        """This manifest as a child of *parent* may have it: never more than its parent.

        Capabilities and limits are cut down to the parent's, privacy and approval are at least as strict.

        Args:
            own_grants: It keeps its capabilities, its servers and what it says of its own agents.
        """
        update: dict[str, Any] = {} if own_grants else self._grants_within(parent)
        update["resources"] = self.resources.narrowed(parent.resources)
        return self.model_copy(update=update | self._strictness_of(parent))

    def handed_on(self, first: AgentManifest) -> AgentManifest:
        """This manifest as a conversation that began under *first* goes on under it: as :meth:`narrowed`, with as many
        turns as both allow.
        """
        update = self._grants_within(first) | self._strictness_of(first)
        return self.model_copy(update=update | {"resources": self.resources.within(first.resources)})

    def _grants_within(self, other: AgentManifest) -> dict[str, Any]:
        same_files = self.folder == other.folder  # paths of two folders name two files
        return {
            "capabilities": narrow(self.capabilities, other.capabilities),
            # A grant names a server by its name: what that starts is the other's to say.
            "mcp_servers": tuple(server for server in self.mcp_servers if server in other.mcp_servers),
            # Whose grants an agent has is the other's to say, too: it may be granted less than this one says.
            "agents": tuple(
                agent if not agent.own_grants or (same_files and agent in other.agents) else agent.without_own_grants()
                for agent in self.agents
            ),
        }

    def _strictness_of(self, other: AgentManifest) -> dict[str, Any]:
        update: dict[str, Any] = {
            "approval": self.approval.narrowed(other.approval),
            "privacy": min(self.privacy, other.privacy, key=lambda tier: tier.rank),
        }
        if other.memory is not None and not other.memory.remember:
            update["memory"] = (self.memory or MemoryTable()).model_copy(update={"remember": False})
        return update


def _inner(index: int, fields: dict[str, Any]) -> AgentManifest:
    try:
        return AgentManifest(**fields)
    except ManifestError as error:
        raise ValueError("; ".join(f"{index}.manifest.{problem}" for problem in error.problems)) from error


def _tables() -> dict[str, type[BaseModel]]:
    """The class of each table, by its place without indexes."""
    (union, _) = get_args(Capability)
    grants = {f"capabilities.{kind.model_fields['type'].default}": kind for kind in get_args(union)}
    known: dict[str, type[BaseModel]] = {"": AgentManifest, "model": ModelConfig, "resources": ResourceLimits}
    known |= {"approval": ApprovalRules, "mcp_servers": McpServer, "context": ContextTable, "handoffs": HandoffTable}
    return {**known, "agents": AgentTable, "guardrails": GuardrailTable, "memory": MemoryTable, **grants}


def _contradictions(fields: Mapping[str, Any]) -> list[Problem]:
    """What is wrong between keys. Read from the raw fields, so that it is found beside what is wrong within them."""
    sovereign = _get(fields, "privacy") in (None, PrivacyTier.SOVEREIGN.value)
    model = _get(fields, "model")
    problems = []
    if sovereign and _get(model, "remote_model") is not None:
        problems.append(at(("model", "remote_model"), "privacy is 'sovereign', so no remote model may be used"))
    if _get(model, "model_repo") is not None and _get(model, "model_path") is not None:
        problems.append(at(("model", "model_repo"), "set either model_repo or model_path, not both"))
    problems += [at(("model", key), why) for key, why in driver_word.contradictions(model)]
    prices = ("usd_per_million_input_tokens", "usd_per_million_output_tokens")
    missing = [price for price in prices if _get(model, price) is None]
    if len(missing) == 1:
        problems.append(at(("model", missing[0]), "declare both prices of the model, or none"))
    if len(missing) == 2:
        problems += (
            at(("model", price), f"declare {prices[0]} and {prices[1]}, too")
            for price in ("usd_per_million_cached_input_tokens", "usd_per_million_cache_write_tokens")
            if _get(model, price) is not None
        )
    problems += _twice(fields, "handoffs", "handoff")
    problems += _twice(fields, "agents", "agent")
    servers = _get(fields, "mcp_servers")
    names: set[Any] = set()
    for index, server in enumerate(servers if isinstance(servers, list | tuple) else ()):
        place = ("mcp_servers", index)
        name = _get(server, "name")
        if isinstance(name, str) and name in names:
            problems.append(at((*place, "name"), f"another server is named {name!r}"))
        names.add(name if isinstance(name, str) else None)
        problems += [at((*place, *keys), why) for keys, why in _server_problems(server, sovereign=sovereign)]
    return problems


def _twice(fields: Mapping[str, Any], table: str, what: str) -> Iterator[Problem]:
    """Tools are called by these names."""
    entries = _get(fields, table)
    names = names_of(entries) if isinstance(entries, list | tuple) else []
    for index, name in enumerate(names):
        if isinstance(name, str) and name in names[:index]:
            yield at((table, index, "name"), f"another {what} is named {name!r}")


def _server_problems(server: Any, *, sovereign: bool) -> Iterator[tuple[tuple[str, ...], str]]:
    """The keys below the server, and what is wrong."""
    transport = _get(server, "transport")
    if transport in (None, McpTransport.STDIO.value):
        if not _get(server, "command"):
            yield (), "a stdio server needs a command"
        return
    if transport in list(McpTransport) and not _get(server, "url"):
        yield (), f"a server by {transport} needs a url"
    if sovereign:
        yield ("transport",), "privacy is 'sovereign', so no server may be reached over a network"


def _get(table: Any, key: str) -> Any:
    if isinstance(table, BaseModel):
        return getattr(table, key, None)
    return table.get(key) if isinstance(table, dict) else None


publish("actors.manifests", AgentManifest, ApprovalRules, McpServer, ResourceLimits)
