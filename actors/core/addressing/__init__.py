"""How actors are found: many behind one reference, by subject, by name."""
