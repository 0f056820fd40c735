"""What is known of the servers that speak Chat Completions: their fields, and the order in which they want roles."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - it is public: its annotations are read
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from .schemas import ANTHROPIC as ANTHROPIC_SCHEMAS, GEMINI, MOONSHOT, OPENAI, SchemaRules

ProfileName: TypeAlias = Literal[
    "openai",
    "azure",
    "gemini",
    "deepseek",
    "mistral",
    "openrouter",
    "ollama",
    "vllm",
    "llama.cpp",
    "kimi",
    "careful",
]
PLAIN_ID = r"[A-Za-z0-9_-]{1,40}"
SHORTEST_ID, LONGEST_ID = 8, 64
"""Characters of ids that a server may ask for: of shorter ones there are too few for a long conversation."""
BRIDGE = "I have the results."
"""What the model is made to say between a tool's result and the next words of a user, where a server insists on it."""


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """What is known of a server that speaks Chat Completions. A driver changes its own when the server says more.

    Args:
        name: What it is called; ``OpenAIDriver(profile=name)``.
        hosts: Its hosts, or what they end with after a dot.
        ports: Where it listens on this machine, unless told otherwise.
        limit_field: The field that bounds an answer's tokens.
        lacks: Fields of a request, or of a message, that it does not know.
        renames: Other names of fields.
        system: Where instructions may stand: ``anywhere``, ``first`` (one, before all else; later ones become words of
            the user), or ``none`` (all become words of the user).
        bridge: What the assistant says between a tool's result and a user's words; "" where none is needed.
        call_id: What the id of a call looks like, as a regular expression.
        call_id_length: Characters of one that is made up.
        null_content: An assistant that only calls tools says null; False: an empty text.
        returns: Fields of a message that go back to it with the message: ``all`` that it sent and that are of no other
            use, or their names.
        returns_without_calls: Also of messages that call no tool.
        needs: Fields that each message with calls must have, and their values where there was none.
        call_needs: The same for the first call of a message.
        schemas: Which JSON Schema it takes.
        thinking: How a model of Messages is told to think: a ``budget`` of tokens, or ``adaptive``, as it sees fit.
    """

    name: str
    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    limit_field: str = "max_tokens"
    lacks: frozenset[str] = frozenset()
    renames: Mapping[str, str] = field(default_factory=dict, hash=False)
    system: Literal["anywhere", "first", "none"] = "anywhere"
    bridge: str = ""
    call_id: str = PLAIN_ID
    call_id_length: int = 24
    null_content: bool = True
    returns: frozenset[str] | Literal["all"] = "all"
    returns_without_calls: bool = False
    needs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    call_needs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    schemas: SchemaRules = field(default_factory=SchemaRules)
    thinking: Literal["budget", "adaptive"] = "budget"

    def __post_init__(self) -> None:
        re.compile(self.call_id)


CAREFUL = ServerProfile("careful")
"""Of a server that is not known: what most take, and what it says is learned."""

ANTHROPIC = ServerProfile("anthropic", schemas=ANTHROPIC_SCHEMAS)
"""Of servers that speak Messages: they differ less."""

NO_SIGNATURE = MappingProxyType(
    {"extra_content": {"google": {"thought_signature": "skip_thought_signature_validator"}}}
)
"""For calls of another model. Source: https://ai.google.dev/gemini-api/docs/thought-signatures"""
THOUGHTS = MappingProxyType({"reasoning_content": ""})

PROFILES = {
    profile.name: profile
    for profile in (
        CAREFUL,
        # https://platform.openai.com/docs/api-reference/chat/create: max_tokens is deprecated, and the reasoning models
        # refuse it; it sends nothing that would have to come back.
        ServerProfile(
            "openai",
            ("api.openai.com",),
            limit_field="max_completion_tokens",
            returns=frozenset(),
            schemas=OPENAI,
        ),
        # https://learn.microsoft.com/azure/ai-foundry/openai/reference: as OpenAI's.
        ServerProfile(
            "azure",
            ("openai.azure.com", "services.ai.azure.com", "cognitiveservices.azure.com"),
            limit_field="max_completion_tokens",
            returns=frozenset(),
            schemas=OPENAI,
        ),
        # https://ai.google.dev/gemini-api/docs/openai and .../thought-signatures: a call that comes back without its
        # signature is refused.
        ServerProfile(
            "gemini",
            ("generativelanguage.googleapis.com", "aiplatform.googleapis.com"),
            returns=frozenset({"extra_content"}),
            returns_without_calls=True,
            call_needs=NO_SIGNATURE,
            schemas=GEMINI,
        ),
        # https://api-docs.deepseek.com/guides/thinking_mode: messages with calls must have their thoughts, empty ones
        # too; others need none.
        ServerProfile("deepseek", ("api.deepseek.com",), returns=frozenset({"reasoning_content"}), needs=THOUGHTS),
        # https://docs.mistral.ai/capabilities/function_calling, https://github.com/mistralai/mistral-common: ids of
        # nine letters and digits, and after a tool's result the assistant's turn.
        ServerProfile(
            "mistral",
            ("api.mistral.ai", "codestral.mistral.ai"),
            lacks=frozenset({"stream_options"}),
            renames={"seed": "random_seed"},  # https://docs.mistral.ai/api
            system="first",
            bridge=BRIDGE,
            call_id=r"[A-Za-z0-9]{9}",
            call_id_length=9,
            null_content=False,
            returns=frozenset(),
            schemas=OPENAI,
        ),
        # https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks
        ServerProfile(
            "openrouter",
            ("openrouter.ai",),
            returns=frozenset({"reasoning_details", "reasoning", "reasoning_content"}),
            returns_without_calls=True,
        ),
        # https://github.com/ollama/ollama/blob/main/docs/openai.md
        ServerProfile("ollama", ports=(11434,), returns=frozenset({"reasoning", "reasoning_content"})),
        # https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html: templates of many models want one
        # instruction, before all else.
        ServerProfile("vllm", system="first", returns=frozenset({"reasoning", "reasoning_content"})),
        # https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
        ServerProfile("llama.cpp", system="first", null_content=False, returns=frozenset({"reasoning_content"})),
        # https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model: all thoughts stay in the conversation.
        ServerProfile(
            "kimi",
            ("api.moonshot.ai", "api.moonshot.cn", "api.kimi.com"),
            returns=frozenset({"reasoning_content"}),
            returns_without_calls=True,
            needs=THOUGHTS,
            schemas=MOONSHOT,
        ),
    )
}


def profile_of(url: str) -> ServerProfile:
    """The profile of the server at *url*; the careful one where it is not known."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".").lower()
    for profile in PROFILES.values():
        if any(host == name or host.endswith((f".{name}", f"-{name}")) for name in profile.hosts):
            return profile
        if parts.port in profile.ports:
            return profile
    return CAREFUL


def profile_named(profile: ServerProfile | str | None, url: str) -> ServerProfile:
    """*profile*, or the one of that name; None: that of *url*.

    Raises:
        ValueError: There is none of that name.
    """
    if profile is None:
        return profile_of(url)
    if isinstance(profile, ServerProfile):
        return profile
    found = PROFILES.get(profile) if isinstance(profile, str) else None
    if found is None:
        raise ValueError(f"profile must be a ServerProfile or one of {', '.join(PROFILES)}; got {profile!r}")
    return found


# What a server says of itself ------------------------------------------------------------------------------------

_ALTERNATE = re.compile(
    r"roles? must alternate|unexpected role '?\"?user|role '?user'? .{0,30}after .{0,10}tool|"
    r"(expected|must be).{0,30}assistant.{0,30}after.{0,20}tool|not the same role|same role in a row",
    re.IGNORECASE,
)
_SYSTEM_FIRST = re.compile(
    r"system (message|role|prompt)s?.{0,40}(at the (beginning|start)|first)|unexpected role '?\"?system|"
    r"only.{0,20}(one|first).{0,20}system|role '?system'? .{0,30}after",
    re.IGNORECASE,
)
_NO_SYSTEM = re.compile(
    r"system (role|message|prompt|instruction)s? (is |are )?(not|un)[ -]?(supported|allowed|enabled)|"
    r"(does not|doesn't|do not) support (the )?(system|developer)|developer instruction is not enabled",
    re.IGNORECASE,
)
_LETTERS = re.compile(r"tool.?call.?id.{0,200}length of (\d+)", re.IGNORECASE | re.DOTALL)
_THOUGHTS = re.compile(
    r"reasoning_content.{0,80}(must be passed|pass(ed)? back|is missing|is required|missing)|"
    r"missing.{0,20}reasoning_content",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(r"missing (a )?.?thought_?signature", re.IGNORECASE)
_ADAPTIVE = re.compile(
    r"use .{0,3}thinking\.type\.adaptive|thinking\.type\.enabled.{0,5} is not supported", re.IGNORECASE
)
_BUDGET = re.compile(
    r"adaptive thinking is not supported|thinking\.type\.adaptive.{0,5} is not supported"
    r"|does not support adaptive thinking|thinking.{0,60}tag 'adaptive'",
    re.IGNORECASE,
)
"""Source of both: https://docs.anthropic.com/en/docs/build-with-claude/adaptive-thinking"""
_NULL = re.compile(
    r"content.{0,120}(null|none\b|nonetype|must be a string|valid string|field required|should be a valid)",
    re.IGNORECASE | re.DOTALL,
)


def learn(
    profile: ServerProfile,
    words: str,
    *,
    unknown: frozenset[str] = frozenset(),
    renamed: tuple[str, str] | None = None,
    null_sent: bool = False,
) -> ServerProfile | None:
    """*profile* with what a refusal says of the server; None when that is nothing new.

    Args:
        words: The refusal's.
        unknown: Fields that it refuses, and that a request can do without.
        renamed: A field that it refuses, and the one that it wants instead.
        null_sent: The request had a message whose content was null.
    """
    learned = replace(profile, lacks=profile.lacks | unknown)
    if renamed is not None and renamed[0] == profile.limit_field:
        learned = replace(learned, limit_field=renamed[1])
    elif renamed is not None and profile.renames.get(renamed[0]) != renamed[1]:
        learned = replace(learned, renames={**profile.renames, renamed[0]: renamed[1]})
    if _ALTERNATE.search(words):
        first: Literal["first", "none"] = "none" if learned.system == "none" else "first"
        learned = replace(learned, bridge=learned.bridge or BRIDGE, system=first)
    if _NO_SYSTEM.search(words):
        learned = replace(learned, system="none")
    elif learned.system == "anywhere" and _SYSTEM_FIRST.search(words):
        learned = replace(learned, system="first")
    letters = _LETTERS.search(words)
    if letters and SHORTEST_ID <= int(letters[1]) <= LONGEST_ID:
        learned = replace(learned, call_id=f"[A-Za-z0-9]{{{letters[1]}}}", call_id_length=int(letters[1]))
    if _THOUGHTS.search(words):
        learned = replace(
            learned,
            needs={**THOUGHTS, **learned.needs},
            returns=learned.returns if learned.returns == "all" else learned.returns | {"reasoning_content"},
            lacks=learned.lacks - {"reasoning_content"},
        )
    if _SIGNATURE.search(words):
        learned = replace(learned, call_needs={**NO_SIGNATURE, **learned.call_needs})
    if _BUDGET.search(words):
        learned = replace(learned, thinking="budget")
    elif _ADAPTIVE.search(words):
        learned = replace(learned, thinking="adaptive")
    if null_sent and learned.null_content and _NULL.search(words):
        learned = replace(learned, null_content=False)
    return None if learned == profile else learned
