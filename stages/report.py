"""Stage report: every evaluated experiment -> pictures, index.html, results tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.report import figures, page
from stages.entry import DATA, MODELS, DataFolder, ModelsFolder, console, run


def main(
    models: ModelsFolder = MODELS,
    data: DataFolder = DATA,
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("report"),
) -> None:
    """Draws the figures of every experiment under MODELS and writes one page that holds
    them all.
    """
    for complaint in figures.draw_all(models, data, out / "plots"):
        console.print(f"[yellow]not drawn:[/] {complaint}", highlight=False)
    written = page.write(models, data, out)
    console.print(f"report: {', '.join(map(str, written))}", highlight=False)


if __name__ == "__main__":
    run(main)
