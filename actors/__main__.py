"""``python -m actors``: the command ``actors``, of the Python that runs it."""

from .cli.main import main

if __name__ == "__main__":
    main()
