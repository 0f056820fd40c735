"""Counts what a piece of work takes: bytecodes, machine instructions, objects for the collector."""
