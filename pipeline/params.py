"""params.yaml as values, checked as a whole before any work starts."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal, get_type_hints

import yaml
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from pipeline import alignment_check, lookup, protocol, tokens
from pipeline.experiment import STRICT, Experiment
from pipeline.lookup import ConfigurationError, configure
from pipeline.recipe import Recipe

# What an item of these sections reads beside the corpus, so that DVC watches it: the file named by this setting.
FILE_SETTINGS = {"text": "path", "splits": "fold_file"}
PINNED = "constraints.txt"  # what an item depends on that reads no file: the versions of the libraries
SECTIONS = ("corpora", "acoustic", "alignment", "text", "splits", "experiments", "build")


@dataclass(frozen=True, config=STRICT)
class Corpus:
    """Where a corpus lies (`root` may hold environment variables), its reader's settings, how text becomes words."""

    root: str
    reader: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class Alignment:
    """A chain of aligners: each places what the one before could not; the build stops when more than a share fails."""

    chain: dict[str, dict[str, Any] | None]
    check: dict[str, Any] = field(default_factory=dict)
    max_failed_share: float = Field(default=0.2, ge=0, le=1)


@dataclass(frozen=True)
class Params:
    """The whole of params.yaml."""

    corpora: dict[str, Corpus]
    acoustic: dict[str, dict[str, Any]]
    alignment: dict[str, Alignment]
    text: dict[str, dict[str, Any]]
    splits: dict[str, dict[str, Any]]
    experiments: dict[str, Experiment]
    build: dict[str, dict[str, dict[str, str]]]


def load(path: Path) -> Params:
    """Reads and checks params.yaml; raises ConfigurationError with one line that lists what was expected."""
    if not path.is_file():
        raise ConfigurationError(f"{path} is missing, expected to run where params.yaml lies")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} holds {type(document).__name__}, expected sections {list(SECTIONS)}")
    return check(document)


def check(document: Mapping[str, Any]) -> Params:
    """Checks every section, name and type of a params document."""
    unknown = sorted(map(str, set(document) - set(SECTIONS)))
    if unknown:
        raise ConfigurationError(f"unknown section {', '.join(unknown)}, expected one of {list(SECTIONS)}")
    sections = {name: _section(document, name) for name in SECTIONS}
    checked: dict[str, Any] = {
        "corpora": {name: configure(Corpus, value, f"corpora.{name}") for name, value in sections["corpora"].items()},
        "acoustic": _settings(sections, "acoustic"),
        "alignment": {n: configure(Alignment, value, f"alignment.{n}") for n, value in sections["alignment"].items()},
        "text": _settings(sections, "text"),
        "splits": _settings(sections, "splits"),
        "experiments": {
            name: configure(Experiment, value, f"experiments.{name}") for name, value in sections["experiments"].items()
        },
        "build": _settings(sections, "build"),
    }
    params: Params = configure(Params, checked, "params.yaml")
    for name, corpus in params.corpora.items():
        configure(tokens.Config, corpus.tokens, f"corpora.{name}.tokens")
        configure(lookup.component("corpora", name).Config, corpus.reader, f"corpora.{name}.reader")
    for name in params.acoustic:
        lookup.component_config("acoustic", name, params.acoustic[name])
    for name in params.text:
        lookup.component_config("text", name, params.text[name])
    for name, chain in params.alignment.items():
        if not chain.chain:
            raise ConfigurationError(
                f"alignment.{name}.chain: no aligner, expected some of {lookup.names('alignment')}"
            )
        configure(alignment_check.Config, chain.check, f"alignment.{name}.check")
        for aligner, values in chain.chain.items():
            configure(lookup.component("alignment", aligner).Config, values, f"alignment.{name}.chain.{aligner}")
    for name, values in params.splits.items():
        protocol.name_of(name)
        configure(protocol.Config, values, f"splits.{name}")
    for name, experiment in params.experiments.items():
        _check_experiment(name, experiment, params)
    _check_build(params)
    return params


def named(params: Params, name: str) -> Experiment:
    """The experiment of that name."""
    if name not in params.experiments:
        raise ConfigurationError(f"unknown experiment {name!r}, expected one of {sorted(params.experiments)}")
    return params.experiments[name]


def corpus(params: Params, name: str) -> Corpus:
    """The corpus of that name."""
    if name not in params.corpora:
        raise ConfigurationError(f"unknown corpus {name!r}, expected one of {sorted(params.corpora)}")
    return params.corpora[name]


def section(params: Params, kind: Literal["acoustic", "text", "splits"], name: str) -> dict[str, Any]:
    """The settings under a name of params.acoustic, params.text or params.splits."""
    known: dict[str, dict[str, Any]] = getattr(params, kind)
    if name not in known:
        raise ConfigurationError(f"unknown name {name!r} in {kind}, expected one of {sorted(known)}")
    return known[name]


def root_of(corpus: Corpus) -> Path:
    """A corpus's folder, environment variables filled in."""
    path = os.path.expandvars(corpus.root)
    if "$" in path:
        raise ConfigurationError(f"corpus root {corpus.root!r}: the environment variable is not set, expected a folder")
    return Path(path).expanduser()


def needed_builds(
    experiments: Mapping[str, Experiment], settings: Mapping[str, Mapping[str, Mapping[str, Any] | None]]
) -> dict[str, dict[str, dict[str, str]]]:
    """The `build` section that the experiments ask for: which feature, alignment, embedding, split of which corpus.

    `settings` are the sections `text` and `splits`: their items name the file they read, so that DVC watches it.
    """
    needed: dict[str, dict[str, dict[str, str]]] = {name: {} for name in ("acoustic", "alignment", "text", "splits")}
    for experiment in experiments.values():
        for section, items in needed.items():
            name = getattr(experiment, "split" if section == "splits" else section)
            item = {"corpus": experiment.corpus, "name": name}
            if section in FILE_SETTINGS:
                file = (settings.get(section, {}).get(name) or {}).get(FILE_SETTINGS[section])
                item["reads"] = str(file or PINNED)
            items[f"{experiment.corpus}-{name}"] = item
    return {section: dict(sorted(items.items())) for section, items in needed.items()}


def _section(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = document.get(name) or {}
    if not isinstance(section, dict):
        raise ConfigurationError(f"{name}: {section!r}, expected `name: settings` lines")
    for key in section:
        if not isinstance(key, str):
            raise ConfigurationError(f"{name}: {key!r} is no name, expected a word or one in quotes")
    return section


def _settings(sections: Mapping[str, dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    for key, values in sections[name].items():
        if values is not None and not isinstance(values, dict):
            raise ConfigurationError(f"{name}.{key}: {values!r} is not a section, expected `key: value` lines")
    return {key: dict(values or {}) for key, values in sections[name].items()}


def _check_experiment(name: str, experiment: Experiment, params: Params) -> None:
    where = f"experiments.{name}"
    for kind in ("corpus", "acoustic", "alignment", "text", "split"):
        section = {"corpus": "corpora", "split": "splits"}.get(kind, kind)
        known = sorted(getattr(params, section))
        if getattr(experiment, kind) not in known:
            raise ConfigurationError(f"{where}.{kind}: unknown {getattr(experiment, kind)!r}, expected one of {known}")
    row = lookup.row(experiment.network)
    keywords = [
        item.name for item in inspect.signature(row).parameters.values() if item.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    wrong = sorted(set(experiment.hyperparameters) - set(keywords))
    if wrong:
        raise ConfigurationError(
            f"{where}.hyperparameters: {experiment.network} has no {', '.join(wrong)}, expected one of {keywords}"
        )
    annotations = get_type_hints(row)
    for key, value in experiment.hyperparameters.items():
        try:
            TypeAdapter(annotations[key]).validate_python(value, strict=True)
        except ValidationError as error:
            raise ConfigurationError(
                f"{where}.hyperparameters.{key}: {value!r}, expected {annotations[key]}: {error.errors()[0]['msg']}"
            ) from None
    published: Recipe = row.recipe  # type: ignore[attr-defined]
    values = {key: getattr(published, key) for key in Recipe.__dataclass_fields__}
    configure(Recipe, values | experiment.training, f"{where}.training")
    if not experiment.seeds:
        raise ConfigurationError(f"{where}.seeds: no seed, expected at least one")


def _check_build(params: Params) -> None:
    needed = needed_builds(params.experiments, {"text": params.text, "splits": params.splits})
    unknown = sorted(set(params.build) - set(needed))
    if unknown:
        raise ConfigurationError(f"build: unknown section {', '.join(unknown)}, expected one of {sorted(needed)}")
    for section, items in needed.items():
        present = params.build.get(section, {})
        for key, item in items.items():
            if present.get(key) != item:
                raise ConfigurationError(
                    f"build.{section}: an experiment needs `{key}: {item}`, "
                    "expected it listed (`serflow sync` writes it)"
                )
        for key, item in present.items():
            fields = {"corpus", "name"} | ({"reads"} if section in FILE_SETTINGS else set())
            if not isinstance(item, dict) or set(item) != fields or key != f"{item['corpus']}-{item['name']}":
                raise ConfigurationError(
                    f"build.{section}.{key}: {item!r}, expected {sorted(fields)} under CORPUS-NAME"
                )
            for kind, value in (("corpora", item["corpus"]), (section, item["name"])):
                if value not in getattr(params, kind):
                    raise ConfigurationError(
                        f"build.{section}.{key}: unknown {value!r}, expected one of {sorted(getattr(params, kind))}"
                    )
