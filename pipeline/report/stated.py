"""The figures that the papers state."""

import csv
import io
from dataclasses import dataclass
from importlib import resources

from pipeline.lookup import ConfigurationError

PAPERS = ("cbla", "cma", "fg_cme", "pba", "tsin")


@dataclass(frozen=True)
class Published:
    """One figure of a paper's table in percent; `value` None where the paper gives no
    number, and `source` says why.
    """

    system: str
    corpus: str
    split: str
    metric: str
    value: float | None
    source: str


def published(paper: str) -> list[Published]:
    """Every figure of a paper's tables, in the order of the paper."""
    if paper not in PAPERS:
        raise ConfigurationError(f"unknown paper {paper!r}, expected one of {list(PAPERS)}")
    path = resources.files("pipeline.report") / "published" / f"{paper}.csv"
    lines = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    found = []
    for line in lines:
        value = line.pop("value")
        found.append(Published(**line, value=float(value) if value else None))
    return found
