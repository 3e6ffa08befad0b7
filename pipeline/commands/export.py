"""`serflow export`: a trained model as one folder that needs nothing of its project."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pipeline import lookup, tables, tokens
from pipeline.commands import model_card
from pipeline.lookup import ConfigurationError
from pipeline.training import checkpoint, exported

CARD, FILES = "README.md", "files"


def export(
    experiment: str, folder: Path, models: Path = Path("models"), data: Path = Path("data")
) -> Path:
    """Writes the networks of every fold and seed, what they need of the project's files
    and a model card to `folder`, and returns the card.

    Raises ConfigurationError where the experiment is not trained and evaluated, and
    where the folder is there with something else in it.
    """
    lookup.check_name(experiment, "serflow export")
    model = models / experiment
    loaded = checkpoint.load_all(model)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"{folder} is there already: name a new folder, or delete it")
    card = model_card.card(experiment, models, data, loaded)
    draft = folder.with_name(f".{folder.name}.unfinished")
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(parents=True)
    for place, _, _, description in loaded:
        to = draft / "folds" / place.name
        to.mkdir(parents=True)
        shutil.copyfile(place / checkpoint.WEIGHTS, to / checkpoint.WEIGHTS)
        text = json.dumps(_moved(description, model, draft), indent=1, ensure_ascii=False) + "\n"
        tables.write_text(to / checkpoint.DESCRIPTION, text)
    shutil.copyfile(model / "folds" / "experiment.json", draft / "folds" / "experiment.json")
    tables.write_text(draft / CARD, card)
    exported.seal(draft, loaded[0][3])
    if folder.exists():
        folder.rmdir()
    draft.rename(folder)
    return folder / CARD


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
