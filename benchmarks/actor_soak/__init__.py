"""Does anything get lost, hang, overlap or leak among actors that crash, are killed and restarted?"""

from .endure import KINDS, QUESTION, endure, measure

__all__ = ["KINDS", "QUESTION", "endure", "measure"]
