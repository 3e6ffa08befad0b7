"""Stage report: every evaluated experiment -> pictures, index.html, results tables."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from pipeline import report
from stages.entry import DATA, MODELS, DataFolder, ModelsFolder, console, run


def main(
    models: ModelsFolder = MODELS,
    data: DataFolder = DATA,
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("report"),
) -> None:
    """Draws the figures of every experiment under MODELS and writes one page that holds
    them all.
    """
    written, undrawn = report.build(models, data, out)
    for line in undrawn:
        console.print(f"[yellow]not drawn:[/] {escape(line)}", highlight=False)
    console.print(f"report: {', '.join(map(str, written))}", highlight=False)


if __name__ == "__main__":
    run(main)
