"""The commands that write params.yaml: a recipe, a variation, a corpus of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands import ending
from pipeline.commands.results import PARAMS, ParamsFile
from pipeline.lookup import ConfigurationError

app = typer.Typer()


@app.command(epilog="Example: serflow use fg_cme-ravdess --root /corpora/RAVDESS && dvc repro")
def use(
    recipe: Annotated[str, typer.Argument(help="A file of recipes/, e.g. fg_cme-ravdess.")],
    root: Annotated[str | None, typer.Option(help="Where the corpus lies.")] = None,
    params_file: ParamsFile = PARAMS,
) -> None:
    """Adds a published recipe to params.yaml; `dvc repro` then builds it."""
    from pipeline.commands import recipes

    with ending.one_line():
        added = recipes.use(params_file, recipes.read(recipe), root)
    for name in added:
        print(f"added experiment {name}: dvc repro evaluate@{name}")
    if not added:
        print("added what to build, no experiment: dvc repro")


@app.command(epilog="Example: serflow vary fg_cme-demo words-demo network=LSTM_Attn_s")
def vary(
    experiment: Annotated[str, typer.Argument(help="An experiment of params.yaml.")],
    name: Annotated[str, typer.Argument(help="What the changed one is called.")],
    changes: Annotated[
        list[str], typer.Argument(help="key=value, e.g. network=CNN_LSTM_a training.epochs=5")
    ],
    params_file: ParamsFile = PARAMS,
) -> None:
    """Adds an experiment that differs from another one in some settings, under a name
    of its own; inputs that a changed network does not read are left out.
    """
    from pipeline.commands import vary as variation

    with ending.one_line():
        (added,) = variation.vary(params_file, experiment, name, changes)
    print(f"added experiment {added}: dvc repro evaluate@{added}")


@app.command(
    epilog="Example: serflow new mine /corpora/mine --table labels.csv, or without a table "
    "--names '{speaker}/{emotion}/{}'"
)
def new(
    name: Annotated[str, typer.Argument(help="What the corpus and the experiment are called.")],
    folder: Annotated[Path, typer.Argument(help="The folder of the recordings.")],
    table: Annotated[
        Path | None, typer.Option(help="CSV, TSV or parquet: file, label, maybe speaker and text.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="emotion=NAME: what a column of the table holds.")
    ] = None,
    names: Annotated[
        str | None,
        typer.Option(help="What paths below the folder tell; default: '{emotion}/{}'."),
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="A system; default: by what there is.")
    ] = None,
    language: Annotated[str, typer.Option(help="What is spoken: en, de, zh …")] = "en",
    build: Annotated[bool, typer.Option(help="Build it with DVC and print the score.")] = True,
    params_file: ParamsFile = PARAMS,
) -> None:
    """A corpus of your own, from recordings and labels to a score: writes a manifest,
    adds corpus, protocol and experiment to params.yaml, builds them.
    """
    from pipeline.commands import own_corpus

    with ending.one_line():
        if table is not None and names is not None:
            raise ConfigurationError("--table and --names: labels come from one of them")
        own_corpus.start(
            params_file, name, folder, table, column or (), names, network, language, build
        )
