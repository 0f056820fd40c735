"""What an agent is and has to do, in a few digests: whether it is the one that was recorded."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, TypeAdapter

from ..agent.assembly.llm_agent import LlmAgent
from ..core.records.content import content_of, is_content, parts_of
from ..core.records.content_field import outline_of_part
from ..core.records.conversation import Message
from ..core.records.json_plain import is_plain
from ..core.records.json_value import class_name, to_json

if TYPE_CHECKING:
    from ..agent.recorder import Identity
    from ..agent.terms.manifest import AgentManifest

Parts = Mapping[str, str]
"""Part -> digest, in the order in which they are told."""
LLM_AGENT: Final = "actors.agent.llm_agent.LlmAgent"
"""By this name journals know the class, wherever its file stands."""
KEPT = 256
"""Of so many manifests the digests are kept: thousands of agents share one."""
_TALK: TypeAdapter[Any] = TypeAdapter(Message)

OF_MANIFEST: Final = frozenset(
    {
        *("name", "version", "description", "model", "resources", "capabilities", "privacy", "mcp_servers"),
        *("agent", "tools", "approval", "output"),
    }
)
OF_TABLES: Final = {
    "model": frozenset(
        {
            *("model_path", "remote_model", "model_repo", "model_quantization", "max_tokens", "temperature"),
            *("system_prompt", "context_window", "driver", "base_url", "private_hosts"),
            *("usd_per_million_input_tokens", "usd_per_million_output_tokens"),
            *("usd_per_million_cached_input_tokens", "usd_per_million_cache_write_tokens"),
        }
    ),
    "resources": frozenset({"max_iterations", "max_tool_calls", "max_cost_usd", "max_tokens_budget"}),
}
"""Fields that count whatever they say. What a manifest has got since the first journals were written, and will get,
counts where it is no default: else no agent of an older journal would be known again.
"""

canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
"""Data as one line of ASCII: the same text for the same data."""


class Fingerprints:
    """Makes the fingerprints of agents.

    Threads: any. What is kept of manifests changes by single operations.
    """

    def __init__(self) -> None:
        self._manifests: OrderedDict[int, tuple[AgentManifest, Parts]] = OrderedDict()

    def parts(self, identity: Identity, *, named: bool) -> dict[str, str]:
        """The parts of *identity*.

        Args:
            named: It has a key: what JSON cannot hold counts by its type.
        Raises:
            ValueError: JSON cannot hold the query, and no key was given.
        """
        config, shape = identity.config, identity.shape
        parts = {"agent": _of_class(identity.agent_class), **self._manifest(identity.manifest)}
        parts["query"] = _digest(_query(config.query, named=named))
        for number, message in enumerate(config.messages, 1):
            parts[f"message {number}"] = _digest(_of_message(message))
        if config.settings is not None and (said := config.settings.given()):
            parts["settings"] = _digest(canonical(said))
        if shape is not None:
            parts["output"] = _digest(canonical(shape.schema))
        return parts

    def _manifest(self, manifest: AgentManifest) -> Parts:
        kept = self._manifests.get(id(manifest))
        if kept is None:
            parts = {f"manifest {name}": _digest(canonical(to_json(each))) for name, each in _said(manifest).items()}
            kept = self._manifests[id(manifest)] = manifest, parts  # it is held: no other object gets its id
            if len(self._manifests) > KEPT:
                self._manifests.popitem(last=False)
        return kept[1]


def _said(manifest: AgentManifest) -> dict[str, Any]:
    """What *manifest* says, as data; of fields that came later what is no default."""
    whole = manifest.model_dump(mode="json", warnings=False)
    given = manifest.model_dump(mode="json", warnings=False, exclude_defaults=True)
    said = _counted(whole, given, OF_MANIFEST)
    for name, fields in OF_TABLES.items():
        said[name] = _counted(whole[name], given.get(name, {}), fields)
    return said


def _counted(whole: Mapping[str, Any], given: Mapping[str, Any], always: frozenset[str]) -> dict[str, Any]:
    names = always | given.keys()
    return {name: each if name in always else given[name] for name, each in whole.items() if name in names}


def digest_of_parts(parts: Parts) -> str:
    """The whole fingerprint."""
    return _digest(canonical(parts))


def first_difference(recorded: Parts, parts: Parts) -> str | None:
    """The first part that is another one; None when all are alike."""
    if recorded == parts:
        return None
    for name in (*parts, *recorded):
        if recorded.get(name) != parts.get(name):
            return name
    return None


@lru_cache(maxsize=256)
def _of_class(cls: type) -> str:
    return _digest(LLM_AGENT if cls is LlmAgent else class_name(cls))


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _of_message(message: Any) -> str:
    try:
        return canonical(_TALK.dump_python(message, mode="json", warnings=False))
    except Exception:  # noqa: BLE001 - fields that are not what they should be
        return canonical(to_json(message, exact=True))


def _query(query: Any, *, named: bool) -> str:
    if type(query) is str:
        return f"text {query}"
    try:
        if is_content(query):
            return f"parts {canonical([outline_of_part(part) for part in parts_of(content_of(query))])}"
        data = _plain(query)
        if is_plain(data):
            return canonical(data)
    except Exception:  # noqa: BLE001 - a model of a user's may do anything when it is written
        pass
    if named:
        return f"type {class_name(type(query))}"
    raise ValueError(
        f"a journal makes the agent's key of what it has to do, and JSON cannot hold this query "
        f"({class_name(type(query))}): name a key, as in SpawnConfig(..., key='invoice 17')"
    )


def _plain(value: Any) -> Any:
    """*value* with tuples as arrays, and models and dataclasses as what they are in JSON."""
    kind = type(value)
    if kind is tuple or kind is list:
        return [_plain(each) for each in value]
    if kind is dict:
        return {key: _plain(each) for key, each in value.items()}
    if issubclass(kind, BaseModel):
        return value.model_dump(mode="json")
    return _adapter(kind).dump_python(value, mode="json") if is_dataclass(kind) else value


@lru_cache(maxsize=64)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Making one takes a millisecond."""
    return TypeAdapter(kind)
