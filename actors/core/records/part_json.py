"""Parts of content in JSON: told apart by their kind."""

from __future__ import annotations

from typing import Final

from .tagged_json import Tag

KIND: Final = Tag(
    "kind",
    "part",
    "text, image, audio, file",
    "TextPart, ImagePart, AudioPart or FilePart",
    'it has no "kind", and what it is is not guessed: add one of {words}',
    keeps_all=False,
)

schema_of = KIND.schema_of
schema_of_all = KIND.schema_of_all
json_schema_of = KIND.json_schema_of
