"""Which content a driver's model can be shown beside text; what it cannot is refused by name, or named in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..core.figures import byte_size
from ..core.records.content import MOST_BYTES, bytes_of, is_content, parts_of
from ..core.records.conversation import UserMessage
from ..core.records.parts import TextPart
from ..errors import CapabilityDenied
from ..public import publish
from .ports import PrivacyTier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..core.records.conversation import Message
    from ..core.records.parts import Part
    from .ports import CompletionRequest

ANY: Final = frozenset({"*"})
"""All media types."""
_SETS: Final = ("image", "audio", "file", "urls")
_INSTEAD: Final = {
    "image": "OpenAIDriver and AnthropicDriver take images",
    "audio": "OpenAIDriver(..., api='chat') takes audio",
    "file": "OpenAIDriver and AnthropicDriver take PDF files",
}
"""Who takes what another does not, to be named in errors."""
NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Takes:
    """What a driver can send of content, by media types (``image/png``; ``*``: all).

    Args:
        image, audio, file: Of parts of that kind.
        urls: The kinds of parts of which it can send a URL.

    Example:
        ```python
        from actors import Takes

        class OwnDriver:
            takes = Takes(image=frozenset({"image/png", "image/jpeg"}))
        ```
    """

    image: frozenset[str] = NONE
    audio: frozenset[str] = NONE
    file: frozenset[str] = NONE
    urls: frozenset[str] = NONE

    def problem_of(self, part: Part) -> str | None:
        """Why *part* cannot be sent; None when it can."""
        if isinstance(part, TextPart):
            return None
        known: frozenset[str] = getattr(self, part.kind)
        if part.url:
            if part.kind in self.urls:
                return None
            return "takes no URL of " + ("an image" if part.kind == "image" else part.kind) + ": give its bytes"
        family = part.media_type.partition("/")[0]
        if part.media_type in known or f"{family}/*" in known or known == ANY:
            return None
        if known:
            return f"takes no {part.media_type} as {part.kind}, but {', '.join(sorted(known))}"
        return f"takes no {part.kind}{'' if part.kind == 'audio' else 's'}; {_INSTEAD[part.kind]}"

    def to_data(self) -> dict[str, list[str]]:
        """It as data that JSON can hold."""
        return {name: sorted(getattr(self, name)) for name in _SETS}

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Takes:
        """What :meth:`to_data` wrote.

        Args:
            data: As it was written.
        Raises:
            TypeError: It is none.
        """
        return cls(*(frozenset(map(str, data.get(name, ()))) for name in _SETS))

    def both(self, other: Takes) -> Takes:
        """What the two can send.

        Args:
            other: What another one can send.
        """
        return Takes(
            _common(self.image, other.image),
            _common(self.audio, other.audio),
            _common(self.file, other.file),
            self.urls & other.urls,
        )


def _common(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    if ANY in (one, other):
        return other if one == ANY else one
    families = {each for each in one ^ other if each.partition("/")[0] + "/*" in one | other}
    return (one & other) | {each for each in families if not each.endswith("/*")}


TEXT_ALONE: Final = Takes()
EVERYTHING: Final = Takes(ANY, ANY, ANY, frozenset({"image", "audio", "file"}))


def takes_of(driver: Any) -> Takes:
    """What *driver* says that it takes; one that says nothing is sent text alone."""
    found = getattr(driver, "takes", None)
    return found if isinstance(found, Takes) else TEXT_ALONE


def problem_of_request(request: CompletionRequest, driver: Any, privacy: PrivacyTier) -> str | None:
    """Why *request* may not be sent to *driver* by an agent of that *privacy*; None when it may."""
    for message in request.messages:
        if type(message.content) is not str:
            break
    else:
        return None
    for place, message in enumerate(request.messages, 1):
        if privacy is not PrivacyTier.STANDARD and (found := url_in(message.content)) is not None:
            return f"message {place}, {found}, and the manifest's privacy is {privacy!s}: give its bytes"
    return problem_of_messages(request.messages, takes_of(driver), type(driver).__name__)


def refuse_query(query: Any, messages: Sequence[Message], driver: Any, privacy: PrivacyTier) -> None:
    """Refuse what *driver* could not be asked, before anything is admitted; texts are no matter.

    Args:
        driver: None: the agent has none, and does with its query what it pleases.
    Raises:
        ValueError: Something among the parts of *query* is none, or the driver does not take one, or they are too
            large together.
        CapabilityDenied: One is a URL, and *privacy* is not ``standard``.
    """
    if isinstance(query, str) and not messages:
        return
    asked = [("query", query)] if is_content(query) else []
    asked += [
        (f"messages.{place}", each.content) for place, each in enumerate(messages) if type(each.content) is not str
    ]
    if not asked:
        return
    told: list[Message] = []
    for where, content in asked:
        try:
            message = UserMessage(content)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where}: {error}") from None
        told.append(message)
        if privacy is not PrivacyTier.STANDARD and (found := url_in(message.content)) is not None:
            raise CapabilityDenied(f"{where}: {found}, and the manifest's privacy is {privacy!s}: give its bytes")
        if driver is not None:
            problem = problem_of_content(message.content, takes_of(driver), type(driver).__name__)
            if problem is not None:
                raise ValueError(f"{where}: {problem}")
    if (problem := too_many_bytes(told)) is not None:
        raise ValueError(f"{' and '.join(where for where, _ in asked)}: {problem}")


def problem_of_messages(messages: Iterable[Message], takes: Takes, who: str) -> str | None:
    """Why *messages* cannot be sent to *who*, with the place; None when they can."""
    listed = [(place, message) for place, message in enumerate(messages, 1) if not isinstance(message.content, str)]
    for place, message in listed:
        found = problem_of_content(message.content, takes, who)
        if found is not None:
            return f"message {place}, {found}"
    return too_many_bytes(message for _, message in listed)


def problem_of_content(content: Any, takes: Takes, who: str) -> str | None:
    """The first part of *content* that *who* does not take, and why; None when it takes all."""
    for place, part in enumerate(parts_of(content), 1):
        if (problem := takes.problem_of(part)) is not None:
            return f"part {place} ({part.told()[1:-1]}): {who} {problem}"
    return None


def url_in(content: Any) -> str | None:
    """The place of the first part of *content* that is a URL; None where there is none."""
    return next(
        (f"part {place} is a URL" for place, part in enumerate(parts_of(content), 1) if getattr(part, "url", "")), None
    )


def too_many_bytes(messages: Iterable[Message]) -> str | None:
    """What is wrong with parts of so many bytes together; None when they are not too many."""
    total = bytes_of(message.content for message in messages)
    if total <= MOST_BYTES:
        return None
    return f"the parts have {byte_size(total)} together, and a request may have {MOST_BYTES:,} bytes (50 MB)"


publish("actors.ports", Takes)
