"""Answers of Anthropic's Messages."""

from actors.drivers.edge.message_answer import MessageAnswer

from ._answers import Answers

TARGET = Answers("anthropic", MessageAnswer)
