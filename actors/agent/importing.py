"""Finds what a manifest names as ``package.module:name``."""

from __future__ import annotations

import importlib
import sys
import threading
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

from ..errors import ManifestError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

_path_lock = threading.Lock()


def load_object(path: str, *, beside: Path | None = None, place: str = "") -> Any:
    """Import the object that *path* names.

    Args:
        path: ``package.module:name``; the name may have dots.
        beside: The manifest's folder: modules are looked for there first.
        place: Where the path stands, for the error.
    Raises:
        ManifestError: There is no such module or name, or importing it fails.
    """
    where = f"{place}: " if place else ""
    module_name, colon, name = path.partition(":")
    if not colon or not module_name or not name:
        raise ManifestError([f"{where}{path!r} is no 'package.module:name'"])
    try:
        found: Any = _import(module_name, beside)
    except ModuleNotFoundError as error:
        places = f" beside the manifest ({beside}) or on sys.path" if beside else " on sys.path"
        raise ManifestError([f"{where}no module {error.name!r}{places} (for {path!r})"]) from error
    except (Exception, SystemExit) as error:
        raise ManifestError([f"{where}importing {module_name!r} failed: {type(error).__name__}: {error}"]) from error
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise ManifestError([f"{where}module {module_name!r} has no {name!r}"]) from error
    return found


def _import(name: str, beside: Path | None) -> ModuleType:
    top = name.partition(".")[0]
    if beside is None or top in sys.stdlib_module_names or PathFinder.find_spec(top, [str(beside)]) is None:
        return importlib.import_module(name)
    # The folder is on sys.path while its modules are imported, as it would be for a script that stands in it.
    with _path_lock:
        others = _set_namesakes_aside(beside)
        sys.path.insert(0, str(beside))
        try:
            importlib.invalidate_caches()
            return importlib.import_module(name)
        finally:
            sys.path.remove(str(beside))
            for module_name, other in others.items():
                mine = sys.modules.pop(module_name, None)
                if mine is not None:
                    sys.modules[f"{beside}:{module_name}"] = mine
                sys.modules[module_name] = other


def _set_namesakes_aside(folder: Path) -> dict[str, ModuleType]:
    """Take loaded modules out of the way that have the name of one beside the manifest, but came from elsewhere:
    ``tools.py`` beside one manifest is not the ``tools.py`` beside another.
    """
    others = {}
    for sibling in folder.iterdir():
        name = sibling.stem if sibling.suffix == ".py" else sibling.name
        loaded = sys.modules.get(name)
        if loaded is None or name in sys.stdlib_module_names or not name.isidentifier():
            continue
        if not _comes_from(loaded, folder):
            others[name] = sys.modules.pop(name)
            mine = sys.modules.get(f"{folder}:{name}")
            if mine is not None:
                sys.modules[name] = mine
    return others


def _comes_from(module: ModuleType, folder: Path) -> bool:
    origin = getattr(module.__spec__, "origin", None) or getattr(module, "__file__", None) or ""
    return origin.startswith(str(folder))
