"""How the names in a manifest are found: beside it first, and each problem told with its place."""

from __future__ import annotations

import importlib
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from actors import ManifestError
from actors.agent.terms.importing import load_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _modules_as_before() -> Iterator[None]:
    """Forget what a test imported."""
    modules, path = dict(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    sys.modules.update(modules)
    assert sys.path == path, "a lookup must leave sys.path as it was"
    importlib.invalidate_caches()


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """``folder(name, **files)`` makes a folder with modules: name of the module -> its code."""

    def make(place: str, **files: str) -> Path:
        path = tmp_path / place
        path.mkdir(parents=True, exist_ok=True)
        for name, code in files.items():
            target = path / (name.replace("__in__", "/") + ".py")
            target.parent.mkdir(exist_ok=True)
            target.write_text(code, encoding="utf-8")
        return path

    return make


def problem(path: str, **where: object) -> str:
    """Why *path* cannot be loaded."""
    with pytest.raises(ManifestError) as caught:
        load_object(path, **where)  # type: ignore[arg-type]
    (only,) = caught.value.problems
    return only


def test_an_installed_module() -> None:
    """Without a folder the usual places are searched."""
    assert load_object("json:dumps").__name__ == "dumps"
    assert load_object("os.path:join").__name__ == "join"


def test_a_name_may_have_dots() -> None:
    """A class inside a class, or a method."""
    assert load_object("json:JSONDecoder.decode").__qualname__ == "JSONDecoder.decode"


def test_a_module_beside_the_manifest(folder: Callable[..., Path]) -> None:
    """Its folder need not be on ``sys.path``."""
    here = folder("one", actors_test_bot="ANSWER = 42")
    assert load_object("actors_test_bot:ANSWER", beside=here) == 42


def test_beside_the_manifest_comes_first(folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a module of the same name on ``sys.path``, imported already or not."""
    elsewhere = folder("elsewhere", actors_test_bot="ANSWER = 'elsewhere'")
    here = folder("here", actors_test_bot="ANSWER = 'here'")
    monkeypatch.syspath_prepend(str(elsewhere))
    assert load_object("actors_test_bot:ANSWER", beside=here) == "here"


def test_an_imported_namesake_is_left_alone(folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's own module keeps its name after the manifest's was loaded."""
    elsewhere = folder("elsewhere", actors_test_bot="ANSWER = 'elsewhere'")
    here = folder("here", actors_test_bot="ANSWER = 'here'")
    monkeypatch.syspath_prepend(str(elsewhere))
    own = importlib.import_module("actors_test_bot")
    assert load_object("actors_test_bot:ANSWER", beside=here) == "here"
    assert sys.modules["actors_test_bot"] is own
    assert load_object("actors_test_bot:ANSWER") == "elsewhere"


def test_what_is_not_beside_is_found_elsewhere(folder: Callable[..., Path]) -> None:
    """A manifest may name installed modules, too."""
    assert load_object("json:dumps", beside=folder("here")).__name__ == "dumps"


@pytest.mark.parametrize(
    ("first", "second"),
    [("one", "two"), ("two", "one"), ("bot", "bots"), ("bots", "bot"), ("team/deep", "team"), ("team", "team/deep")],
)
def test_namesakes_in_two_folders(folder: Callable[..., Path], first: str, second: str) -> None:
    """``tools.py`` beside one manifest is not the ``tools.py`` beside another, whatever the folders are called."""
    for place in (first, second):
        folder(place, actors_test_tools=f"PLACE = {place!r}\nclass Tool: pass")
    one, two = folder(first), folder(second)
    assert load_object("actors_test_tools:PLACE", beside=one) == first
    assert load_object("actors_test_tools:PLACE", beside=two) == second
    assert load_object("actors_test_tools:PLACE", beside=one) == first


def test_a_module_is_imported_once(folder: Callable[..., Path]) -> None:
    """The same manifest gets the same objects, also after a namesake was loaded for another."""
    one = folder("one", actors_test_tools="class Tool: pass")
    two = folder("two", actors_test_tools="class Tool: pass")
    first = load_object("actors_test_tools:Tool", beside=one)
    other = load_object("actors_test_tools:Tool", beside=two)
    assert load_object("actors_test_tools:Tool", beside=one) is first
    assert load_object("actors_test_tools:Tool", beside=two) is other
    assert first is not other


def test_siblings_import_each_other(folder: Callable[..., Path]) -> None:
    """As they would in a script that stands in the folder; also with namesakes of another folder."""
    for place in ("one", "two"):
        folder(place, actors_test_tools="from actors_test_part import PART", actors_test_part=f"PART = {place!r}")
    assert load_object("actors_test_tools:PART", beside=folder("one")) == "one"
    assert load_object("actors_test_tools:PART", beside=folder("two")) == "two"


def test_a_package_beside_the_manifest(folder: Callable[..., Path]) -> None:
    """With its inner modules, and relative imports."""
    here = folder(
        "here",
        actors_test_kit__in____init__="",
        actors_test_kit__in__part="PART = 3",
        actors_test_kit__in__bot="from .part import PART",
    )
    assert load_object("actors_test_kit.bot:PART", beside=here) == 3


def test_packages_of_the_same_name(folder: Callable[..., Path]) -> None:
    """Two folders, each with a package of that name and its inner modules."""
    for place in ("one", "two"):
        folder(place, actors_test_kit__in____init__="", actors_test_kit__in__part=f"PART = {place!r}")
    assert load_object("actors_test_kit.part:PART", beside=folder("one")) == "one"
    assert load_object("actors_test_kit.part:PART", beside=folder("two")) == "two"
    assert load_object("actors_test_kit.part:PART", beside=folder("one")) == "one"


def test_packages_without_an_init(folder: Callable[..., Path]) -> None:
    """A bare folder with modules is a package as well, and has its namesakes."""
    for place in ("one", "two"):
        folder(place, actors_test_kit__in__part=f"PART = {place!r}")
    for place in ("one", "two", "one"):
        assert load_object("actors_test_kit.part:PART", beside=folder(place)) == place


def test_threads_load_namesakes_at_the_same_time(folder: Callable[..., Path]) -> None:
    """Each gets the one beside its own manifest."""
    places = ["one", "two", "three", "four"]
    for place in places:
        folder(place, actors_test_tools="from actors_test_part import PART", actors_test_part=f"PART = {place!r}")
    barrier = threading.Barrier(len(places))

    def load(place: str) -> set[str]:
        barrier.wait(10)
        return {load_object("actors_test_tools:PART", beside=folder(place)) for _ in range(20)}

    with ThreadPoolExecutor(len(places)) as executor:
        assert list(executor.map(load, places)) == [{place} for place in places]


def test_the_programs_own_package_stays_whole(folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A namesake beside the manifest neither replaces the program's package nor its inner modules."""
    elsewhere = folder("elsewhere", actors_test_kit__in____init__="", actors_test_kit__in__part="PART = 'own'")
    here = folder("here", actors_test_kit__in____init__="", actors_test_kit__in__part="PART = 'here'")
    monkeypatch.syspath_prepend(str(elsewhere))
    own = importlib.import_module("actors_test_kit.part")
    assert load_object("actors_test_kit.part:PART", beside=here) == "here"
    assert sys.modules["actors_test_kit.part"] is own
    assert sys.modules["actors_test_kit"].part is own


@pytest.mark.parametrize("path", ["json", "json:", ":dumps", "", ":"])
def test_a_path_of_another_form(path: str) -> None:
    """It says what the form is."""
    assert problem(path, place="agent") == f"agent: {path!r} is no 'package.module:name'"


def test_a_missing_module(folder: Callable[..., Path]) -> None:
    """Where it was looked for, and for what."""
    assert problem("actors_test_none:x", place="tools.0") == (
        "tools.0: no module 'actors_test_none' on sys.path (for 'actors_test_none:x')"
    )
    here = folder("here")
    assert f"beside the manifest ({here}) or on sys.path" in problem("actors_test_none:x", beside=here)


def test_a_missing_name() -> None:
    """The module is there, the name is not."""
    assert problem("json:nothing", place="agent") == "agent: module 'json' has no 'nothing'"
    assert problem("json:JSONDecoder.nothing") == "module 'json' has no 'JSONDecoder.nothing'"


def test_a_module_that_raises(folder: Callable[..., Path]) -> None:
    """Its error is told, not thrown at the caller."""
    here = folder("here", actors_test_bad="raise ValueError('no key')")
    assert problem("actors_test_bad:x", beside=here, place="model.driver") == (
        "model.driver: importing 'actors_test_bad' failed: ValueError: no key"
    )


def test_a_module_that_exits(folder: Callable[..., Path]) -> None:
    """A script without a main guard does not end the program that only looks into it."""
    here = folder("here", actors_test_bad="import sys; sys.exit('usage: bad.py FILE')")
    assert "SystemExit: usage: bad.py FILE" in problem("actors_test_bad:x", beside=here)


def test_a_module_that_is_no_python(folder: Callable[..., Path]) -> None:
    """The line is told."""
    here = folder("here", actors_test_bad="x = = 1")
    found = problem("actors_test_bad:x", beside=here)
    assert "SyntaxError" in found
    assert "actors_test_bad.py, line 1" in found


def test_a_module_that_misses_another(folder: Callable[..., Path]) -> None:
    """The one that is missing is named, and who needs it."""
    here = folder("here", actors_test_bad="import actors_test_absent")
    found = problem("actors_test_bad:x", beside=here)
    assert "no module 'actors_test_absent'" in found
    assert "'actors_test_bad:x'" in found


def test_a_failed_import_may_be_tried_again(folder: Callable[..., Path]) -> None:
    """The half-made module is forgotten, and a namesake that was set aside is back."""
    other = folder("other", actors_test_bot="ANSWER = 1")
    here = folder("here", actors_test_bot="ANSWER = 1 / 0")
    assert load_object("actors_test_bot:ANSWER", beside=other) == 1
    own = sys.modules["actors_test_bot"]
    assert "ZeroDivisionError" in problem("actors_test_bot:ANSWER", beside=here)
    assert sys.modules["actors_test_bot"] is own
    (here / "actors_test_bot.py").write_text("ANSWER = 2  # another length", encoding="utf-8")
    assert load_object("actors_test_bot:ANSWER", beside=here) == 2


def test_a_module_of_the_standard_library_is_itself(folder: Callable[..., Path]) -> None:
    """A ``json.py`` beside a manifest must not take the place of the one that everybody uses."""
    here = folder("here", json="dumps = None")
    assert load_object("json:dumps", beside=here) is not None
