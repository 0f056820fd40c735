"""What bytes are, by how they begin, and what a media type may look like."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD: Final = 4_096
"""Bytes in which the signs of a kind are looked for."""
MOST_BYTES: Final = 20 * 1024 * 1024
"""Of one part."""
LONGEST_NAME: Final = 200
"""Characters of the name of a file."""
LONGEST_TYPE: Final = 100
"""Characters of a media type."""
OCTETS: Final = "application/octet-stream"

_TYPE: Final = r"(?:application|audio|image|text|video|font|model|message|x-[a-z]+)/[a-z0-9][a-z0-9.+_-]*"
_SAME: Final = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/heif": "image/heic",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/mp3": "audio/mpeg",
    "audio/x-mpeg": "audio/mpeg",
    "audio/x-flac": "audio/flac",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "audio/x-aac": "audio/aac",
    "application/x-pdf": "application/pdf",
}
_SUFFIXES: Final = {
    "csv": "text/csv",
    "htm": "text/html",
    "html": "text/html",
    "json": "application/json",
    "log": "text/plain",
    "md": "text/markdown",
    "py": "text/x-python",
    "toml": "application/toml",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "xml": "text/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
}
_BRANDS: Final = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"hevc": "image/heic",
    b"heif": "image/heic",
    b"mif1": "image/heic",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
}


class _Sign(NamedTuple):
    media_type: str
    fits: Callable[[bytes], bool]


def _begins(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(beginnings)


def _riff(form: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[:4] == b"RIFF" and head[8:12] == form


def _is_mp3(head: bytes) -> bool:
    """An ID3 tag, or a frame: eleven bits that are set, a layer and a rate that exist."""
    if head[:3] == b"ID3":
        return True
    return len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 6 != 0 and head[2] & 0xF0 != 0xF0


def _is_aac(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0


_SIGNS: Final = (
    _Sign("image/png", _begins(b"\x89PNG\r\n\x1a\n")),
    _Sign("image/jpeg", _begins(b"\xff\xd8\xff")),
    _Sign("image/gif", _begins(b"GIF87a", b"GIF89a")),
    _Sign("image/webp", _riff(b"WEBP")),
    _Sign("image/bmp", lambda head: head[:2] == b"BM" and head[6:10] == b"\0\0\0\0"),
    _Sign("image/tiff", _begins(b"II*\0", b"MM\0*")),
    _Sign("audio/wav", _riff(b"WAVE")),
    _Sign("audio/flac", _begins(b"fLaC")),
    _Sign("audio/ogg", _begins(b"OggS")),
    _Sign("audio/aac", _is_aac),
    _Sign("audio/mpeg", _is_mp3),
    _Sign("application/pdf", lambda head: b"%PDF-" in head[:1024]),
)
_KNOWN: Final = {sign.media_type for sign in _SIGNS} | set(_BRANDS.values())
"""What can be told by its bytes."""


def media_type_of(data: bytes) -> str:
    """What *data* is: ``image/png``; "" where its beginning does not say."""
    head = bytes(data[:HEAD])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "")
    return next((sign.media_type for sign in _SIGNS if sign.fits(head)), "")


def media_type_of_name(name: str) -> str:
    """What a file of that name mostly is; "" where the name does not say. Nothing of the machine is asked."""
    return _SUFFIXES.get(name.rpartition(".")[2].lower(), "") if "." in name else ""


def checked_media_type(media_type: str) -> str:
    """*media_type* in small letters, by the name that providers know it by.

    Raises:
        ValueError: It is none, or has parameters.
    """
    small = media_type.lower()
    if len(media_type) > LONGEST_TYPE or re.fullmatch(_TYPE, small) is None:
        said = media_type[:LONGEST_TYPE]
        raise ValueError(f"{said!r} is no media type: write it like 'image/png', without parameters")
    return _SAME.get(small, small)


def problem_of_bytes(data: bytes, media_type: str) -> str | None:
    """Why *data* is not what *media_type* says; None where it is, or nobody can tell."""
    found = media_type_of(data)
    if media_type in _KNOWN:
        if found == media_type:
            return None
        return f"its bytes are {found or 'something else'}, not {media_type}"
    if media_type.startswith("text/"):
        try:
            data.decode()
        except UnicodeDecodeError as error:
            return f"it is no {media_type} in UTF-8: byte {error.start:,} begins no character"
    return None


def too_large(name: str, size: int) -> str:
    """What is told of so many bytes."""
    return f"{name} has {size:,} bytes, and may have {MOST_BYTES:,} (20 MB)"
