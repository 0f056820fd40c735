"""What providers take of JSON Schema."""

from __future__ import annotations

from dataclasses import dataclass

CAREFUL_KEYWORDS = frozenset({"default", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum"})
"""What all providers take, beside ``type``, ``description``, ``enum``, ``anyOf``, ``items``, ``properties`` and
``required``.

Sources: https://ai.google.dev/api/caching#Schema,
https://github.com/MoonshotAI/walle/blob/main/docs/mfjs-walle-vs-draft-2020-12.md
"""
MOST_KEYWORDS = CAREFUL_KEYWORDS | {
    "additionalProperties", "allOf", "const", "examples", "exclusiveMaximum", "exclusiveMinimum", "format",
    "maxProperties", "minProperties", "multipleOf", "not", "oneOf", "pattern", "patternProperties", "prefixItems",
    "propertyNames", "title", "uniqueItems",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SchemaRules:
    """What a provider takes of JSON Schema; the defaults are what all of them take.

    Some holds everywhere, and is no rule: the root is an object without a union, objects have ``properties``, lists
    have ``items``, what is required is among the properties.

    Args:
        keywords: Taken beside those that all take.
        is_typed: Each schema needs a ``type``, or an ``anyOf`` without one beside it.
        has_refs: ``$ref`` to the root's ``$defs`` is taken; where schemas are typed, with nothing beside it.
        has_type_lists: ``{"type": ["string", "null"]}`` is taken.
        lists_texts_only: ``enum`` takes texts that are not empty, and nothing else.
        formats: Values of ``format``; None takes any.
        names: A pattern for the names of parameters. One that does not fit is left out.
        reserved: Names that no property may have.
        levels: How deep schemas may stand in each other.
    """

    keywords: frozenset[str] = CAREFUL_KEYWORDS
    is_typed: bool = True
    has_refs: bool = False
    has_type_lists: bool = False
    lists_texts_only: bool = True
    formats: frozenset[str] | None = frozenset()
    names: str = ""
    reserved: frozenset[str] = frozenset()
    levels: int = 30


CAREFUL = SchemaRules()
"""For a server that is not known. So for llama.cpp, whose grammars know few patterns and formats
(https://github.com/ggml-org/llama.cpp/issues/26930), and vLLM (https://github.com/vllm-project/vllm/pull/30390).
"""
OPENAI = SchemaRules(
    MOST_KEYWORDS, is_typed=False, has_refs=True, has_type_lists=True, lists_texts_only=False, formats=None
)
"""OpenAI, functions and answers that are not ``strict``. So for Mistral, whose check is JSON Schema's own
(https://github.com/SylphxAI/pdf-reader-mcp/issues/63), without ``$id`` and ``$schema``
(https://github.com/BerriAI/litellm/pull/13389).

Sources of what holds everywhere: https://github.com/spring-projects/spring-ai/issues/4776 (``properties``),
https://github.com/PrefectHQ/fastmcp/issues/2464 (``items``, beside ``prefixItems``, too),
https://github.com/langchain-ai/langchainjs/issues/9804 (the root)
"""
ANTHROPIC = SchemaRules(
    MOST_KEYWORDS,
    is_typed=False,
    has_refs=True,
    has_type_lists=True,
    lists_texts_only=False,
    formats=None,
    names=r"[a-zA-Z0-9_.-]{1,64}",
)
"""Claude. Sources: https://github.com/anthropics/claude-code/issues/40075 (the root),
https://github.com/anthropics/claude-code/issues/63673 (draft 2020-12),
https://github.com/decocms/studio/pull/6874 (names, of the root's properties alone)
"""
GEMINI = SchemaRules(
    CAREFUL_KEYWORDS | {"format", "maxProperties", "minProperties", "pattern", "title"},
    formats=frozenset({"date-time"}),
    levels=12,
)
"""Gemini, behind its protocol for OpenAI's clients, too. Sources: https://ai.google.dev/api/caching#Schema,
https://github.com/pizza-bot-app/pizza-bot/issues/62 (unknown keywords),
https://github.com/pydantic/pydantic-ai/issues/1598 (references),
https://github.com/hideya/langchain-mcp-tools-ts/issues/36 (formats),
https://github.com/Bobsilvio/ha-claude/pull/32, https://github.com/decolua/9router/pull/380 (``enum``),
https://github.com/Kilo-Org/kilocode/pull/11955 (``required``),
https://github.com/google-gemini/gemini-cli/issues/5923 (depth)
"""
MOONSHOT = SchemaRules(
    CAREFUL_KEYWORDS | {"additionalProperties"},
    has_refs=True,
    lists_texts_only=True,
    reserved=frozenset({"$defs", "$ref", "anyOf", "required", "additionalProperties"}),
)
"""Kimi. Sources: https://github.com/MoonshotAI/walle/blob/main/docs/mfjs-walle-vs-draft-2020-12.md,
https://github.com/MoonshotAI/kimi-code/issues/2661
"""

RULES = {"careful": CAREFUL, "openai": OPENAI, "anthropic": ANTHROPIC, "gemini": GEMINI, "moonshot": MOONSHOT}
"""All of them, by name."""
