"""docs/DECISIONS.md has a line for every system, and every line is whole."""

import re
from pathlib import Path

import pytest

from pipeline import lookup

TEXT = (Path(__file__).parents[1] / "docs/DECISIONS.md").read_text(encoding="utf-8")
SECTIONS = {"A": "cbla", "B": "fg_cme", "C": "cma", "D": "pba", "E": "tsin"}


@pytest.mark.parametrize("letter", sorted(set(SECTIONS) & set(re.findall(r"(?m)^## (.):", TEXT))))
def test_every_system_of_a_paper_has_its_line(letter: str) -> None:
    section = re.split(r"(?m)^## ", TEXT.split(f"\n## {letter}:")[1])[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert all(line.count(" | ") == 4 and line.endswith(" |") for line in rows)
    named = re.findall(r"`(\w+)`", "\n".join(line.split(" | ")[0] for line in rows))
    systems = lookup.component("networks", SECTIONS[letter]).__all__
    assert sorted(name for name in named if name in systems) == sorted(systems)
    assert all(line.split(" | ")[4].strip(" |") for line in rows), (
        "an effect, or that there is none"
    )
