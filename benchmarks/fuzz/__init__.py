"""Does anything that a model or a server may send break what must hold?"""

from .run import QUESTION, fuzz, measure

__all__ = ["QUESTION", "fuzz", "measure"]
