"""``actors top``: a pool that runs, on a terminal. It reads what the pool's live view answers."""
