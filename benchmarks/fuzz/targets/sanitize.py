"""What tools say, before a model reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.agent.terms.sanitize import SANITIZED, sanitize

from ..target import Target, hold

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

MARKERS = (
    *("<|system|>", "<|im_start|>system", "[INST]", "<<SYS>>", "ignore previous instructions", "ignore all previous"),
    *("disregard previous", "new system prompt:", "override:"),
)


class Sanitize(Target):
    """A text in UTF-8; halves of characters, too."""

    about = "markers of injection in texts"
    words = (
        *(marker.encode() for marker in MARKERS),
        *(chr(code).encode() for code in (0x200B, 0xE0041, 0xAD, 0x301, 0xFF29)),
    )

    def seeds(self) -> Iterable[bytes]:
        """Each marker, alone and in a text."""
        return [text.encode() for marker in MARKERS for text in (marker, f"Before {marker.upper()} and after.")] + [
            "plain text, \u00e4\u00f6\u00fc \u6f22\u5b57 \U0001f600".encode()
        ]

    def work(self, data: bytes) -> object:
        """Once."""
        return sanitize(_text(data))

    def check(self, data: bytes, *, thorough: bool = False) -> Hashable:  # noqa: ARG002 - nothing takes longer
        """No marker is left, once is enough, and what holds none is the same object."""
        text = _text(data)
        clean = sanitize(text)
        left = [marker for marker in MARKERS if marker in clean.lower()]
        hold(not left, "no marker is left", (left, clean[:500]))
        hold(sanitize(clean) == clean, "once is enough", (clean[:500], sanitize(clean)[:500]))
        hold(clean is text or clean != text, "a text without a marker is the same object", clean[:500])
        hold(
            SANITIZED in clean or len(clean) <= len(text), "nothing is added but what stands for a marker", clean[:500]
        )
        return min(clean.count(SANITIZED), 3), clean is text, text.isascii()


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("latin-1")


TARGET = Sanitize()
