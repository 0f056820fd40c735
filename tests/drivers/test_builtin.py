"""The drivers that a manifest may name by a word."""

from __future__ import annotations

import pytest

from actors import AgentManifest, CancelToken, CompletionRequest, ManifestError, UserMessage
from actors.drivers.builtin import BUILT_IN, find_driver


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_word_stands_for_a_driver(name: str) -> None:
    """Its factory takes a manifest, and what it makes has everything a driver needs."""
    model = {"model_repo": "m", "base_url": "http://127.0.0.1:1/v1"}
    driver = find_driver(name)(AgentManifest(model=model))
    for part in ("complete", "stream", "estimate_cost", "context_window", "privacy_tier"):
        assert hasattr(driver, part)


def test_echo_answers() -> None:
    """With the last message."""
    driver = find_driver("echo")(AgentManifest())
    request = CompletionRequest((UserMessage("a"), UserMessage("b")))
    assert driver.complete(request, cancel=CancelToken()).text == "b"


@pytest.mark.parametrize(
    ("name", "meant"), [("gpt", ""), ("", ""), ("Echo", ", did you mean 'echo'?"), ("function", "")]
)
def test_an_unknown_word(name: str, meant: str) -> None:
    """The refusal names the known ones, the one that may have been meant, and how to name one's own."""
    with pytest.raises(ManifestError) as caught:
        find_driver(name)
    (problem,) = caught.value.problems
    assert problem == (
        f"model.driver: no built-in driver {name!r}{meant} (known: {', '.join(sorted(BUILT_IN))}); "
        "name your own as 'package.module:factory'"
    )


def test_the_place_may_be_another() -> None:
    """The command line has an option for it."""
    with pytest.raises(ManifestError, match="--driver: no built-in driver"):
        find_driver("gpt", "--driver")
