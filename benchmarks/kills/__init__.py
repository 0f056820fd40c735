"""Is anything lost, bought or done twice when a program with a journal is killed?"""

from .pool import QUESTION, kill_pool
from .races import kill_races

__all__ = ["QUESTION", "kill_pool", "kill_races"]
