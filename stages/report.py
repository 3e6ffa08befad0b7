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
    audible: Annotated[
        str, typer.Option(help="Corpora whose recordings lie in the report, with commas.")
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("report"),
) -> None:
    """Draws the figures of every experiment under MODELS, writes one page that holds
    them all and a page of utterances for each.
    """
    written, undrawn = report.build(models, data, out, audible.split(","))
    for line in undrawn:
        console.print(f"[yellow]missing:[/] {escape(line)}", highlight=False)
    console.print(f"report: {', '.join(map(str, written))}", highlight=False)


if __name__ == "__main__":
    run(main)
