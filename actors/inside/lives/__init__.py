"""What events tell of each agent, as stretches of its life, and all lives as one picture."""
