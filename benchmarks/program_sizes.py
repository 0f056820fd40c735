"""How large the programs of actors are: what is the same in each library's version of a program."""

from __future__ import annotations

ACCOUNTS = 100
"""Banking: between so many is money moved."""
PRODUCERS = CONSUMERS = 8
"""Bounded buffer: who fills it, and who empties it."""
ROOM = 50
"""Bounded buffer: it is full with so many items."""
BRANCHES = 10
"""Skynet: each node of the tree has so many, or none."""
RING = 100
"""Thread ring: so many hand one message on."""
FORKS = 60
"""Fork-join throughput: each of so many gets the same number of messages."""
CROWD = 100
"""Big: so many talk, each to any other."""
CHAMENEOS = 100
"""Chameneos: so many meet."""
