"""Is anything lost, bought or done twice when a program with a journal is killed?"""

from .pool import QUESTION, kill_pool

__all__ = ["QUESTION", "kill_pool"]
