"""params.yaml as values, checked as a whole before any work starts.

Each section belongs to a room, which checks its entries; what one section says of
another is checked here.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline import document as documents
from pipeline import lookup
from pipeline.folders import ITEM_SECTIONS
from pipeline.lookup import ConfigurationError, check_name

# Each section and the room that owns its entries; `inputs` is checked here.
ROOMS = {
    "corpora": "corpora",
    "transcription": "transcription",
    "acoustic": "acoustic",
    "alignment": "alignment",
    "text": "text",
    "splits": "splits",
    "experiments": "training",
    "engine": "executor",
}
SECTIONS = (*ROOMS, "inputs")


@dataclass(frozen=True)
class Params:
    """The whole of params.yaml: checked entries by name, and the document as written.

    inputs: what is built beside the experiments' inputs, names by corpus and section.
    """

    corpora: dict[str, Any]
    transcription: dict[str, Any]
    acoustic: dict[str, Any]
    alignment: dict[str, Any]
    text: dict[str, Any]
    splits: dict[str, Any]
    experiments: dict[str, Any]
    engine: dict[str, Any]
    inputs: dict[str, dict[str, list[str]]]
    document: dict[str, dict[str, Any]]


def load(path: Path) -> Params:
    """Reads and checks params.yaml; raises ConfigurationError with one line."""
    return check(documents.read(path))


def load_entry(path: Path, section: str, name: str) -> Any:
    """One checked entry of params.yaml, for a stage that needs no other.

    The rest of the file is the business of the stage `check`: no stage imports a room
    that it does not use.
    """
    entries = _section(documents.read(path), section)
    _check_reference(section, name, entries)
    return lookup.settings(ROOMS[section], name, entries[name])


def load_section(path: Path, section: str) -> dict[str, Any]:
    """The checked entries of a section of params.yaml; none where there is no file."""
    entries = _section(documents.read(path), section) if path.is_file() else {}
    return {name: lookup.settings(ROOMS[section], name, item) for name, item in entries.items()}


def check(document: Mapping[str, Any]) -> Params:
    """Checks every section, name and type of a params document."""
    known = [*SECTIONS, "report"]
    unknown = sorted(map(str, set(document) - set(known)))
    if unknown:
        hint = ": `serflow sync` writes build.yaml now" if "build" in unknown else ""
        raise ConfigurationError(
            f"unknown section {', '.join(unknown)}{hint}, expected one of {known}"
        )
    sections = {name: _section(document, name) for name in SECTIONS}
    checked = {
        section: {
            name: lookup.settings(room, name, values) for name, values in sections[section].items()
        }
        for section, room in ROOMS.items()
    }
    written = {
        section: {name: values or {} for name, values in entries.items()}
        for section, entries in sections.items()
    }
    inputs = {name: _inputs(name, entry, checked) for name, entry in sections["inputs"].items()}
    written["report"] = document.get("report") or {}  # has no entries: see commands.build
    params = Params(**checked, inputs=inputs, document=written)
    for name, corpus in params.corpora.items():
        if corpus.transcription is not None:
            where = f"corpora.{name}.transcription"
            _check_reference(where, corpus.transcription, params.transcription)
    for name in params.experiments:
        _check_experiment(name, params)
    return params


def entry(params: Params, section: str, name: str) -> Any:
    """The checked entry `name` of a section; ConfigurationError for an unknown one."""
    known = getattr(params, section)
    _check_reference(section, name, known)
    return known[name]


def describe(params: Params, name: str) -> dict[str, Any]:
    """What turns a new recording into an experiment's inputs, for its checkpoints."""
    chosen = entry(params, "experiments", name)
    described = {
        "name": name,
        "experiment": asdict(chosen),
        "recipe": asdict(chosen.recipe),
        "tokens": dict(params.corpora[chosen.corpus].tokens),
        "select": chosen.selected_by,
        "measure": chosen.system.select,
    }
    if joins := params.corpora[chosen.corpus].joins:
        described["joins"] = joins
    for section in ("acoustic", "alignment", "text"):
        if (chosen_name := getattr(chosen, section)) is not None:
            own = {"config": params.document[section][chosen_name]}
            if section == "alignment":
                own = asdict(params.alignment[chosen_name])
            described[section] = {"name": chosen_name, **own}
    return described


def used_corpora(params: Params) -> list[str]:
    """The corpora that an experiment or `inputs` names, and those they join, sorted."""
    named = {experiment.corpus for experiment in params.experiments.values()}
    named |= set(params.inputs)
    return sorted(named.union(*(params.corpora[name].joins for name in named)))


def inputs_of(system: Any) -> dict[str, bool]:
    """Which sections of params.yaml a system needs an entry of."""
    return {
        "acoustic": bool(system.needs & {"audio", "alignment"}),
        "text": bool(system.needs & {"text", "alignment"}),
        "alignment": "alignment" in system.needs,
    }


def needed(params: Params) -> dict[str, dict[str, dict[str, str]]]:
    """What is built of which corpus, by section and `CORPUS-NAME`: the inputs of every
    experiment and those listed under `inputs`.
    """
    found: dict[str, dict[str, dict[str, str]]] = {section: {} for section in ITEM_SECTIONS}
    wanted = [
        (item.corpus, section, getattr(item, "split" if section == "splits" else section))
        for item in params.experiments.values()
        for section in ITEM_SECTIONS
    ]
    wanted += [
        (corpus, section, name)
        for corpus, listed in params.inputs.items()
        for section, names in listed.items()
        for name in names
    ]
    for corpus, section, name in wanted:
        if name is not None:
            found[section][f"{corpus}-{name}"] = {"corpus": corpus, "name": name}
    return {section: dict(sorted(items.items())) for section, items in found.items()}


def _section(document: Mapping[str, Any], section: str) -> dict[str, Any]:
    entries = document.get(section) or {}
    if not isinstance(entries, dict):
        raise ConfigurationError(
            f"{section}: {lookup.shown(entries)}, expected `name: settings` lines"
        )
    for name, values in entries.items():
        if not isinstance(name, str):
            raise ConfigurationError(f"{section}: {lookup.shown(name)} is no name, expected a word")
        check_name(name, section)
        if values is not None and not isinstance(values, dict):
            raise ConfigurationError(
                f"{section}.{name}: {lookup.shown(values)} is not a section, "
                "expected `key: value` lines"
            )
    return entries


def _inputs(
    corpus: str, listed: Mapping[str, Any] | None, checked: Mapping[str, dict[str, Any]]
) -> dict[str, list[str]]:
    where = f"inputs.{corpus}"
    if corpus not in checked["corpora"]:
        raise ConfigurationError(
            f"{where}: unknown corpus, expected one of {sorted(checked['corpora'])}"
        )
    listed = listed or {}
    unknown = sorted(map(str, set(listed) - set(ITEM_SECTIONS)))
    if unknown:
        raise ConfigurationError(
            f"{where}: unknown key {', '.join(unknown)}, expected one of {list(ITEM_SECTIONS)}"
        )
    for section, names in listed.items():
        known = sorted(checked[section])
        wrong = [name for name in names if name not in known] if isinstance(names, list) else names
        if wrong:
            raise ConfigurationError(f"{where}.{section}: {wrong}, expected a list out of {known}")
    return {section: list(names) for section, names in listed.items()}


def _check_experiment(name: str, params: Params) -> None:
    where, experiment = f"experiments.{name}", params.experiments[name]
    system = experiment.system
    _check_reference(f"{where}.corpus", experiment.corpus, params.corpora)
    _check_reference(f"{where}.split", experiment.split, params.splits)
    for section, needed_here in inputs_of(system).items():
        given = getattr(experiment, section)
        if needed_here and given is None:
            known = sorted(getattr(params, section))
            raise ConfigurationError(
                f"{where}.{section}: {experiment.network} needs it, expected one of {known}"
            )
        if given is not None and not needed_here:
            raise ConfigurationError(
                f"{where}.{section}: {experiment.network} does not read it, remove the line "
                f"(in an experiment run: -S '~{where}.{section}')"
            )
        if given is not None:
            _check_reference(f"{where}.{section}", given, getattr(params, section))
    lookup.room("training").check_suits(where, experiment, params)
    if experiment.select and getattr(params.splits[experiment.split], "validation_share", 1) == 0:
        raise ConfigurationError(
            f"{where}.select: it chooses an epoch on validation, and {experiment.split!r} has "
            "`validation_share: 0`: remove the line, the last epoch is the result"
        )


def _check_reference(where: str, name: str, known: Mapping[str, Any]) -> None:
    if name not in known:
        raise ConfigurationError(
            f"unknown name {name!r} in {where}, expected one of {sorted(known)}"
        )
