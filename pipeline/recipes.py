"""Changes to params.yaml that a user asks for by name: take a published recipe, keep the build lists in step."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from pipeline import lookup, params
from pipeline.experiment import Experiment
from pipeline.lookup import ConfigurationError

FOLDER = Path("recipes")


def names(folder: Path = FOLDER) -> list[str]:
    """The recipes at hand, e.g. 'fg_cme-ravdess'."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def read(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """The params sections of a recipe."""
    path = folder / f"{name}.yaml"
    if not path.is_file():
        raise ConfigurationError(f"unknown recipe {name!r}, expected one of {names(folder)}")
    sections: dict[str, Any] = _yaml().load(path)
    return sections


def use(params_file: Path, sections: Mapping[str, Any], root: str | None = None) -> list[str]:
    """Merges a recipe into params.yaml, checks the result and returns the experiments it brought.

    A name that already stands there with other settings is left to the user: ConfigurationError.
    """
    document = _load(params_file)
    for section, items in sections.items():
        if section == "rows":
            continue  # what single rows of the paper's table read instead: `rows_of` has taken it in
        target = _section(document, section)
        if section == "build":  # what is built beside the experiments' inputs
            for kind, entries in items.items():
                for name, entry in entries.items():
                    _add(params_file, _section(target, kind), f"build.{kind}.{name}", name, entry)
            continue
        for name, settings in items.items():
            if section == "corpora":
                # The folder is the user's, whatever the recipe assumes.
                folder = root or target.get(name, settings)["root"]
                settings = {**settings, "root": folder}
                if name in target:
                    target[name]["root"] = folder
            _add(params_file, target, f"{section}.{name}", name, settings)
    _finish(params_file, document)
    return list(sections.get("experiments", {}))


def rows_of(sections: Mapping[str, Any], rows: Sequence[str], seeds: Sequence[int] | None) -> dict[str, Any]:
    """The recipe with its experiment once for each network row, named `<experiment>-<row>`.

    A recipe's `rows` state what a row reads instead, e.g. another feature.
    """
    if len(sections["experiments"]) != 1:
        raise ConfigurationError(f"the recipe has experiments {list(sections['experiments'])}, expected one to vary")
    ((base, settings),) = sections["experiments"].items()
    varied = {}
    for row in rows:
        own = {key: value for key, value in settings.items() if row == settings["network"] or key != "hyperparameters"}
        differences = sections.get("rows", {}).get(row, {})
        varied[f"{base}-{row}"] = {**own, "network": row, **differences, **({"seeds": list(seeds)} if seeds else {})}
    return {**sections, "experiments": varied}


def rows_of_paper(paper: str) -> list[str]:
    """The network rows of one paper, in its order."""
    return list(lookup.component("networks", paper).__all__)


def sync(params_file: Path) -> None:
    """Rewrites the `build` section to what the experiments need, keeping items that were listed beside them."""
    _finish(params_file, _load(params_file))


def _add(params_file: Path, target: CommentedMap, where: str, name: str, settings: Any) -> None:
    if name in target and _plain(target[name]) != _plain(settings):
        raise ConfigurationError(
            f"{params_file} already has another {where}, expected the recipe's settings or a new name"
        )
    target.setdefault(name, settings)


def _finish(params_file: Path, document: CommentedMap) -> None:
    listed = _section(document, "build")
    experiments = {
        name: lookup.configure(Experiment, _plain(settings), f"experiments.{name}")
        for name, settings in _section(document, "experiments").items()
    }
    settings = {section: _plain(_section(document, section)) for section in params.FILE_SETTINGS}
    for section, items in params.needed_builds(experiments, settings).items():
        target = _section(listed, section)
        for key, item in items.items():
            if _plain(target.get(key)) != item:
                entry = CommentedMap(item)
                entry.fa.set_flow_style()
                target[key] = entry
    params.check(_plain(document))
    temporary = params_file.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        _yaml().dump(document, file)
    temporary.replace(params_file)


def _load(params_file: Path) -> CommentedMap:
    if not params_file.is_file():
        raise ConfigurationError(f"{params_file} is missing, expected to run where params.yaml lies")
    try:
        document = _yaml().load(params_file)
    except YAMLError as error:
        raise ConfigurationError(f"{params_file} is not YAML: {' '.join(str(error).split())}") from None
    if document is not None and not isinstance(document, CommentedMap):
        raise ConfigurationError(
            f"{params_file} holds {type(document).__name__}, expected sections {list(params.SECTIONS)}"
        )
    return CommentedMap() if document is None else document


def _section(document: CommentedMap, name: str) -> CommentedMap:
    # `text:` with nothing below it is None.
    if document.get(name) is None:
        document[name] = CommentedMap()
    section = document[name]
    if not isinstance(section, CommentedMap):
        raise ConfigurationError(f"{name}: {section!r}, expected `name: settings` lines")
    return section


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 120
    yaml.preserve_quotes = True
    return yaml
