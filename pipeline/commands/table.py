"""`serflow table`: a paper's systems into params.yaml, built by DVC, then printed."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pipeline import params as parameters
from pipeline.commands import ahead, recipes
from pipeline.lookup import ConfigurationError
from pipeline.report import table_formats, tables


def regenerate(
    paper: str,
    corpus: str,
    root: str | None,
    systems: Sequence[str] | None,
    seeds: Sequence[int] | None,
    practice: tables.Practice,
    build: bool,
    out: Path,
    params_file: Path,
    models: Path,
) -> None:
    """Adds the systems of recipe `<paper>-<corpus>` to params.yaml, runs what DVC finds
    missing, many stages at a time, prints the table.

    A system that was built before is not built again; an interrupted one goes on where
    it stopped.
    """
    known = recipes.systems_of_paper(paper)
    wrong = sorted(set(systems or ()) - set(known))
    if wrong:
        raise ConfigurationError(f"{paper} has no systems {wrong}, expected some of {known}")
    if build:
        practices = ("honest", "published") if practice == "both" else (practice,)
        recipe = recipes.read(f"{paper}-{corpus}")
        varied = recipes.table_of(recipe, systems or known, seeds, practices)
        names = recipes.use(params_file, varied, root)
        targets = [f"evaluate@{name}" for name in names]
        ahead.work(targets, parameters.load_section(params_file, "engine"))
        repro(targets)
    made = tables.table(paper, corpus.split("-", 1)[0], models)
    console = Console()
    for part in table_formats.for_terminal(made, practice):
        console.print(part, highlight=False, markup=False)
    for path in table_formats.write(made, out, practice):
        console.print(f"written: {path}", highlight=False)


def repro(targets: Sequence[str]) -> None:
    """Has DVC build targets; ConfigurationError where it stops."""
    command = [sys.executable, "-m", "dvc", "repro", *targets]
    # Words, no shell; the names of experiments were checked with params.yaml.
    finished = subprocess.run(command, check=False)  # noqa: S603
    if finished.returncode != 0:
        raise ConfigurationError(
            "`dvc repro` stopped, its message says why: mend it and call this again, what is "
            "done stays"
        )
