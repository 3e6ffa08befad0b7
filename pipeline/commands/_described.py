"""The inputs of a trained model, from what its checkpoints say of them."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pipeline import alignment, lookup, tokens
from pipeline.training import checkpoint


def settings_of(description: Mapping[str, Any], model: Path) -> dict[str, tuple[str, Any]]:
    """Name and checked settings of each input that the system reads, by section, and
    those of the tokens.
    """
    reads = lookup.system(description["experiment"]["network"]).needs
    found: dict[str, tuple[str, Any]] = {}
    if reads & {"text", "alignment"}:
        config = lookup.configure(tokens.Config, description["tokens"], "tokens")
        found["tokens"] = "tokens", _found(config, model)
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
            changed[item.name] = checkpoint.find(path, model)
    return replace(config, **changed) if changed else config
