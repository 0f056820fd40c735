"""Draws a receipt as a PNG image, in letters of 5 x 7 dots, and reads such a one again. No package is needed for it."""

import struct
import zlib
from collections.abc import Iterator

GLYPHS = {
    "A": "01110 10001 10001 11111 10001 10001 10001", "B": "11110 10001 10001 11110 10001 10001 11110",
    "C": "01111 10000 10000 10000 10000 10000 01111", "D": "11110 10001 10001 10001 10001 10001 11110",
    "E": "11111 10000 10000 11110 10000 10000 11111", "F": "11111 10000 10000 11110 10000 10000 10000",
    "G": "01111 10000 10000 10011 10001 10001 01111", "H": "10001 10001 10001 11111 10001 10001 10001",
    "I": "11111 00100 00100 00100 00100 00100 11111", "J": "00111 00010 00010 00010 00010 10010 01100",
    "K": "10001 10010 10100 11000 10100 10010 10001", "L": "10000 10000 10000 10000 10000 10000 11111",
    "M": "10001 11011 10101 10101 10001 10001 10001", "N": "10001 11001 10101 10011 10001 10001 10001",
    "O": "01110 10001 10001 10001 10001 10001 01110", "P": "11110 10001 10001 11110 10000 10000 10000",
    "Q": "01110 10001 10001 10001 10101 10010 01101", "R": "11110 10001 10001 11110 10100 10010 10001",
    "S": "01111 10000 10000 01110 00001 00001 11110", "T": "11111 00100 00100 00100 00100 00100 00100",
    "U": "10001 10001 10001 10001 10001 10001 01110", "V": "10001 10001 10001 10001 10001 01010 00100",
    "W": "10001 10001 10001 10101 10101 11011 10001", "X": "10001 10001 01010 00100 01010 10001 10001",
    "Y": "10001 10001 01010 00100 00100 00100 00100", "Z": "11111 00001 00010 00100 01000 10000 11111",
    "0": "01110 10011 10101 10101 11001 10001 01110", "1": "00100 01100 00100 00100 00100 00100 01110",
    "2": "01110 10001 00001 00110 01000 10000 11111", "3": "11110 00001 00001 01110 00001 00001 11110",
    "4": "00010 00110 01010 10010 11111 00010 00010", "5": "11111 10000 11110 00001 00001 10001 01110",
    "6": "01110 10000 10000 11110 10001 10001 01110", "7": "11111 00001 00010 00100 01000 01000 01000",
    "8": "01110 10001 10001 01110 10001 10001 01110", "9": "01110 10001 10001 01111 00001 00001 01110",
    ".": "00000 00000 00000 00000 00000 01100 01100", "-": "00000 00000 00000 11111 00000 00000 00000",
    ":": "00000 01100 01100 00000 01100 01100 00000", " ": "00000 00000 00000 00000 00000 00000 00000",
}  # fmt: skip
ROWS = {sign: tuple(rows.split()) for sign, rows in GLYPHS.items()}
SIGNS = {rows: sign for sign, rows in ROWS.items()}
WIDE, HIGH = 6, 10
"""Dots from one letter, and from one line, to the next."""
DOT = 4
"""Pixels of a dot."""
MAGIC = b"\x89PNG\r\n\x1a\n"


def draw(text: str) -> bytes:
    """*text* (capital letters, digits and ``. : -``) as a PNG image, black on white."""
    lines = text.split("\n")
    columns = max(map(len, lines)) + 2
    dots = [[False] * (columns * WIDE) for _ in range((len(lines) + 2) * HIGH)]
    for down, line in enumerate(lines, start=1):
        for across, sign in enumerate(line, start=1):
            for y, row in enumerate(ROWS[sign]):
                for x, dot in enumerate(row):
                    dots[down * HIGH + y][across * WIDE + x] = dot == "1"
    return _png([[dot for dot in row for _ in range(DOT)] for row in dots for _ in range(DOT)])


def read(image: bytes) -> str:
    """The text of an image that :func:`draw` made.

    Raises:
        ValueError: It is another one.
    """
    pixels = _pixels(image)
    dots = [row[::DOT] for row in pixels[::DOT]]
    lines = []
    for top in range(HIGH, len(dots) - HIGH, HIGH):
        line = ""
        for left in range(WIDE, len(dots[top]) - WIDE, WIDE):
            rows = tuple("".join("01"[dot] for dot in row[left : left + 5]) for row in dots[top : top + 7])
            if rows not in SIGNS:
                raise ValueError(f"a sign that nobody knows at {left}, {top}")
            line += SIGNS[rows]
        lines.append(line.rstrip())
    return "\n".join(lines)


def _png(rows: list[list[bool]]) -> bytes:
    """One byte of grey for each pixel; a byte in front of each row says that it is written as it is."""
    data = b"".join(b"\0" + bytes(0 if dot else 255 for dot in row) for row in rows)
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    return MAGIC + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(data, 9)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _pixels(image: bytes) -> list[list[bool]]:
    chunks = dict(_chunks(image))
    wide, high = struct.unpack(">II", chunks[b"IHDR"][:8])
    data = zlib.decompress(chunks[b"IDAT"])
    return [[byte == 0 for byte in data[row * (wide + 1) + 1 : (row + 1) * (wide + 1)]] for row in range(high)]


def _chunks(image: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not image.startswith(MAGIC):
        raise ValueError("this is no PNG image")
    place = len(MAGIC)
    while place < len(image):
        (length,) = struct.unpack(">I", image[place : place + 4])
        yield image[place + 4 : place + 8], image[place + 8 : place + 8 + length]
        place += length + 12
