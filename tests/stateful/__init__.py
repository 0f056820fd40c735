"""State machines: random sequences of steps and faults against a plain model.

``pytest tests/stateful`` runs a fixed set of examples, the same each time. A person who has longer::

    pytest tests/stateful --hypothesis-profile thorough -s

looks at many more, new ones each time; ``-s`` shows how many.
"""
