"""Results for people: one page with figures, tables beside the published figures, and
the same in the terminal.
"""

from collections.abc import Collection
from pathlib import Path

from pipeline.report import figures, inspector, page
from pipeline.report.experiments import experiments

__all__ = ["build"]


def build(
    models_root: Path, data_root: Path, out: Path, audible: Collection[str] = ()
) -> tuple[list[Path], list[str]]:
    """Draws the figures of every experiment evaluated below `models_root` into
    out/plots/, writes their pages of utterances and the page; returns what to open and
    what is missing.

    audible: the corpora whose recordings lie in the report.
    """
    found = experiments(models_root)
    missing = figures.draw_all(found, data_root, out / "plots")
    for name, lines in inspector.write(found, data_root, out, audible).items():
        missing.setdefault(name, []).extend(lines)
    written = page.write(found, data_root, out, missing)
    return written, [f"{name}: {line}" for name, lines in missing.items() for line in lines]
