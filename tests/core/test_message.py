"""The message that agents send each other."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from actors.core.records.message import AgentMessage


def test_it_is_built_by_position_or_by_name() -> None:
    """sender, to, content; the sender also under its JSON name."""
    forms = [
        AgentMessage(1, 2, "hello"),
        AgentMessage(1, 2, content="hello"),
        AgentMessage(sender=1, to=2, content="hello"),
        AgentMessage(**{"from": 1, "to": 2, "content": "hello"}),
    ]
    assert all(form == forms[0] for form in forms)
    assert (forms[0].sender, forms[0].to, forms[0].content) == (1, 2, "hello")


def test_its_json_names_are_from_to_and_content() -> None:
    """There and back."""
    message = AgentMessage(1, 2, {"a": [1]})
    text = message.model_dump_json()
    assert text == '{"from":1,"to":2,"content":{"a":[1]}}'
    assert AgentMessage.model_validate_json(text) == message


def test_any_object_may_be_the_content() -> None:
    """It is handed over as it is."""
    content = object()
    assert AgentMessage(0, 1, content).content is content


def test_it_is_frozen_and_takes_nothing_else() -> None:
    """No change, no unknown field, no fourth value, no missing one."""
    message = AgentMessage(1, 2, "hello")
    with pytest.raises(ValidationError):
        message.content = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        AgentMessage(1, 2, "hello", extra=1)
    with pytest.raises(TypeError, match="got 4 positional"):
        AgentMessage(1, 2, "hello", 4)
    with pytest.raises(ValidationError):
        AgentMessage(1, 2)
    with pytest.raises(ValidationError):
        AgentMessage("one", 2, "hello")


@pytest.mark.parametrize("content", ["text", None, {"a": 1}])
def test_it_survives_a_pickle_round_trip(content: Any) -> None:
    """If what was put in does."""
    message = AgentMessage(1, 0, content)
    assert pickle.loads(pickle.dumps(message)) == message


def test_the_short_way_makes_the_same() -> None:
    """Equal, of equal hash where it has one, with the same fields set, and as strict about what is no id."""
    short, long = AgentMessage.between(1, 2, "hello"), AgentMessage(1, 2, "hello")
    assert short == long
    assert hash(short) == hash(long)
    assert short.model_fields_set == long.model_fields_set
    assert short.model_dump_json() == long.model_dump_json()
    assert pickle.loads(pickle.dumps(short)) == long
    assert AgentMessage.between(1, 2, "other").model_fields_set is not short.model_fields_set
    odd: Any = "two"
    with pytest.raises(ValidationError):
        AgentMessage.between(1, odd, "hello")
