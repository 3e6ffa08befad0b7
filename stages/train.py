"""Stage train: every fold and seed of one experiment, in parallel processes."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline import executor, folders, tables
from pipeline import params as parameters
from pipeline.training.curves import log_curves
from pipeline.training.fold import environment, train_fold
from pipeline.training.schedule import folds_of, forget_older, tasks
from stages import entry
from stages.entry import DATA, MODELS, PARAMS, console

ScratchFolder = Annotated[
    Path, typer.Option("--scratch", help="Where interrupted work waits to be continued.")
]


def main(
    name: str,
    params_file: entry.ParamsFile = PARAMS,
    data: entry.DataFolder = DATA,
    models: entry.ModelsFolder = MODELS,
    scratch: ScratchFolder = Path(".scratch"),
) -> None:
    """Trains the experiment NAME of params.yaml on every fold and seed; a killed run
    goes on where it stopped.
    """
    executor.choose(parameters.load_section(params_file, "engine"))
    params = parameters.load(params_file)
    experiment = parameters.entry(params, "experiments", name)
    classes = list(dict.fromkeys(params.splits[experiment.split].labels.values()))
    described = parameters.describe(params, name)
    work = tasks(name, experiment, described, classes, data, models, scratch)
    folds = len(folds_of(work))
    console.print(f"{name}: {folds} folds × {len(work) // folds} seeds", highlight=False)
    outcomes = list(executor.run(train_fold, work, f"train {name}"))
    forget_older(work)
    folder = folders.trained(models, name)
    for file, kind in ((folders.REJECTS, "rejections"), (folders.FILLED, "filled")):
        listed = {item for outcome in outcomes for item in getattr(outcome, kind)}
        tables.write_rejections(folder / file, listed)
        if listed:
            did = "fed with zeros" if kind == "filled" else "dropped"
            reasons = ", ".join(sorted({item.detail for item in listed}))
            entry.say(f"{name}: {len(listed)} utterances {did}: without {reasons}")
    log_curves(models / name / "live", outcomes)
    seconds = sum(outcome.seconds_per_epoch for outcome in outcomes) / len(outcomes)
    epochs = [item.epoch for item in outcomes]
    console.print(f"{name}: {seconds:.2f} s per epoch and fold, chosen epochs {epochs}")
    tables.write_json(models / name / folders.ENVIRONMENT, environment(experiment.device))
    trained = [task.out.name for task in work]
    stated = {"name": name, "folds": trained, "experiment": asdict(experiment)}
    tables.write_json(folder / "experiment.json", stated)


if __name__ == "__main__":
    executor.spare_pandas()
    entry.run(main)
