"""One wait, who waits for whom, and what ends it."""
