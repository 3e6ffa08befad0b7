"""What every stage command shares: one-line configuration errors, and the account that nothing disappears."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from pipeline.lookup import ConfigurationError
from pipeline.preparation import write_rejections
from pipeline.schema import Rejection

ParamsFile = Annotated[Path, typer.Option("--params", help="The parameters file.")]
DataFolder = Annotated[Path, typer.Option("--data", help="Folder of the pipeline's data.")]
ModelsFolder = Annotated[Path, typer.Option("--models", help="Folder of trained models and metrics.")]
PARAMS, DATA, MODELS = Path("params.yaml"), Path("data"), Path("models")

console = Console(stderr=True, soft_wrap=True)


def run(command: Callable[..., None]) -> None:
    """Runs a stage's command; a configuration mistake, diverged training too, ends it with one line and exit code 2."""

    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command)
    try:
        app()
    except (ConfigurationError, FloatingPointError) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        raise SystemExit(2) from None


def account(
    stage: str, folder: Path, total: int, used: int, rejections: Sequence[Rejection], metrics: Mapping[str, Any]
) -> None:
    """Writes rejects.parquet and metrics.json, prints the counts, and checks utterances = used + rejected."""
    rejected = len(rejections)
    if total != used + rejected:
        raise RuntimeError(
            f"{stage}: {total} utterances in, {used} used and {rejected} rejected, expected them to add up"
        )
    write_rejections(folder / "rejects.parquet", rejections)
    # The account is of the whole corpus, whatever part of it the metrics of a stage speak of.
    counts = {"utterances": total, "used": used, "rejected": rejected}
    write_json(folder / "metrics.json", {**counts, **metrics, **counts})
    console.print(f"{stage}: {total} utterances = {used} used + {rejected} rejected", highlight=False, markup=False)
    for reason, number in Counter(item.reason for item in rejections).most_common():
        console.print(f"  {number} × {reason}", highlight=False, markup=False)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Writes JSON whose bytes depend on the values alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)
