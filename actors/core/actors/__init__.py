"""Long-lived actors: the one adapter to Pykka, and all that is Pykka's."""
