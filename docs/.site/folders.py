"""A folder in the navigation stands for its pages, in the order in which its ``index.md`` names them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any


def on_config(config: Any) -> None:
    """Put the pages in the place of each folder."""
    config.nav = [_expanded(entry, Path(config.docs_dir)) for entry in config.nav]


def _expanded(entry: Any, docs: Path) -> Any:
    if isinstance(entry, str):
        return _pages(entry, docs) if entry.endswith("/") else entry
    return {title: _below(value, docs) for title, value in entry.items()}


def _below(value: Any, docs: Path) -> Any:
    if isinstance(value, list):
        return [_expanded(one, docs) for one in value]
    return _expanded(value, docs)


def _pages(folder: str, docs: Path) -> list[str]:
    found = [page.relative_to(docs).as_posix() for page in sorted((docs / folder).rglob("*.md"))]
    index = docs / folder / "index.md"
    text = index.read_text(encoding="utf-8") if index.exists() else ""
    named = [folder + link for link in re.findall(r"\]\(([\w/.-]+\.md)", text)]
    first = [f"{folder}index.md", *named]
    return sorted(found, key=lambda page: first.index(page) if page in first else len(first))
