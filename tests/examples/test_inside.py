"""The newsroom: a run with all that there is to see."""

from pathlib import Path

NEWSROOM = Path(__file__).parents[2] / "examples" / "inside" / "newsroom.py"


def test_a_story_is_printed(run):
    """Whatever goes wrong on the way."""
    done = run(NEWSROOM, "--speed", 40)

    assert done.returncode == 0, done.stderr
    checker, editor = sorted(done.stdout.splitlines(), reverse=True)
    assert checker.startswith("fact checker: completed")
    assert checker.endswith("7 of 8 claims are confirmed")
    assert editor.startswith("editor: completed")
    assert editor.endswith("printed: The mill turns again (128 words)")
