"""A function of a user's that says what of a conversation is sent when the context window is full."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from ..core.crash import text_of
from ..core.records.conversation import AssistantMessage, SystemMessage, ToolResultMessage, UserMessage
from ..errors import ActorsError, ManifestError
from .terms.importing import load_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..core.records.conversation import Message
    from .terms.manifest import AgentManifest

PLACE = "context.policy"
HOW = "it is called as policy(messages, room_tokens), and returns the messages that are sent"


def policy_function(manifest: AgentManifest) -> Callable[..., Any] | None:
    """The function that ``context.policy`` names; None where it is a word.

    Raises:
        ManifestError: It cannot be imported, or called so.
    """
    path = manifest.context.policy
    if ":" not in path:
        return None
    found: Any = load_object(path, beside=manifest.folder, place=PLACE)
    problem = _problem_of(found)
    if problem is not None:
        raise ManifestError([f"{PLACE}: {path!r} {problem}: {HOW}"])
    function: Callable[..., Any] = found
    return function


def _problem_of(found: Any) -> str | None:
    if not callable(found):
        return f"is no function, but of type {type(found).__name__}"
    if inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(type(found).__call__):
        return "is async"
    try:
        inspect.signature(found).bind([], 0)
    except TypeError as error:
        return f"cannot be called so ({error})"
    except ValueError:  # one written in C, which does not tell
        return None
    return None


class ContextPolicy:
    """Asks the function, and looks at what it returns.

    Args:
        path: What the manifest calls it.

    Threads: the agent's own.
    """

    def __init__(self, function: Callable[..., Any], path: str) -> None:
        self._function = function
        self._path = path

    def choose(self, messages: Sequence[Message], query: Message, room: int) -> list[Message]:
        """What it leaves of *messages*, which stay as they are.

        Raises:
            RuntimeError: It raised something, which is the cause.
            TypeError: It returned no list of messages.
            ValueError: The query is not there, or a call without its result, or a result without its call.
        """
        try:
            found = self._function(list(messages), room)
        except ActorsError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {text_of(error)}"
            raise RuntimeError(f"{PLACE} {self._path!r} raised {what}") from error
        if not isinstance(found, list | tuple):
            raise TypeError(f"{PLACE} {self._path!r} returned no list of messages, but {type(found).__name__}")
        is_there = any(one is query for one in found)
        chosen = [self._message(one, None if is_there else query) for one in found]
        for problem in _problems(chosen, messages, query):
            raise ValueError(f"{PLACE} {self._path!r} returned {problem}")
        return chosen

    def _message(self, found: object, query: Message | None) -> Message:
        if not isinstance(found, UserMessage | AssistantMessage | ToolResultMessage | SystemMessage):
            raise TypeError(f"{PLACE} {self._path!r} returned something that is no message: {type(found).__name__}")
        return query if query is not None and found == query else found  # a copy of it is it


def _problems(chosen: Sequence[Message], messages: Sequence[Message], query: Message) -> Iterator[str]:
    if not any(one is query for one in chosen):
        yield "a conversation without the query, which has to stay"
    answered = {one.tool_call_id for one in messages if isinstance(one, ToolResultMessage)}
    open_calls: dict[str, str] = {}
    for message in [*chosen, None]:
        if isinstance(message, ToolResultMessage):
            if open_calls.pop(message.tool_call_id, None) is None:
                yield f"the result of the call {message.tool_call_id!r} without the call before it"
            continue
        for call, name in open_calls.items():
            yield f"the call {call!r} of {name!r} without its result"
        calls = message.tool_calls if isinstance(message, AssistantMessage) else ()
        open_calls = {call.id: call.name for call in calls if call.id in answered}
