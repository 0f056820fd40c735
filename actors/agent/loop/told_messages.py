"""The messages of requests, as events tell them where they have contents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.records.content_field import outline_of_part
from ...core.records.json_value import to_json
from ...core.records.told import told_value
from ..wire import message_to_data

if TYPE_CHECKING:
    from ...core.records.conversation import Message
    from ..ports import CompletionRequest


class ToldMessages:
    """Tells what a driver is asked, each message of a conversation once: requests share what they have in common.

    Guarantees: what was told stays as it was, whatever becomes of the arguments of a call.

    Threads: any.

    Locks: none; ``_known`` is replaced by one operation.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, tuple[Message, Any]] = {}

    def told(self, request: CompletionRequest) -> list[Any]:
        """The messages of *request* as JSON says them, its system prompt first. Never raises."""
        before = self._known
        known = [before.get(id(message)) or (message, _told(message)) for message in request.messages]
        self._known = {id(message): (message, data) for message, data in known}
        system = [] if request.system is None else [{"role": "system", "content": told_value(request.system)}]
        return [*system, *(data for _, data in known)]


def _told(message: Message) -> Any:
    try:
        data = message_to_data(message)
    except Exception:  # noqa: BLE001 - a message of a user's own, that no JSON is known for
        return to_json(message)
    content: Any = getattr(message, "content", None)
    if isinstance(content, tuple):  # without the bytes of images, sounds and files
        data["content"] = [outline_of_part(part) for part in content]
    data.pop("attachment", None)  # what its driver alone can read
    return data
