"""The analyses that the papers show, each as PNG, SVG and a CSV of what is drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.lookup import ConfigurationError
from pipeline.report import figures_cbla, figures_fg_cme, figures_pba, figures_tsin
from pipeline.report.experiments import experiments
from pipeline.report.paper_sources import Sources
from pipeline.report.stated import published

Drawing = Callable[[Sources, Path], list[str]]

# By paper, its figures; C shows none beyond its tables.
FIGURES: Mapping[str, Mapping[str, Drawing]] = {
    "cbla": figures_cbla.FIGURES,
    "fg_cme": figures_fg_cme.FIGURES,
    "cma": {},
    "pba": figures_pba.FIGURES,
    "tsin": figures_tsin.FIGURES,
}


@dataclass(frozen=True)
class Drawn:
    """The pictures written, and a line for each figure or part that is missing."""

    pictures: list[Path]
    missing: list[str]


def demo_corpus(paper: str) -> str:
    """The demo corpus that a paper's systems are tried on."""
    return "demo_zh" if paper == "pba" else "demo"


def sources(
    paper: str, corpus: str, models_root: Path, data_root: Path, split: str | None = None
) -> Sources:
    """What a paper's figures are drawn from; `split` leaves out other splits."""
    stated = published(paper)
    known = [item.corpus for item in stated]
    reference = corpus if corpus in known else known[0]
    found = [
        item
        for item in experiments(models_root)
        if item.corpus == corpus and split in (None, item.split)
    ]
    beside = [item for item in stated if item.corpus == reference]
    return Sources(paper, corpus, found, beside, data_root)


def draw(origin: Sources, out: Path) -> Drawn:
    """Draws a paper's figures into out/<paper>-<corpus>/.

    A figure that cannot be drawn, or not as a whole, has a line that says what is
    missing and which command makes it.
    """
    pictures, missing = [], []
    for name, drawing in FIGURES[origin.paper].items():
        path = out / f"{origin.paper}-{origin.corpus}" / f"{name}.png"
        try:
            lines = drawing(origin, path)
            pictures.append(path)
        except (ConfigurationError, FileNotFoundError) as error:
            lines = [str(error)]
        missing += [f"{name}: {line}" for line in lines]
    return Drawn(pictures, missing)
