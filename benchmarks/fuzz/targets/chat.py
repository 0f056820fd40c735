"""Answers of Chat Completions."""

from actors.drivers.edge.chat_answer import ChatAnswer

from ._answers import Answers

TARGET = Answers("openai", ChatAnswer)
