"""How large a picture is, as its first bytes say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SEGMENTS: Final = 1_000
"""Of a JPEG that are looked through: some have a picture in small before their size."""
FILL: Final = 64
"""Bytes that may stand before a marker."""
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG behind which its size stands."""

Size = tuple[int, int]


def image_size(data: bytes, media_type: str) -> Size | None:
    """Width and height in pixels; None where the bytes do not say. Nothing is unpacked."""
    read = _READERS.get(media_type)
    if read is None:
        return None
    try:
        width, height = read(data)
    except (IndexError, ValueError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _number(data: bytes, start: int, size: int, *, little: bool = False) -> int:
    piece = data[start : start + size]
    if len(piece) < size:
        raise IndexError
    return int.from_bytes(piece, "little" if little else "big")


def _png(data: bytes) -> Size:
    if data[12:16] != b"IHDR":
        raise ValueError
    return _number(data, 16, 4), _number(data, 20, 4)


def _gif(data: bytes) -> Size:
    return _number(data, 6, 2, little=True), _number(data, 8, 2, little=True)


def _bmp(data: bytes) -> Size:
    height = int.from_bytes(data[22:26], "little", signed=True)  # below 0: its first row is the top one
    return _number(data, 18, 4, little=True), abs(height)


def _webp(data: bytes) -> Size:
    form = data[12:16]
    if form == b"VP8X":
        return _number(data, 24, 3, little=True) + 1, _number(data, 27, 3, little=True) + 1
    if form == b"VP8L":
        bits = _number(data, 21, 4, little=True)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form != b"VP8 ":
        raise ValueError
    return _number(data, 26, 2, little=True) & 0x3FFF, _number(data, 28, 2, little=True) & 0x3FFF


def _jpeg(data: bytes) -> Size:
    place = 2
    for _ in range(SEGMENTS):
        place += len(head := data[place : place + FILL]) - len(head.lstrip(b"\xff"))
        marker = data[place]
        if marker in _FRAMES:
            return _number(data, place + 6, 2), _number(data, place + 4, 2)
        place += 1 + _number(data, place + 1, 2)
    raise ValueError


_READERS: Final[dict[str, Callable[[bytes], Size]]] = {
    "image/png": _png,
    "image/gif": _gif,
    "image/bmp": _bmp,
    "image/webp": _webp,
    "image/jpeg": _jpeg,
}
