"""Answers that were recorded: what is kept of one, how it stands in a file, and how it is found again."""
