"""Agents on many machines: real nodes of a cluster on this one, and a thousand that are played."""
