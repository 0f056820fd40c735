"""About how many tokens content takes, and what is cut of it.

Sources: OpenAI's and Anthropic's guides to images (tiles of 512 pixels; width times height by 750), of which the higher
is taken; OpenAI's guide to audio (a token for every 100 ms); Anthropic's guide to PDF (1,500 to 3,000 tokens a page).
Providers count otherwise from model to model: these are estimates, on the side of more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ..core.records.image_size import image_size
from ..core.records.parts import AudioPart, ImagePart, TextPart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.records.parts import FilePart, Part

    FitAll = Callable[[Sequence[str], int], list[str]]
    Estimate = Callable[[str], int]

LARGEST_IMAGE: Final = 1_600
"""Tokens of a picture of which the size is not known: providers make larger ones smaller."""
LONGEST_SIDE, SHORTEST_SIDE, TILE = 2048, 768, 512
"""Pixels to which a picture is made smaller, and of a tile."""
BASE_TOKENS, TILE_TOKENS, PIXELS_PER_TOKEN = 85, 170, 750
AUDIO_TOKENS: Final = 10
"""For each second."""
AUDIO_BYTES: Final = 16_000
"""Of a second, where the file does not say: 128 kbit/s."""
PAGE_TOKENS: Final = 3_000
PAGE_BYTES: Final = 50_000
"""Of a page of a PDF that does not say how many it has."""
_PAGE: Final = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")


def estimate_content(content: str | Sequence[Part], estimate_text: Estimate) -> int:
    """Estimated tokens of *content*; texts by *estimate_text*."""
    if isinstance(content, str):
        return estimate_text(content)
    return sum(estimate_part(part, estimate_text) for part in content)


def estimate_part(part: Part, estimate_text: Estimate) -> int:
    """Estimated tokens of one part."""
    if isinstance(part, TextPart):
        return estimate_text(part.text)
    if isinstance(part, ImagePart):
        return _of_image(image_size(part.data, part.media_type))
    return _of_audio(part) if isinstance(part, AudioPart) else _of_file(part, estimate_text)


def cut_content(
    content: str | Sequence[Part], tokens: int, *, estimate_text: Estimate, fitted_all: FitAll
) -> str | list[Part]:
    """*content* in about so many tokens: what is no text stays whole as far as it fits, else it is named; the longest
    texts are cut to what is left.
    """
    if isinstance(content, str):
        return fitted_all([content], tokens)[0]
    kept: list[Part | str] = []
    left = tokens
    for part in content:
        if isinstance(part, TextPart):
            kept.append(part.text)
            continue
        size = estimate_part(part, estimate_text)
        shown = part if size <= left else TextPart(f"{part.told()} was left out")
        left -= size if shown is part else estimate_part(shown, estimate_text)
        kept.append(shown)
    texts = iter(fitted_all([each for each in kept if isinstance(each, str)], max(left, 1)))
    return [TextPart(next(texts) or "...") if isinstance(each, str) else each for each in kept]


def _of_image(size: tuple[int, int] | None) -> int:
    if size is None:
        return LARGEST_IMAGE
    width, height = size
    by_pixels = min(LARGEST_IMAGE, -(-width * height // PIXELS_PER_TOKEN))
    scale = min(1.0, LONGEST_SIDE / max(width, height))
    scale = min(scale, SHORTEST_SIDE / min(width, height))
    tiles = max(1, -int(-width * scale // TILE)) * max(1, -int(-height * scale // TILE))
    return max(by_pixels, BASE_TOKENS + TILE_TOKENS * tiles)


def _of_audio(part: AudioPart) -> int:
    rate = int.from_bytes(part.data[28:32], "little") if part.media_type == "audio/wav" else 0
    return -(-len(part.data) * AUDIO_TOKENS // (rate or AUDIO_BYTES)) if part.data else LARGEST_IMAGE


def _of_file(part: FilePart, estimate_text: Estimate) -> int:
    if not part.data:
        return PAGE_TOKENS
    if part.media_type == "application/pdf":
        pages = sum(1 for _ in _PAGE.finditer(part.data)) or -(-len(part.data) // PAGE_BYTES)
        return pages * PAGE_TOKENS
    if part.media_type.startswith("text/"):
        return estimate_text(part.data.decode(errors="replace"))
    return -(-len(part.data) // 4)
