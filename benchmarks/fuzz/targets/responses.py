"""Answers of OpenAI's Responses."""

from actors.drivers.edge.responses_answer import ResponsesAnswer

from ._answers import Answers

TARGET = Answers("responses", ResponsesAnswer)
