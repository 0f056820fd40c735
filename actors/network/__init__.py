"""HTTP for drivers and tools: connects only where it may."""
