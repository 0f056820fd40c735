"""What pages link to outside of ``docs/`` (examples, SECURITY.md, a file of the library) is part of the site, too.

In a clone such a link leads to the file. On the site it leads to a page made of it, below ``repository/``: Markdown as
it is, a file of text as a block of code, a folder as a list. A picture is copied; what is too long is only named.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

LANGUAGES = {
    ".py": "python",
    ".toml": "toml",
    ".json": "json",
    ".sh": "sh",
    ".html": "html",
    ".css": "css",
    ".js": "js",
}
TEXTS = {*LANGUAGES, ".txt", ".csv", ".cfg", ""}
PICTURES = {".png", ".svg"}
LONGEST = 60_000
_LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_WHOLE_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#]+)((?:#[^)\s]*)?)\)")
_FENCED = re.compile(r"^( *```.*?^ *```|~~~.*?^~~~)", re.DOTALL | re.MULTILINE)


class Outside:
    """The files outside of ``docs/``, and the pages that they become."""

    def __init__(self, docs: Path) -> None:
        self._docs = docs.resolve()
        self._root = self._docs.parent

    def target(self, folder: Path, link: str) -> Path | None:
        """The file of this repository that *link* leads to from *folder*; None if there is none such."""
        if "://" in link or link.startswith(("mailto:", "/")):
            return None
        path = Path(os.path.normpath(folder / link))
        return path if path.exists() and path.is_relative_to(self._root) else None

    def name(self, path: Path) -> str | None:
        """The path of its page on the site; None if it has none."""
        if path == self._root / "README.md":
            return "index.md"
        if path.is_relative_to(self._docs):
            return path.relative_to(self._docs).as_posix()
        name = f"repository/{path.relative_to(self._root).as_posix()}"
        if path.is_dir():
            return f"{name}/index.md"
        if path.suffix == ".md" or path.suffix in PICTURES:
            return name
        return f"{name}.md" if path.suffix in TEXTS and path.stat().st_size < LONGEST else None

    def text(self, path: Path) -> str:
        """Its page as Markdown."""
        title = path.relative_to(self._root).as_posix()
        if path.is_dir():
            files = [one for one in sorted(path.iterdir()) if one.is_file() and self.name(one) and one.name[0] != "."]
            listed = "".join(f"- [{one.name}]({one.name})\n" for one in files if one.name != "README.md")
            readme = path / "README.md"
            about = readme.read_text(encoding="utf-8") if readme.exists() else f"# {title}\n"
            return f"{about}\n## Files\n\n{listed}"
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".md":
            return text
        return f"# {title}\n\n~~~~{LANGUAGES.get(path.suffix, 'text')}\n{text}\n~~~~\n"

    def links(self, text: str, folder: Path) -> Iterator[Path]:
        """The files that *text* links to."""
        for link in _LINK.finditer(_FENCED.sub("", text)):
            if (path := self.target(folder, link[2])) is not None:
                yield path

    def rewritten(self, text: str, folder: Path, page: str) -> str:
        """*text* of *page*, with links that lead there on the site."""

        def change(link: re.Match[str]) -> str:
            path = self.target(folder, link[2])
            if path is None or (path.is_relative_to(self._docs) and page.startswith("repository/") is False):
                return link[0]
            name = self.name(path)
            if name is None:
                return link[1]
            return f"[{link[1]}]({posixpath.relpath(name, posixpath.dirname(page) or '.')}{link[3]})"

        parts = _FENCED.split(text)
        return "".join(part if n % 2 else _WHOLE_LINK.sub(change, part) for n, part in enumerate(parts))


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of all that is linked to, and of what these link to."""
    outside = Outside(Path(config.docs_dir))
    left = [Path(file.abs_src_path) for file in files.documentation_pages() if file.abs_src_path]
    texts = [(path.read_text(encoding="utf-8"), path.parent) for path in left]
    seen: set[Path] = set()
    while texts:
        text, folder = texts.pop()
        for path in outside.links(text, folder):
            name = outside.name(path)
            if path in seen or name is None or not name.startswith("repository/"):
                continue
            seen.add(path)
            if path.suffix in PICTURES:
                files.append(File.generated(config, name, abs_src_path=str(path)))
                continue
            told = outside.text(path)
            below = path if path.is_dir() else path.parent
            texts.append((told, below))
            told = outside.rewritten(told, below, name)
            files.append(File.generated(config, name, content=f"---\nsearch:\n  exclude: true\n---\n\n{told}"))
    return files


def on_page_markdown(markdown: str, page: Page, config: Any, **_: Any) -> str:
    """Let links to files outside lead to their pages."""
    source = page.file.abs_src_path
    if source is None or page.file.src_uri.startswith("repository/"):
        return markdown
    markdown = markdown.replace("```python signatures\n", "```python\n")  # a word for tests, unknown to the site
    return Outside(Path(config.docs_dir)).rewritten(markdown, Path(source).parent, page.file.src_uri)
