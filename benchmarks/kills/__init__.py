"""Is anything lost, bought or done twice when a program is killed?"""

from .pool import kill_pool
from .races import kill_races
from .victims import QUESTION
from .writer import kill_writer

__all__ = ["QUESTION", "kill_pool", "kill_races", "kill_writer"]
