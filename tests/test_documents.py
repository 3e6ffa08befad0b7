"""What the documents point to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
# Paths that a build makes, or that stand for any name.
MADE = ("data/", "models/", "report/", "figures/", "tables/", "pictures/")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)[)#]", text)
    links = [link for link in links if not link.startswith(MADE)]
    assert not [link for link in links if not (document.parent / link).exists()]
    paths = re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|md|yaml|csv))`", text)
    assert not [path for path in paths if not path.startswith(MADE) and not (ROOT / path).exists()]
