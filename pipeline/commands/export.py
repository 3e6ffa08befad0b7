"""`serflow export`: a trained model as one folder that needs nothing of its project."""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from pipeline import folders, lookup, tables, tokens, training
from pipeline.commands import model_card
from pipeline.lookup import ConfigurationError
from pipeline.training import Experiment, checkpoint, exported
from pipeline.training import refit as refitting
from pipeline.training.inputs import Folders
from pipeline.training.schedule import Task

CARD, FILES = "README.md", "files"


def export(
    experiment: str,
    folder: Path,
    models: Path = Path("models"),
    data: Path = Path("data"),
    refit: bool = False,
) -> Path:
    """Writes the networks of every fold and seed, what they need of the project's files
    and a model card to `folder`, and returns the card.

    refit: one network that all labelled utterances train, for as many epochs as the
    folds chose on average, in the place of the folds' networks.

    Raises ConfigurationError where the experiment is not trained and evaluated, and
    where the folder is there with something else in it.
    """
    lookup.check_name(experiment, "serflow export")
    model = models / experiment
    loaded = checkpoint.load_all(model)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"{folder} is there already: name a new folder, or delete it")
    card = model_card.card(experiment, models, data, loaded, refit)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as place:
        draft = Path(place) / "model"
        kept = [(origin, description) for origin, _, _, description in loaded]
        if refit:
            kept = [_refitted(loaded, data, Path(place))]
        for origin, description in kept:
            to = draft / "folds" / origin.name
            to.mkdir(parents=True)
            shutil.copyfile(origin / checkpoint.WEIGHTS, to / checkpoint.WEIGHTS)
            moved = _moved(description, model, draft)
            text = json.dumps(moved, indent=1, ensure_ascii=False) + "\n"
            tables.write_text(to / checkpoint.DESCRIPTION, text)
        stated = tables.read_json(model / "folds" / "experiment.json")
        folds = [origin.name for origin, _ in kept]
        tables.write_json(draft / "folds" / "experiment.json", {**stated, "folds": folds})
        tables.write_text(draft / CARD, card)
        exported.seal(draft, loaded[0][3])
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    return folder / CARD


def _refitted(loaded: Sequence[Any], data: Path, scratch: Path) -> tuple[Path, dict[str, Any]]:
    """The folder and description of a network that everything trains."""
    _, _, _, description = loaded[0]
    chosen: Experiment = training.settings("checkpoint", description["experiment"])
    inputs = Folders.of(chosen, data)
    for place in (inputs.acoustic, inputs.spans, inputs.text, inputs.split):
        if place is not None and not place.is_dir():
            raise ConfigurationError(
                f"{place} is not here, and --refit trains on it: run `dvc pull` or `dvc repro`"
            )
    table = tables.read_table(inputs.split / folders.LABELS, ["utterance_id", "emotion"])
    labels = dict(zip(*(column.to_pylist() for column in table.columns), strict=True))
    own = (*checkpoint.FITTED, *checkpoint.OF_THE_FOLD, "classes", "train_embedding", "versions")
    shared = {key: value for key, value in description.items() if key not in own}
    epochs = round(sum(item[3]["epoch"] for item in loaded) / len(loaded))
    task = Task(
        chosen,
        inputs,
        tuple(description["classes"]),
        0,
        chosen.seeds[0],
        scratch / "refit",
        scratch / "state",
        shared,
    )
    refitting.refit(task, labels, max(1, epochs))
    return task.out, checkpoint.read_description(task.out / checkpoint.DESCRIPTION)


def _moved(description: Mapping[str, Any], model: Path, to: Path) -> dict[str, Any]:
    """The description with the files that its settings name copied below `to`."""
    made = json.loads(json.dumps(description))
    for section in exported.SECTIONS:
        if section in made:
            name = made[section]["name"]
            config = lookup.settings(section, name, made[section]["config"])
            made[section]["config"] = _files(made[section]["config"] or {}, config, model, to)
    config = lookup.configure(tokens.Config, made.get("tokens", {}), "tokens")
    made["tokens"] = _files(made.get("tokens", {}), config, model, to)
    return dict(made)


def _files(values: dict[str, Any], config: Any, model: Path, to: Path) -> dict[str, Any]:
    moved = dict(values)
    for item in fields(config):
        path = getattr(config, item.name)
        if not isinstance(path, Path):
            continue
        place = checkpoint.find(path, model)
        if place.is_dir():
            raise ConfigurationError(
                f"{place} is a folder of a pretrained model: state the model by its name on the "
                "hub, which the card can name"
            )
        copy = to / FILES / place.name
        copy.parent.mkdir(exist_ok=True)
        if not copy.exists():
            shutil.copyfile(place, copy)
        moved[item.name] = f"{FILES}/{place.name}"
    return moved
