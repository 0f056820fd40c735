"""The figures of ``docs/performance.md`` are those of the run that is kept."""

from __future__ import annotations

import re

import pytest

from benchmarks.quoted import FULL, MARKED, PAGE, TABLES, MissingFigureError, Run, amount, digits, renewed

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_figures_are_those_of_the_run() -> None:
    """Else: ``python -m benchmarks quote --write``."""
    assert renewed(TEXT, Run.read(FULL)) == TEXT


def test_all_tables_stand_on_the_page() -> None:
    """Each once, with rows; and a figure that is changed by hand is seen."""
    assert [found["name"] for found in MARKED.finditer(TEXT)] == list(TABLES)
    for found in MARKED.finditer(TEXT):
        rows = [line for line in found.group().splitlines() if line.startswith("|")]
        assert len(rows) > 3
        assert {row.count("|") for row in rows} == {rows[0].count("|")}
    changed = re.sub(r"\d+ us", "1 us", TEXT)
    assert changed != TEXT
    assert renewed(changed, Run.read(FULL)) == TEXT


def test_the_memory_in_the_text_is_that_of_the_run() -> None:
    """To a tenth: it is said in sentences, where no mark stands."""
    rows = {row["case"]: row["median KB"] for row in Run.read(FULL).rows("parked")}
    text = MARKED.sub("", TEXT)
    said = [float(number) for number in re.findall(r"(\d+) KB", text)]
    assert len(said) >= 3
    assert [one for one in said if min(abs(one / is_so - 1) for is_so in rows.values()) > 0.1] == []


def test_what_a_run_lacks_is_told() -> None:
    """By its benchmark."""
    with pytest.raises(MissingFigureError, match="spawn_join"):
        renewed(TEXT, Run({"machine": {}, "benchmarks": []}))


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (19.08, "us", "19 us"),
        (4714.9, "us", "4.7 ms"),
        (0.288, "ms", "288 us"),
        (24.957, "KB", "25 KB"),
        (4.0, "s", "4.0 s"),
    ],
)
def test_amounts_are_in_a_unit_that_reads_well(value: float, unit: str, said: str) -> None:
    """With as many digits as mean something."""
    assert amount(value, unit) == said


@pytest.mark.parametrize(
    ("value", "said"), [(0.0706, "0.071"), (1.2, "1.2"), (2.0, "2.0"), (13.6, "14"), (1234.0, "1,234")]
)
def test_ratios_have_two_digits(value: float, said: str) -> None:
    """All in front of the point."""
    assert digits(value) == said
