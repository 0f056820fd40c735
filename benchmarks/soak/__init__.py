"""Does anything get lost, hang, leak or grow under random work and faults?"""

from .endure import QUESTION, endure, measure

__all__ = ["QUESTION", "endure", "measure"]
