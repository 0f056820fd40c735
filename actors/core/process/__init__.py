"""What a process has once, and its threads."""
