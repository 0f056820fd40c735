"""The page of a timeline as text: it asks nobody for anything, and what models said stays text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from lxml import html

from actors.core.records.state import AgentState as At
from actors.inside.page import page_of
from actors.inside.picture import Picture, TimelineMark, TimelineMessage, TimelineSummary
from actors.inside.timeline_page.data import MOST_OF_A_CONTENT, MOST_OF_ALL_CONTENTS, data_of

from .pictures import a_run, agent, picture, span

HOSTILE = (
    "</script><script>boom()</script>",
    "<img src=x onerror=boom()>",
    "<!--<script>",
    "]]>&amp;\u2028\u2029\u0000\x1b[31m",
    "\ud800 alone \udfff",
    "\u202egnp.exe \u0645\u0631\u062d\u0628\u0627",
    "@@data@@ @@title@@",
    "'\"`${boom()}",
)


WAYS_OUT = (
    *("http:", "https:", "url(", "@import", "import(", "fetch(", "XMLHttp", "WebSocket", "EventSource", "sendBeacon"),
    *("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function("),
)


class BreaksWhenShown:
    """A user's value that cannot be told."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def tree_of(page: str) -> Any:
    return html.document_fromstring(page.encode())


def data_in(page: str) -> dict[str, Any]:
    [block] = tree_of(page).xpath("//script[@type='application/json']")
    told: dict[str, Any] = json.loads(block.text)
    return told


def hostile_picture(text: str) -> Picture:
    doing = span(1, At.IN_TOOL, 0, 1, label=text, lane=0, error=text, input=text, output={"said": text})
    one = agent(
        1, doing, name=text, key=text, group=text, tag=text, status="failed", error=text,
        marks=(TimelineMark(0.5, text, text),), input=text, output=text,
    )  # fmt: skip
    told = TimelineSummary(
        sentences=(text,), longest=(1,), parked_on=((text, 1.0),), labels=((At.IN_TOOL, text, 1, 1.0),)
    )
    return picture(one, name=text, summary=told)


@pytest.mark.parametrize("place", range(len(HOSTILE)))
def test_what_models_said_stays_text(place: int) -> None:
    """No element, attribute or script comes of it, and the data has it as it was."""
    text = HOSTILE[place]
    page, calm = page_of(hostile_picture(text)), page_of(hostile_picture("calm"))
    assert [each.tag for each in tree_of(page).iter()] == [each.tag for each in tree_of(calm).iter()]
    assert data_in(page)["texts"][0] == text
    assert data_in(page)["name"] == text
    assert page.replace("\u2028", "") == page
    assert page.encode()


def test_the_page_asks_nobody_for_anything() -> None:
    """No address, no style or script from elsewhere, no handler or style in markup; and the browser is told so."""
    page = page_of(a_run(8, with_content=True))
    tree = tree_of(page)
    assert not tree.xpath("//@src | //@href | //@srcset | //@style | //@action | //link | //iframe | //object | //base")
    assert not [name for each in tree.iter() for name in each.attrib if name.startswith("on")]
    code = "".join(tree.xpath("//style/text() | //script[@type='module']/text()"))
    for way_out in WAYS_OUT:
        assert way_out not in code, way_out


def test_the_policy_names_the_one_script_and_the_one_style() -> None:
    """By their hashes: anything else that got in would not run."""
    tree = tree_of(page_of(a_run(8)))
    [policy] = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.startswith("default-src 'none';")
    for way, path in (("script-src", "//script[@type='module']"), ("style-src", "//style")):
        [element] = tree.xpath(path)
        digest = base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode()
        assert f"{way} 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_a_text_of_a_million_letters_is_cut_and_says_how_long_it_was() -> None:
    """A name, an error, contents: the page stays small."""
    page = page_of(hostile_picture("x" * 1_000_000))
    assert len(page) < 400_000
    assert "(1,000,000 characters)" in page


def test_contents_have_a_bound_for_all_of_them() -> None:
    """What finds no room is left out and counted; the same text again needs none."""
    each = MOST_OF_A_CONTENT - 10
    fits = MOST_OF_ALL_CONTENTS // each
    spans = [span(1, At.IN_DRIVER, at, at + 1, output=f"{at:06}" + "x" * (each - 6)) for at in range(fits + 3)]
    told = data_of(picture(agent(1, *spans, spans[0])))
    assert told["left_out"] == 3
    assert told["spans"]["output"][1][-1] == told["spans"]["output"][1][0]


def test_values_of_users_that_break_are_told_as_broken() -> None:
    """A group or contents whose text raises: the page says so."""
    broken = BreaksWhenShown()
    page = page_of(
        picture(agent(1, span(1, At.RUNNING, 0, 1, input=broken, output=[broken, float("nan")]), group=broken))
    )
    assert "raised RuntimeError" in page
    assert "NaN" not in re.sub(
        r'"(?:[^"\\]|\\.)*"', "", html.tostring(tree_of(page).get_element_by_id("data")).decode()
    )


def test_the_data_is_the_picture_in_microseconds() -> None:
    """Columns by place; texts once; what few spans have stands beside the places of those."""
    first = span(7, At.IN_DRIVER, 0.5, 1.25, label="m", attempt=2, input_tokens=3, cost_usd=0.5)
    second = span(7, At.IN_TOOL, 1.25, 1.25, label="m", lane=1, is_open=True, recalled=True)
    child = agent(9, span(9, At.QUEUED, 0.75, 2), parent_id=7, begin=0.75, status=None, is_open=True)
    whole = picture(agent(7, first, second, end=2.0), child, messages=(TimelineMessage(9, 7, 1.0, None),))
    told = data_of(replace(whole, folded=4))
    assert told["agents"]["id"] == [7, 9]
    assert told["agents"]["parent"] == [-1, 7]
    assert told["agents"]["spans"] == [2, 1]
    spans = told["spans"]
    assert spans["begin"] == [500_000, 750_000, -500_000]
    assert spans["length"] == [750_000, 0, 1_250_000]
    assert spans["lane"] == [-1, 1, -1]
    assert spans["attempt"] == ([0], [2])
    assert spans["flags"] == ([1], [3])
    assert told["texts"].count("m") == 1
    assert told["messages"] == [[9, 7, 1_000_000, -1]]
    assert told["rest"]["count"] == 4


def test_a_page_without_a_script_names_the_longest() -> None:
    """Ten of them, the longest first."""
    rows = tree_of(page_of(a_run(40))).xpath("//noscript//tbody/tr")
    took = [float(row.xpath("td[4]")[0].text.removesuffix(" s")) for row in rows]
    assert len(took) == 10
    assert took == sorted(took, reverse=True)


def test_a_picture_of_nothing_is_a_page() -> None:
    """No agent, no time, no slots."""
    told = data_in(page_of(picture(slots=(), began_at=None)))
    assert told["agents"]["id"] == []
    assert told["length"] == 0
