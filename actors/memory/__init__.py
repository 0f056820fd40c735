"""Where agents remember: implementations of the port ``MemorySubstrate``."""
