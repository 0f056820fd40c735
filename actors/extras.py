"""Optional packages: imported when they are used, and asked for by name when they are not there."""

from __future__ import annotations

import importlib
from typing import Any


def need(package: str, extra: str, what: str) -> Any:
    """Import *package*.

    Raises:
        ImportError: It is not installed; the message names the command that installs it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{what} needs the package {package!r}, which is not installed (or not whole: {error}); "
            f"install it with: pip install 'actors[{extra}]'",
            name=package,
        ) from error
