"""What agents may call: the ``@tool`` decorator, the registry, and tools for files and memory."""
