"""Results for people: one page with figures, tables beside the published figures, and
the same in the terminal.
"""

from pathlib import Path

from pipeline.report import figures, page
from pipeline.report.experiments import experiments

__all__ = ["build"]


def build(models_root: Path, data_root: Path, out: Path) -> tuple[list[Path], list[str]]:
    """Draws the figures of every experiment evaluated below `models_root` into
    out/plots/ and writes the page; returns the files written and what was not drawn.
    """
    found = experiments(models_root)
    undrawn = figures.draw_all(found, data_root, out / "plots")
    written = page.write(found, data_root, out, undrawn)
    return written, [f"{name}: {line}" for name, lines in undrawn.items() for line in lines]
