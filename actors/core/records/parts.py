"""Parts of a message beside plain text: images, audio and files, as bytes with a media type.

What is wrong with one is said when it is made, and not by a server that has been paid.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from ...public import publish
from ..figures import byte_size
from .json_fields import Base64, Text
from .media import (
    LONGEST_NAME,
    MOST_BYTES,
    OCTETS,
    checked_media_type,
    media_type_of,
    media_type_of_name,
    problem_of_bytes,
    too_large,
)

if TYPE_CHECKING:
    from os import PathLike

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

LONGEST_URL: Final = 8_000
"""Characters."""


class _Part:
    """What all have in common: each says its kind, in JSON too."""

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}
    kind: ClassVar[str]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from .part_json import schema_of, schema_of_all

        if cls is _Part:
            return schema_of_all((TextPart, ImagePart, AudioPart, FilePart), handler)
        return schema_of(cls.kind, source, handler)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        from .part_json import json_schema_of

        return handler(core) if cls is _Part else json_schema_of(cls.kind, core, handler)


@dataclass(frozen=True, slots=True)
class TextPart(_Part):
    """Words among other parts."""

    kind: ClassVar[Literal["text"]] = "text"
    text: Text

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise TypeError(f"the text of a TextPart must be a str, got {type(self.text).__name__}")
        if not self.text:
            raise ValueError("a TextPart must not be empty: leave it out")

    def told(self) -> str:
        """It in words."""
        return self.text


class _Medium(_Part):
    """What images, audio and files have in common: bytes, and what they are.

    ``load`` reads a file; what it is is told by its bytes, else by its name.
    """

    __slots__ = ()
    family: ClassVar[str] = ""
    data: Base64
    media_type: str
    url: str

    def _check(self) -> None:
        """Raise what is wrong with it, and put its media type into the words of providers."""
        name = type(self).__name__
        for attribute, kind in (("data", bytes), ("media_type", str), ("url", str)):
            if not isinstance(value := getattr(self, attribute), kind):
                hint = f": a file is read by {name}.load(path)" if attribute == "data" else ""
                raise TypeError(f"{attribute} of {name} must be {kind.__name__}, got {type(value).__name__}{hint}")
        if self.url:
            self._check_url(name)
        elif not self.data:
            raise ValueError(f"{name} has no bytes: an empty part says nothing")
        if len(self.data) > MOST_BYTES:
            raise ValueError(too_large(name, len(self.data)))
        media_type = checked_media_type(self.media_type) if self.media_type else media_type_of(self.data)
        if not self.url:
            self._check_bytes(name, media_type)
        object.__setattr__(self, "media_type", media_type)

    def _check_bytes(self, name: str, media_type: str) -> None:
        if not media_type:
            known = f"no {self.family} that is known" if self.family else "nothing that is known by its bytes"
            raise ValueError(f"{name}: it is {known}; give its media_type, such as {self._example!r}")
        if self.family and not media_type.startswith(f"{self.family}/"):
            raise ValueError(f"{name}: its media type must be {self.family}/..., not {media_type!r}")
        if (problem := problem_of_bytes(self.data, media_type)) is not None:
            raise ValueError(f"{name}: {problem}")

    def _check_url(self, name: str) -> None:
        if self.data:
            raise ValueError(f"{name} has bytes and a URL: give one of them")
        if (problem := _problem_of_url(self.url)) is not None:
            raise ValueError(f"{name}: {problem}")
        if self.media_type and self.family and not self.media_type.lower().startswith(f"{self.family}/"):
            raise ValueError(f"{name}: its media type must be {self.family}/..., not {self.media_type!r}")

    @property
    def _example(self) -> str:
        return {"image": "image/png", "audio": "audio/wav"}.get(self.family, "text/plain")

    @property
    def digest(self) -> str:
        """What tells its bytes, or its URL, from all others: 64 hexadecimal digits. Made anew each time."""
        return sha256(self.data or self.url.encode("utf-8", "surrogatepass")).hexdigest()

    def told(self) -> str:
        """It in words, for those who need a text: ``[image/png, 12.3 kB]``."""
        what = [getattr(self, "name", ""), self.media_type or self.kind, byte_size(len(self.data)) if self.data else ""]
        return f"[{', '.join(filter(None, [*what, self.url[:200]]))}]"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.told()[1:-1]}>"


@dataclass(frozen=True, slots=True, repr=False)
class ImagePart(_Medium):
    """A picture: PNG, JPEG, GIF, WebP and what else the model's provider takes.

    Args:
        data: The file's bytes: at most 20 MB.
        media_type: Such as ``image/png``; "" takes what the bytes say.
        url: Where the provider finds it, in place of bytes; only agents whose privacy is ``standard`` may say one.

    Raises:
        ValueError: It has no bytes, or too many; they are no image, or not of that type; the URL is none.

    Example:
        ```python
        from pathlib import Path

        from actors import AgentManifest, ImagePart, SpawnConfig

        Path("dot.gif").write_bytes(b"GIF89a" + bytes(20))
        config = SpawnConfig(AgentManifest(name="eye"), ["What is it?", ImagePart.load("dot.gif")])
        print(config.query[1].media_type)
        ```

        ```text
        image/gif
        ```
    """

    kind: ClassVar[Literal["image"]] = "image"
    family: ClassVar[str] = "image"
    data: Base64 = b""
    media_type: str = ""
    url: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        self._check()
        if self.data and not media_type_of(self.data).startswith("image/"):
            raise ValueError("ImagePart: its bytes are no image that is known")

    @classmethod
    def load(cls, path: str | PathLike[str], media_type: str = "") -> Self:
        """The image in the file *path*.

        Args:
            media_type: Such as ``image/png``; "" takes what the bytes say.
        Raises:
            OSError: It cannot be read; it is a folder, a pipe, or not there.
            ValueError: It is no image, or larger than 20 MB.
        """
        from .part_file import bytes_of_file

        return cls(bytes_of_file(path, cls.__name__), media_type)


@dataclass(frozen=True, slots=True, repr=False)
class AudioPart(_Medium):
    """Speech, or any sound: WAV, MP3 and what else the model's provider takes.

    Args:
        data: The file's bytes: at most 20 MB.
        media_type: Such as ``audio/wav``; "" takes what the bytes say.
        url: Where the provider finds it, in place of bytes; only agents whose privacy is ``standard`` may say one.

    Raises:
        ValueError: As for an :class:`ImagePart`.
    """

    kind: ClassVar[Literal["audio"]] = "audio"
    family: ClassVar[str] = "audio"
    data: Base64 = b""
    media_type: str = ""
    url: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        self._check()

    @classmethod
    def load(cls, path: str | PathLike[str], media_type: str = "") -> Self:
        """The sound in the file *path*.

        Args:
            media_type: Such as ``audio/wav``; "" takes what the bytes say.
        Raises:
            OSError: It cannot be read; it is a folder, a pipe, or not there.
            ValueError: It is no sound that is known, or larger than 20 MB.
        """
        from .part_file import bytes_of_file

        return cls(bytes_of_file(path, cls.__name__), media_type)


@dataclass(frozen=True, slots=True, repr=False)
class FilePart(_Medium):
    """A document: a PDF, a text in UTF-8, and what else the model's provider takes.

    Args:
        data: The file's bytes: at most 20 MB.
        media_type: Such as ``application/pdf``; "" takes what the bytes, or else the name, say.
        name: What the model is told that it is called; no path.
        url: Where the provider finds it, in place of bytes; only agents whose privacy is ``standard`` may say one.

    Raises:
        ValueError: It has no bytes, or too many; they are not of that type; the name is a path; the URL is none.
    """

    kind: ClassVar[Literal["file"]] = "file"
    data: Base64 = b""
    media_type: str = ""
    name: Text = ""
    url: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if (problem := _problem_of_name(self.name)) is not None:
            raise ValueError(f"FilePart: {problem}")
        if not self.media_type and isinstance(self.data, bytes) and self.data:
            found = media_type_of(self.data) or media_type_of_name(self.name)
            object.__setattr__(self, "media_type", found)
        self._check()

    @classmethod
    def load(cls, path: str | PathLike[str], media_type: str = "", *, name: str | None = None) -> Self:
        """The file *path*, under its own name or *name*.

        Args:
            media_type: Such as ``application/pdf``; "" takes what the bytes and the name say.
        Raises:
            OSError: It cannot be read; it is a folder, a pipe, or not there.
            ValueError: It is empty, larger than 20 MB, or not of that type.
        """
        from .part_file import bytes_of_file, shown_name

        data = bytes_of_file(path, cls.__name__)
        called = shown_name(path) if name is None else name
        known = media_type or media_type_of(data) or media_type_of_name(called) or OCTETS
        return cls(data, known, called)


def _problem_of_name(name: object) -> str | None:
    if not isinstance(name, str):
        return f"its name must be a str, got {type(name).__name__}"
    if len(name) > LONGEST_NAME:
        return f"its name has {len(name):,} characters, and may have {LONGEST_NAME}"
    if "/" in name or "\\" in name or any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in name):
        return f"its name {name!r} must be a plain name: no path, no signs that do not show"
    return None


def _problem_of_url(url: str) -> str | None:
    if len(url) > LONGEST_URL:
        return f"its URL has {len(url):,} characters, and may have {LONGEST_URL:,}"
    if not (url.isascii() and url.isprintable()) or any(each in url for each in ' "<>\\^`{|}'):
        return "its URL has signs that no URL has: escape them"
    try:
        found = urlsplit(url)
        found.port  # noqa: B018 - it is read when it is asked for
    except ValueError as error:
        return f"its URL cannot be read: {error}"
    if found.scheme not in ("http", "https"):
        return (
            f"its URL must begin with https:// or http://, not {found.scheme or url[:20]!r}; of files use .load(path)"
        )
    if not found.hostname:
        return "its URL names no host"
    return "its URL must hold no user and no password" if "@" in found.netloc else None


if TYPE_CHECKING:
    Part: TypeAlias = TextPart | ImagePart | AudioPart | FilePart
else:
    Part = _Part  # isinstance() can be asked, and pydantic tells them apart by their kind

publish("actors.ports", AudioPart, FilePart, ImagePart, TextPart)
