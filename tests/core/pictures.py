"""Small files of each kind, for tests of parts."""

from __future__ import annotations

import struct
import zlib


def png(width: int = 3, height: int = 2) -> bytes:
    """A whole picture, of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"".join(b"\0" + b"\x7f" * width for _ in range(min(height, 64))))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg(width: int, height: int) -> bytes:
    """As much of one as says its size, behind a segment that looks like one."""
    return (
        b"\xff\xd8\xff\xe0\0\x10JFIF" + b"\0" * 10 + b"\xff\xc0\0\x11\x08" + struct.pack(">HH", height, width) + b"\3"
    )


def gif(width: int, height: int) -> bytes:
    """Its beginning."""
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\0" * 4


def webp(width: int, height: int) -> bytes:
    """Its beginning, of the kind that has more than a picture."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0" + b"\0" * 4 + size


def wav(seconds: int = 1, rate: int = 8_000) -> bytes:
    """Silence."""
    data = b"\0" * (seconds * rate * 2)
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    return head + struct.pack("<4sI", b"data", len(data)) + data


PDF = b"%PDF-1.4\n1 0 obj<</Type /Pages/Count 2>>endobj 2 0 obj<</Type /Page>>endobj 3 0 obj<</Type/Page>>endobj\n%%EOF"
MP3 = b"\xff\xfb\x90\x64" + b"\0" * 60
