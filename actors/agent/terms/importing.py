"""Finds what a manifest names as ``package.module:name``."""

from __future__ import annotations

import importlib
import sys
import threading
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...errors import ManifestError

if TYPE_CHECKING:
    from types import ModuleType

OBJECT_PATH: Final = r"[\w.]+:[\w.]+"
"""What looks like ``package.module:name``."""
_path_lock = threading.RLock()  # what is imported may use a manifest itself


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
    module_name, name = parts_of(path, where)
    try:
        found: Any = _import(module_name, beside)
    except ModuleNotFoundError as error:
        raise no_module(error.name, path, beside, where) from error
    except (Exception, SystemExit) as error:
        raise ManifestError([f"{where}importing {module_name!r} failed: {type(error).__name__}: {error}"]) from error
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise ManifestError([f"{where}module {module_name!r} has no {name!r}"]) from error
    return found


def parts_of(path: str, where: str) -> tuple[str, str]:
    """Module and name in *path*; *where* begins the error.

    Raises:
        ManifestError: It is no ``package.module:name``.
    """
    module, _, name = path.partition(":")
    if not module or not name:
        raise ManifestError([f"{where}{path!r} is no 'package.module:name'"])
    return module, name


def no_module(module: str | None, path: str, beside: Path | None, where: str) -> ManifestError:
    """The error that says where *module* was looked for in vain."""
    places = f" beside the manifest ({beside}) or on sys.path" if beside else " on sys.path"
    return ManifestError([f"{where}no module {module!r}{places} (for {path!r})"])


def _import(name: str, beside: Path | None) -> ModuleType:
    top = name.partition(".")[0]
    if beside is None or top in sys.stdlib_module_names or PathFinder.find_spec(top, [str(beside)]) is None:
        return importlib.import_module(name)
    # The folder is on sys.path while its modules are imported, as it would be for a script that stands in it.
    with _path_lock:
        foreign = _namesakes(beside)
        others = {key: sys.modules.pop(key) for key in _keys(foreign)}
        for key in _keys(foreign, f"{beside}:"):  # what was imported from here before
            sys.modules[key.removeprefix(f"{beside}:")] = sys.modules[key]
        sys.path.insert(0, str(beside))
        try:
            importlib.invalidate_caches()
            return importlib.import_module(name)
        finally:
            sys.path.remove(str(beside))
            for key in _keys(foreign):
                sys.modules[f"{beside}:{key}"] = sys.modules.pop(key)
            sys.modules.update(others)


def _namesakes(folder: Path) -> set[str]:
    """The modules in *folder* whose name is taken by a loaded one from elsewhere: the ``tools.py`` beside one manifest
    is not the ``tools.py`` beside another. They are set aside while this folder's are imported.
    """
    names = {file.stem if file.suffix == ".py" else file.name for file in folder.iterdir()}
    loaded = {name: sys.modules.get(name) for name in names if name not in sys.stdlib_module_names}
    return {name for name, module in loaded.items() if module is not None and not _stands_in(module, folder)}


def _keys(names: set[str], prefix: str = "") -> list[str]:
    """The keys of ``sys.modules`` for *names* and their submodules."""
    return [
        key for key in sys.modules if key.startswith(prefix) and key.removeprefix(prefix).partition(".")[0] in names
    ]


def _stands_in(module: ModuleType, folder: Path) -> bool:
    """Is it a module or package that stands directly in *folder*?"""
    file = getattr(module, "__file__", None)
    if file is None:  # a package without an __init__.py
        return any(Path(path).parent == folder for path in getattr(module, "__path__", ()))
    path = Path(file)
    return (path.parent.parent if path.name == "__init__.py" else path.parent) == folder
