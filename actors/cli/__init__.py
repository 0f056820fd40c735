"""The command line, ``actors``. The only room that prints."""
