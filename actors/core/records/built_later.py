"""When the models of the library are built."""

from __future__ import annotations

import pydantic

BUILT_LATER = tuple(map(int, pydantic.VERSION.split(".")[:2])) >= (2, 14)
"""Are they built when they are first used, so that an import does not wait for it? Earlier versions of pydantic could
build one in two threads at once, and lose it in both.
"""
