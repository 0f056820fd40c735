"""Parts of content: what is wrong with one is said when it is made, and JSON says all of it."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from actors import AudioPart, FilePart, ImagePart, Message, TextPart, ToolResult
from actors.core.records.content import text_of_content
from actors.core.records.image_size import image_size
from actors.core.records.media import MOST_BYTES, media_type_of
from actors.ports import Part, SystemMessage, ToolResultMessage, UserMessage

from .pictures import MP3, PDF, gif, jpeg, png, wav, webp

ANY: TypeAdapter[Any] = TypeAdapter(Message)
PARTS: list[Part] = [
    TextPart("hi \ud800"),
    ImagePart(png()),
    ImagePart(url="https://example.org/a.png?b=1"),
    AudioPart(wav()),
    FilePart(PDF, name="bill.pdf"),
    FilePart(b"a,b\n1,2\n", name="table.csv"),
]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (png(), "image/png"),
        (jpeg(1, 1), "image/jpeg"),
        (gif(1, 1), "image/gif"),
        (webp(1, 1), "image/webp"),
        (wav(), "audio/wav"),
        (MP3, "audio/mpeg"),
        (b"ID3\4", "audio/mpeg"),
        (b"OggS\0", "audio/ogg"),
        (b"fLaC\0", "audio/flac"),
        (b"\xff\xf1\x50", "audio/aac"),
        (b"\0\0\0\x20ftypheic", "image/heic"),
        (b"\0\0\0\x20ftypisom", ""),
        (PDF, "application/pdf"),
        (b"", ""),
        (b"hello", ""),
        (b"<svg/>", ""),
        (b"\xff\xfe", ""),
    ],
)
def test_what_bytes_are(data: bytes, found: str) -> None:
    """Is told by how they begin."""
    assert media_type_of(data) == found


@pytest.mark.parametrize("make", [png, jpeg, gif, webp])
def test_how_large_a_picture_is(make: Callable[[int, int], bytes]) -> None:
    """Stands in its first bytes; of one that is cut, nobody knows."""
    data = make(640, 33)
    kind = media_type_of(data)
    assert image_size(data, kind) == (640, 33)
    for end in range(12, 20):
        assert image_size(data[:end], kind) in (None, (640, 33))
    if make is not webp:  # it says one less
        assert image_size(make(0, 5), kind) is None


def test_a_jpeg_without_end_is_not_walked_for_ever() -> None:
    """Nor is one whose segments have no length."""
    assert image_size(b"\xff\xd8" + b"\xff\xe1\0\0" * 100_000, "image/jpeg") is None
    assert image_size(b"\xff\xd8" + b"\xff" * 100_000, "image/jpeg") is None


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: ImagePart(b""), "has no bytes"),
        (lambda: ImagePart(b"no image"), "no image that is known"),
        (lambda: ImagePart(b"no image", "image/png"), "are something else, not image/png"),
        (lambda: ImagePart(b"no image", "image/x-own"), "no image that is known"),
        (lambda: ImagePart(png(), "image/jpeg"), "are image/png, not image/jpeg"),
        (lambda: ImagePart(png(), "text/plain"), "must be image/"),
        (lambda: ImagePart(wav()), "must be image/"),
        (lambda: ImagePart(png(), "text/html; drop"), "is no media type"),
        (lambda: ImagePart(png(), "image/png\r\nX: y"), "is no media type"),
        (lambda: ImagePart(png(), "image/" + "x" * 1_000), "is no media type"),
        (lambda: ImagePart(png() + bytes(MOST_BYTES)), r"and may have 20,971,520 \(20 MB\)"),
        (lambda: ImagePart(png(), url="https://x.org/a.png"), "bytes and a URL"),
        (lambda: ImagePart(url="file:///etc/passwd"), "not 'file'"),
        (lambda: ImagePart(url="data:image/png;base64,AAAA"), "not 'data'"),
        (lambda: ImagePart(url="a.png"), "must begin with https://"),
        (lambda: ImagePart(url="https://"), "names no host"),
        (lambda: ImagePart(url="https://me:secret@x.org/a.png"), "no user and no password"),
        (lambda: ImagePart(url="https://x.org/a b"), "no URL has"),
        (lambda: ImagePart(url="https://x.org/\n"), "no URL has"),
        (lambda: ImagePart(url="https://[x.org/"), "cannot be read"),
        (lambda: ImagePart(url="https://x.org:x/"), "cannot be read"),
        (lambda: ImagePart(url="https://x.org/" + "a" * 9_000), "may have 8,000"),
        (lambda: ImagePart("image/png", url="https://x.org/a"), "must be bytes"),
        (lambda: AudioPart(b"hello"), "no audio that is known"),
        (lambda: AudioPart(b"hello", "audio/wav"), "not audio/wav"),
        (lambda: FilePart(b"hello"), "give its media_type"),
        (lambda: FilePart(b"hello", "application/pdf"), "not application/pdf"),
        (lambda: FilePart(b"caf\xe9", "text/plain"), "byte 3 begins no character"),
        (lambda: FilePart(PDF, name="../bill.pdf"), "plain name"),
        (lambda: FilePart(PDF, name="a\nb"), "plain name"),
        (lambda: FilePart(PDF, name="a" * 300), "may have 200"),
        (lambda: FilePart(PDF, name=5), "must be a str"),
        (lambda: TextPart(""), "must not be empty"),
        (lambda: TextPart(b"a"), "must be a str"),
        (lambda: UserMessage([]), "at least one part"),
        (lambda: UserMessage(["hi", ""]), "part 2: .*empty"),
        (lambda: UserMessage(["hi", object()]), "part 2 is a object"),
        (lambda: ToolResultMessage("c1", [ImagePart(png()), 5]), "part 2 is a int"),
        (lambda: SystemMessage([ImagePart(png())]), "an instruction is a text"),
        (lambda: SystemMessage(ImagePart(png())), "an instruction is a text"),
    ],
    ids=lambda each: each[:30] if isinstance(each, str) else "",
)
def test_what_is_wrong_is_said_when_it_is_made(make: Callable[[], object], problem: str) -> None:
    """With what to do instead, and before anybody is asked."""
    with pytest.raises((ValueError, TypeError), match=problem):
        make()


def test_words_for_the_same_media_type() -> None:
    """Become the one that providers know."""
    assert ImagePart(jpeg(1, 1), "IMAGE/JPG").media_type == "image/jpeg"
    assert AudioPart(wav(), "audio/x-wav").media_type == "audio/wav"
    assert AudioPart(MP3, "audio/mp3") == AudioPart(MP3)


def test_what_a_repr_shows() -> None:
    """No bytes; a name, a type and a size."""
    assert repr(ImagePart(png())) == f"<ImagePart image/png, {len(png())} bytes>"
    assert repr(FilePart(PDF, name="bill.pdf")) == f"<FilePart bill.pdf, application/pdf, {len(PDF)} bytes>"
    assert "x.org/a.png" in repr(ImagePart(url="https://x.org/a.png"))


def test_content_as_text() -> None:
    """Texts as they are, all else by its name, in its place."""
    message = UserMessage(["look:", ImagePart(png()), "well?"])
    assert message.text == f"look:\n[image/png, {len(png())} bytes]\nwell?"
    assert UserMessage("hi").text == "hi"
    assert text_of_content("hi") == "hi"


def test_how_content_may_be_given() -> None:
    """One part, a list, a tuple, texts among them: it is the same message."""
    image = ImagePart(png())
    assert UserMessage(image) == UserMessage([image]) == UserMessage((image,))
    assert UserMessage(["a", image]).content == (TextPart("a"), image)
    assert ToolResult([image]).content == (image,)
    assert hash(UserMessage([image])) == hash(UserMessage((image,)))


@pytest.mark.parametrize("part", PARTS, ids=[part.kind for part in PARTS])
def test_a_part_comes_back_equal(part: Part) -> None:
    """From JSON, from Python's data and from a pickle."""
    for message in (UserMessage([part]), ToolResultMessage("c1", ["a", part], is_error=True)):
        assert ANY.validate_json(ANY.dump_json(message)) == message
        assert ANY.validate_python(ANY.dump_python(message)) == message
        assert ANY.validate_python(ANY.dump_python(message, mode="json")) == message
        assert pickle.loads(pickle.dumps(message)) == message
    parts: TypeAdapter[Any] = TypeAdapter(Part)
    assert parts.validate_json(parts.dump_json(part)) == part


def test_what_json_says() -> None:
    """The role, the kinds, base64; nothing that is empty. A text is what it always was."""
    assert ANY.dump_json(UserMessage("hi")) == b'{"role":"user","content":"hi"}'
    message = UserMessage(["hi", FilePart(b"a", "text/plain", "a.txt"), ImagePart(url="https://x.org/a.png")])
    assert ANY.dump_python(message, mode="json") == {
        "role": "user",
        "content": [
            {"kind": "text", "text": "hi"},
            {"kind": "file", "data": "YQ==", "media_type": "text/plain", "name": "a.txt"},
            {"kind": "image", "url": "https://x.org/a.png"},
        ],
    }


@pytest.mark.parametrize(
    ("content", "place", "problem"),
    [
        ([], ("user", "content"), "at least one part"),
        ([{"text": "a"}], ("user", "content", 0), 'has no "kind"'),
        ([{"kind": "video"}], ("user", "content", 0), "must be one of text, image, audio, file"),
        ([{"kind": []}], ("user", "content", 0), "must be one of"),
        ([{"kind": "image", "data": "!"}], ("user", "content", 0, "image", "data"), "base64"),
        ([{"kind": "image", "data": "AAAA"}], ("user", "content", 0, "image"), "no image"),
        ([{"kind": "text", "text": "a", "more": 1}], ("user", "content", 0, "text", "more"), "Unexpected"),
        ([5], ("user", "content", 0), "not int"),
        (5, ("user", "content"), "valid string"),
    ],
)
def test_json_that_is_no_content(content: object, place: tuple[object, ...], problem: str) -> None:
    """Is refused, with its place."""
    with pytest.raises(ValidationError, match=problem) as caught:
        ANY.validate_python({"role": "user", "content": content})
    (error,) = caught.value.errors()
    assert error["loc"] == place


# Files ----------------------------------------------------------------------------------------------------------------


def test_a_file_is_loaded(tmp_path: Path) -> None:
    """What it is is told by its bytes, else by its name."""
    (tmp_path / "receipt.jpg").write_bytes(png())
    (tmp_path / "notes.md").write_text("# Größe")
    (tmp_path / "odd.bin").write_bytes(b"\0\1")
    assert ImagePart.load(tmp_path / "receipt.jpg") == ImagePart(png(), "image/png")
    notes = FilePart.load(str(tmp_path / "notes.md"))
    assert (notes.name, notes.media_type) == ("notes.md", "text/markdown")
    assert FilePart.load(tmp_path / "odd.bin").media_type == "application/octet-stream"
    assert FilePart.load(tmp_path / "odd.bin", "application/x-own", name="x").name == "x"


def test_files_that_are_none(tmp_path: Path) -> None:
    """Are refused at once: none is waited for, none is read without end."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no image")
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(21_000_000)
    os.mkfifo(tmp_path / "pipe")
    for name, kind in (("missing", FileNotFoundError), ("", IsADirectoryError), ("loop", OSError), ("pipe", OSError)):
        with pytest.raises(kind, match=rf"{tmp_path.name}"):
            ImagePart.load(tmp_path / name)
    for name, problem in (("empty.png", "is empty"), ("text.png", "no image"), ("large.png", "20 MB")):
        with pytest.raises(ValueError, match=problem):
            ImagePart.load(tmp_path / name)
    with pytest.raises(OSError, match="not a regular file"):
        FilePart.load("/dev/zero")


def test_an_odd_name_is_shown_escaped(tmp_path: Path) -> None:
    """A name of bytes that are no text, or of signs that do not show, is one that can be told."""
    path = os.fsencode(tmp_path) + b"/a\n\xff.txt"
    Path(os.fsdecode(path)).write_text("a")
    assert FilePart.load(os.fsdecode(path)).name == "a_?.txt"
