"""The contract of the local pool, once more through an engine."""
