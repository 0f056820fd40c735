"""Static trees: actors that are started, restarted and ended together."""
