"""Changes to params.yaml that a user asks for by name: take a published recipe, or a
paper's whole table.
"""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from pipeline import document as documents
from pipeline import lookup, params, tables
from pipeline.commands import sync
from pipeline.lookup import ConfigurationError, check_name
from pipeline.report.tables import UNVALIDATED, states_validation

FOLDER = Path("recipes")
ORIGINAL = ("iemocap", "chsims")  # the corpora of the papers' main tables
WIDTH = 80  # columns at which DVC folds lines when `-S` writes params.yaml


def names(folder: Path = FOLDER) -> list[str]:
    """The recipes at hand, e.g. 'fg_cme-ravdess'."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def of_own_corpus(paper: str, folder: Path = FOLDER) -> str | None:
    """The recipe of a paper on the corpus that the paper is about; None without one."""
    at_hand = names(folder)
    return next((name for it in ORIGINAL if (name := f"{paper}-{it}") in at_hand), None)


def read(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """The params sections of a recipe."""
    if name not in names(folder):
        raise ConfigurationError(f"unknown recipe {name!r}, expected one of {names(folder)}")
    sections: dict[str, Any] = _load(folder / f"{name}.yaml")
    _require_sections(f"recipe {name}", sections)
    return sections


def _require_sections(where: str, sections: Mapping[str, Any]) -> None:
    """Raises ConfigurationError where a recipe is not sections of named settings."""
    known = (*params.SECTIONS, "systems")
    unknown = sorted(str(name) for name in sections if name not in known)
    if unknown or not sections:
        found = ", ".join(unknown) if unknown else "no section"
        raise ConfigurationError(f"{where}: {found}, expected some of {list(known)}")
    for section, entries in sections.items():
        items = entries.items() if isinstance(entries, Mapping) else [("", entries)]
        for name, settings in items:
            if not isinstance(name, str):
                raise ConfigurationError(f"{where}: {section}: {name!r} is no name")
            if not name or not isinstance(settings, Mapping):
                raise ConfigurationError(
                    f"{where}: {section}.{name}: {lookup.shown(settings)}, expected `name: "
                    "{key: value}` lines"
                )
    for corpus, listed in sections.get("inputs", {}).items():
        wrong = [section for section, items in listed.items() if not isinstance(items, list)]
        if wrong:
            raise ConfigurationError(f"{where}: inputs.{corpus}.{wrong[0]}: expected a list")


def use(params_file: Path, sections: Mapping[str, Any], root: str | None = None) -> list[str]:
    """Merges a recipe into params.yaml and returns the names of its experiments.

    Raises ConfigurationError, and changes nothing, where the result would be wrong or a
    name already stands there with other settings.
    """
    document = _load(params_file)
    params.check(_plain(document))
    for section, items in sections.items():
        if section == "systems":
            continue  # what single systems of the table read instead: `table_of` took it in
        target = _section(document, section)
        for name, settings in items.items():
            check_name(name, section)
            if section == "inputs":
                _add_inputs(target, name, settings)
                continue
            if section == "corpora":
                # The folder is the user's, whatever the recipe assumes.
                folder = root or target.get(name, settings).get("root")
                settings = {**settings, "root": folder}
                if name in target:
                    target[name]["root"] = folder
            _add(params_file, target, f"{section}.{name}", name, _folded(settings, 2, name))
    checked = params.check(_plain(document))
    with tables.replacing(params_file) as temporary, temporary.open("w", encoding="utf-8") as file:
        _yaml().dump(document, file)
    sync.sync(params_file, checked)
    return list(sections.get("experiments", {}))


def unread(system: Any) -> list[str]:
    """The settings of an experiment that a system does not have."""
    unread = [section for section, reads in params.inputs_of(system).items() if not reads]
    return [*unread, "train_embedding"] if "text" in unread else unread


def table_of(
    sections: Mapping[str, Any],
    systems: Sequence[str],
    seeds: Sequence[int] | None,
    practices: Sequence[str] = ("honest",),
) -> dict[str, Any]:
    """The recipe with its experiment once for each system: `<experiment>-<system>`.

    The practice `published` adds `<experiment>-<system>-published` on the same split
    without validation, unless the protocol states the validation sets itself.

    Every system gets the inputs that it reads and all of the recipe's hyperparameters;
    the recipe's `systems` state what one takes instead. Raises ConfigurationError for a
    hyperparameter that a system does not have.
    """
    experiments = sections.get("experiments", {})
    if len(experiments) != 1:
        raise ConfigurationError(
            f"the recipe has experiments {list(experiments)}, expected one to vary"
        )
    ((base, settings),) = experiments.items()
    splits, varied = dict(sections.get("splits", {})), {}
    if settings.get("split") not in splits:
        raise ConfigurationError(
            f"the recipe's experiment has split {settings.get('split')!r}, expected one of "
            f"{sorted(splits)}"
        )
    for name in systems:
        system = lookup.system(name)
        own = {**settings, "network": name, **sections.get("systems", {}).get(name, {})}
        wrong = sorted(set(own.get("hyperparameters", {})) - set(system.hyperparameters))
        if wrong:
            raise ConfigurationError(
                f"{name} has no hyperparameter {', '.join(wrong)}: state its own in the recipe "
                f"under systems.{name}.hyperparameters, out of {list(system.hyperparameters)}"
            )
        skipped = unread(system)
        own = {key: value for key, value in own.items() if key not in skipped}
        own |= {"seeds": list(seeds)} if seeds else {}
        stated = states_validation(own["split"])
        if "honest" in practices or stated:
            varied[f"{base}-{name}"] = own
        if "published" in practices and not stated:
            split = own["split"] + UNVALIDATED
            splits[split] = {**splits[own["split"]], "validation_share": 0}
            unselected = {key: value for key, value in own.items() if key != "select"}
            varied[f"{base}-{name}{UNVALIDATED}"] = {**unselected, "split": split}
    # A copy of each: YAML would write what two of them share as an alias.
    copies = {
        section: {name: deepcopy(values) for name, values in entries.items()}
        for section, entries in (("splits", splits), ("experiments", varied))
    }
    return {**sections, **copies}


def systems_of_paper(paper: str) -> list[str]:
    """The systems of one paper, in its order."""
    return list(lookup.component("networks", paper).__all__)


def _add(params_file: Path, target: CommentedMap, where: str, name: str, settings: Any) -> None:
    if name in target and _plain(target[name]) != _plain(settings):
        raise ConfigurationError(
            f"{params_file} already has another {where}: rename that one or take it away"
        )
    target.setdefault(name, settings)


def _add_inputs(target: CommentedMap, corpus: str, listed: Mapping[str, Sequence[str]]) -> None:
    if target.get(corpus) is None:
        target[corpus] = CommentedMap()
    for section, items in listed.items():
        known = target[corpus].setdefault(section, [])
        known += [name for name in items if name not in known]


def _load(params_file: Path) -> CommentedMap:
    documents.read(params_file)
    try:
        return _yaml().load(params_file) or CommentedMap()
    except YAMLError as error:  # a key that stands twice
        said = " ".join(str(error).split())
        raise ConfigurationError(f"{params_file} is not YAML: {said}") from None


def _folded(value: Any, depth: int, name: str) -> Any:
    """The settings with mappings that are too long for a line as blocks: DVC would
    break such a line in the middle.
    """
    if not isinstance(value, Mapping):
        return value
    made = CommentedMap(value)
    if isinstance(value, CommentedMap):
        value.copy_attributes(made)
    shown = json.dumps(_plain(value), ensure_ascii=False).replace('"', "")
    if 2 * depth + len(f"{name}: {shown}") > WIDTH:
        made.fa.set_block_style()
    elif not isinstance(value, CommentedMap) and depth > 2:
        made.fa.set_flow_style()
    for key, item in value.items():
        made[key] = _folded(item, depth + 1, str(key))
    return made


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
    yaml.preserve_quotes = True
    return yaml
