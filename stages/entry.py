"""What every stage command shares: errors of one line, the account of utterances."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pipeline import folders, tables
from pipeline.commands import ending
from pipeline.schema import Rejection

ParamsFile = Annotated[Path, typer.Option("--params", help="The parameters file.")]
DataFolder = Annotated[Path, typer.Option("--data", help="Folder of the pipeline's data.")]
ModelsFolder = Annotated[
    Path, typer.Option("--models", help="Folder of trained models and metrics.")
]
PARAMS, DATA, MODELS = Path("params.yaml"), Path("data"), Path("models")

console = Console(stderr=True, soft_wrap=True)


def run(command: Callable[..., None]) -> None:
    """Runs a stage's command; a mistake of the configuration, diverged training, a
    killed worker or a full disk ends it with one line and exit code 2, a signal with
    one line and 128 + its number.
    """
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command)
    with ending.one_line(FloatingPointError):
        app()


def account(
    stage: str,
    folder: Path,
    total: int,
    used: int,
    rejections: Sequence[Rejection],
    metrics: Mapping[str, Any],
) -> None:
    """Writes rejects.parquet and metrics.json, prints the counts, and checks utterances
    = used + rejected.
    """
    rejected = len(rejections)
    if total != used + rejected:
        raise RuntimeError(
            f"{stage}: {total} utterances are not {used} used + {rejected} rejected, "
            "which is a mistake in the stage's code"
        )
    folders.remove_unfinished(folder)
    tables.write_rejections(folder / folders.REJECTS, rejections)
    # The account is of the whole corpus, whatever part of it the metrics concern.
    counts = {"utterances": total, "used": used, "rejected": rejected}
    tables.write_json(folders.metrics(folder), {**counts, **metrics, **counts})
    say(f"{stage}: {total} utterances = {used} used + {rejected} rejected")
    for reason, number in Counter(item.reason for item in rejections).most_common():
        say(f"  {number} × {reason}")


def say(line: str) -> None:
    """Prints a line to standard error as it is."""
    console.print(line, highlight=False, markup=False)
