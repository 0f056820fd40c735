"""Plain data that crosses between a pool and its agents."""
