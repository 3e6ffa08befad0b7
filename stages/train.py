"""Stage train: every fold and seed of one experiment, in parallel processes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline import executor, training
from pipeline import params as parameters
from pipeline.preparation import write_rejections
from pipeline.schedule import folds_of, forget_older, tasks
from stages.entry import DATA, MODELS, PARAMS, DataFolder, ModelsFolder, ParamsFile, console, run, write_json

ScratchFolder = Annotated[Path, typer.Option("--scratch", help="Where interrupted work waits to be continued.")]


def main(
    name: str,
    params_file: ParamsFile = PARAMS,
    data: DataFolder = DATA,
    models: ModelsFolder = MODELS,
    scratch: ScratchFolder = Path(".scratch"),
) -> None:
    """Trains the experiment NAME of params.yaml on every fold and seed; a killed run goes on where it stopped."""
    params = parameters.load(params_file)
    work = tasks(params, name, data, models, scratch)
    console.print(f"{name}: {len(folds_of(work))} folds × {len(work) // len(folds_of(work))} seeds", highlight=False)
    outcomes = list(executor.run(training.train_fold, work, f"train {name}"))
    forget_older(work)
    folder = models / name / "folds"
    write_rejections(folder / "rejects.parquet", {item for outcome in outcomes for item in outcome.rejections})
    training.log_curves(models / name / "live", outcomes)
    seconds = sum(outcome.seconds_per_epoch for outcome in outcomes) / len(outcomes)
    console.print(f"{name}: {seconds:.2f} s per epoch and fold, chosen epochs {[item.epoch for item in outcomes]}")
    write_json(folder / "experiment.json", {"name": name, "experiment": asdict(params.experiments[name])})


if __name__ == "__main__":
    run(main)
