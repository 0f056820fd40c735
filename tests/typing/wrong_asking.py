"""A wrong use of a first answer is an error where it stands: each line that is marked."""

from __future__ import annotations

import actors
from actors import ModelSettings

actors.ask("echo")  # error
actors.ask(3, "q")  # error
actors.ask("echo", "q", temprature=1)  # error
actors.ask("echo", "q", reasoning_effort="much")  # error
actors.ask("echo", "q", tools=[3])  # error
actors.ask("echo", "q").text  # error
actors.outcome_of("echo", "q").text  # error
ModelSettings(seed="7")  # error
ModelSettings(top=1)  # error
