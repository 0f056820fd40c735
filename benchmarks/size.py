"""How much of a benchmark is run."""

from enum import StrEnum


class Size(StrEnum):
    """``full`` gives figures to quote, ``quick`` a first look, ``smoke`` only shows that it runs."""

    FULL = "full"
    QUICK = "quick"
    SMOKE = "smoke"
