"""Decisions, from plain data, under one lock. Nothing here starts, wakes or calls anything."""
