"""Deeds: whatever starts, wakes or calls, outside the turn."""
