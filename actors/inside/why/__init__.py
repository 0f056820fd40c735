"""Where the time of a run went, and why it took so long."""
