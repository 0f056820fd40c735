"""The loop of an ``LlmAgent``: perceive, reason, act, and what it keeps of each step."""
