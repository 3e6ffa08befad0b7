"""The inputs of a trained model, from what its checkpoints say of them."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pipeline import alignment, lookup, tokens
from pipeline.lookup import ConfigurationError


def settings_of(description: Mapping[str, Any], model: Path) -> dict[str, tuple[str, Any]]:
    """Name and checked settings of each input that the system reads, by section, and
    those of the tokens.
    """
    reads = lookup.system(description["experiment"]["network"]).needs
    found: dict[str, tuple[str, Any]] = {}
    if reads & {"text", "alignment"}:
        config = lookup.configure(tokens.Config, description["tokens"], "tokens")
        found["tokens"] = "tokens", config
        found["text"] = _entry(description, "text", model)
    if reads & {"audio", "alignment"}:
        found["acoustic"] = _entry(description, "acoustic", model)
    if "alignment" in reads:
        described = dict(description["alignment"])
        name = lookup.check_name(str(described.pop("name")), "alignment")
        found["alignment"] = name, alignment.settings(name, described)
    return found


def _entry(description: Mapping[str, Any], section: str, model: Path) -> tuple[str, Any]:
    described = description[section]
    name = lookup.check_name(str(described["name"]), section)
    config = lookup.settings(section, name, described["config"])
    return name, _found(config, model)


def _found(config: Any, model: Path) -> Any:
    """Settings whose relative files are those of the project that the model lies in,
    wherever the command is called.
    """
    changed = {}
    for item in fields(config):
        path = getattr(config, item.name)
        if isinstance(path, Path) and not path.is_absolute():
            above = model.resolve().parents
            place = next((folder for folder in above if (folder / path).exists()), None)
            if place is None:
                raise ConfigurationError(
                    f"{path} is in none of the folders above {model.resolve()}: put it where it "
                    "lay in training, in the project that the model belongs to"
                )
            changed[item.name] = place / path
    return replace(config, **changed) if changed else config
