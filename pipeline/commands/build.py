"""What DVC builds and what each item depends on, from params.yaml and the imports.

Each item of a stage names the data it reads and the modules it can reach: its own
component and the machinery that this imports. So a component that is added or changed
reruns its own items alone.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline import folders, lookup
from pipeline.lookup import ConfigurationError
from pipeline.params import Params, entry, needed, used_corpora

DATA = Path("data")
# The remote of DVC for what a licence keeps from others. DVC sends an output that names
# a remote to no other one, and stops where that one is not set up.
PRIVATE = "private"
# The corpora that the project synthesises; words of the first one get vectors.
DEMO = ("demo", "demo_zh")
# An item that reads a file beside the corpus names it by one of these settings.
FILE_SETTINGS = ("path", "fold_file")
# Rooms that a stage names as a whole: any change there concerns all of its work.
WHOLE_ROOMS = ("demo", "evaluation", "report", "shards", "splits", "training")
# The report draws what training left in models/ and the stages in data/. A change of
# the code behind them reaches it through their outputs.
SEEN_THROUGH_OUTPUTS = {
    "report": (
        "acoustic",
        "alignment",
        "blocks",
        "corpora",
        "networks",
        "splits",
        "text",
        "training",
    )
}


def items(params: Params) -> dict[str, dict[str, dict[str, Any]]]:
    """The items of each stage by name, each with the files that it depends on."""
    made: dict[str, dict[str, dict[str, Any]]] = {}
    wanted, corpora = needed(params), used_corpora(params)
    for name in corpora:
        entry(params, "corpora", name)
    # The demo is made where something reads it, so other projects build all they have.
    made["synthesise"] = {name: {"remote": ""} for name in corpora if name in DEMO}
    made["demo_vectors"] = {name: {"remote": ""} for name in corpora if name == DEMO[0]}
    made["transcribe"] = {
        name: {
            "name": str(params.corpora[name].transcription),
            "deps": [
                *params.corpora[name].places.values(),
                *_modules("transcribe", _component("corpora", name), *_recognisers(params, name)),
            ],
            "remote": remote(params, name),
        }
        for name in corpora
        if params.corpora[name].transcription is not None
    }
    made["prepare"] = {
        name: {
            "deps": [
                *params.corpora[name].places.values(),
                *_transcripts(params, name),
                *_modules("prepare", _component("corpora", name)),
            ],
            "remote": remote(params, name),
        }
        for name in corpora
    }
    for stage, section in (
        ("acoustic", "acoustic"),
        ("align", "alignment"),
        ("text", "text"),
        ("split", "splits"),
    ):
        made[stage] = {
            key: {
                **item,
                "deps": _item_deps(stage, section, item, params),
                "remote": remote(params, item["corpus"]),
            }
            for key, item in wanted[section].items()
        }
    experiments = sorted(params.experiments.items())
    made["train"] = {
        name: {"deps": reads(params, name), "remote": remote(params, item.corpus)}
        for name, item in experiments
    }
    made["evaluate"] = {
        name: {
            "corpus": item.corpus,
            "split": item.split,
            "remote": remote(params, item.corpus),
        }
        for name, item in experiments
    }
    made["report"] = {
        "page": {"remote": remote(params, *corpora), "audible": f"--audible={audible(params)}"}
    }
    return made


@lookup.checked
class Report:
    """Section `report` of params.yaml. `audio`: recordings lie in the report whatever
    the licence of their corpus says of passing them on.
    """

    audio: bool = False


def audible(params: Params) -> str:
    """The corpora whose recordings lie in the report, separated by commas."""
    settings: Report = lookup.configure(Report, params.document["report"], "report")
    corpora = used_corpora(params)
    return ",".join(item for item in corpora if settings.audio or not remote(params, item))


def remote(params: Params, *names: str) -> str:
    """The one remote of DVC that may hold what is made of these corpora; empty where
    any may.
    """
    for name in names:
        allowed = params.corpora[name].redistribution
        if allowed is None:
            allowed = lookup.component("corpora", name).LICENCE.redistribution
        if not allowed:
            return PRIVATE
    return ""


def reads(params: Params, name: str) -> list[str]:
    """The data and the modules that training an experiment depends on."""
    experiment = params.experiments[name]
    corpus, found = experiment.corpus, []
    if experiment.acoustic is not None:
        found.append(folders.acoustic(DATA, corpus, experiment.acoustic))
    if experiment.alignment is not None:
        found.append(folders.spans(DATA, corpus, experiment.alignment) / folders.SPANS)
    if experiment.text is not None:
        found.append(folders.text(DATA, corpus, experiment.text))
    found.append(folders.split(DATA, corpus, experiment.split) / folders.FOLDS)
    modules = [experiment.system.__module__]
    if experiment.text is not None:
        module = lookup.component("text", experiment.text)
        if module.kind(params.text[experiment.text]) == "fitted":
            # The fold fits its own vectors, so the embedding is part of training.
            modules.append(module.__name__)
    return [path.as_posix() for path in found] + _modules("train", *modules)


def check_current(build_file: Path, params: Params) -> None:
    """Raises ConfigurationError where build.yaml lacks what params.yaml asks for."""
    listed = _listed(build_file)
    _check_audible(build_file, params, listed)
    for stage, entries in items(params).items():
        for name, item in entries.items():
            if name not in listed.get(stage, {}):
                raise ConfigurationError(
                    f"{build_file} has no {stage}@{name}: run `serflow sync`, then `dvc repro`"
                )
            _check_deps(build_file, stage, name, item.get("deps", []), listed[stage][name])
            if listed[stage][name].get("remote") != item["remote"]:
                raise ConfigurationError(
                    f"{build_file}: {stage}@{name} may be sent elsewhere than params.yaml says: "
                    "run `serflow sync`, then `dvc repro`"
                )


def _check_audible(build_file: Path, params: Params, listed: Mapping[str, Any]) -> None:
    """Raises ConfigurationError where the report holds recordings that params.yaml
    keeps out of it, or the other way round.
    """
    stated = str(listed.get("report", {}).get("page", {}).get("audible", ""))
    held = set(stated.removeprefix("--audible=").split(","))
    allowed = set(audible(params).split(","))
    differ = [item for item in used_corpora(params) if (item in held) != (item in allowed)]
    if differ:
        raise ConfigurationError(
            f"{build_file}: whether the report holds recordings of {differ[0]} is not what "
            "params.yaml says: run `serflow sync`, then `dvc repro`"
        )


def source_deps(stage: str) -> list[str]:
    """The source files and whole rooms that a stage's module reaches by its imports."""
    found = set()
    for path in _relative(lookup.reachable(f"stages.{stage}")):
        room = path.split("/")[1] if path.count("/") > 1 else ""
        if room in SEEN_THROUGH_OUTPUTS.get(stage, ()):
            continue
        found.add(f"pipeline/{room}" if room in WHOLE_ROOMS else path)
    return sorted(found)


def _item_deps(stage: str, section: str, item: Mapping[str, str], params: Params) -> list[str]:
    settings = getattr(params, section)[item["name"]]
    deps = [(folders.utterances(DATA, item["corpus"]) / folders.UTTERANCES).as_posix()]
    deps += [str(file) for name in FILE_SETTINGS if (file := getattr(settings, name, None))]
    if section == "alignment":
        # Where a corpus states word times, every chain is measured against them.
        components = [_component(section, name) for name in (*settings.chain, "given")]
    else:
        components = [_component(section, item["name"])]
    return deps + _modules(stage, *components)


def _recognisers(params: Params, corpus: str) -> list[str]:
    """The modules that write down what is said in a corpus."""
    chain = params.transcription[params.corpora[corpus].transcription].chain
    return [_component("transcription", name) for name in chain]


def _transcripts(params: Params, corpus: str) -> list[str]:
    """What prepare reads where recognisers wrote words down: the file, and the modules
    that read it.
    """
    if params.corpora[corpus].transcription is None:
        return []
    path = folders.transcripts(DATA, corpus) / folders.TRANSCRIPTS
    return [path.as_posix(), *_modules("prepare", "pipeline.transcription._corpus")]


def _component(kind: str, name: str) -> str:
    return lookup.component(kind, name).__name__


def _modules(stage: str, *modules: str) -> list[str]:
    """Files that the modules reach beyond what the stage itself does."""
    reached = set().union(*(_relative(lookup.reachable(module)) for module in modules))
    own = source_deps(stage)
    return sorted(path for path in reached if not any(_holds(dep, path) for dep in own))


def _holds(dep: str, path: str) -> bool:
    return path == dep or path.startswith(f"{dep}/")


def _relative(paths: Iterable[Path]) -> set[str]:
    return {path.relative_to(lookup.ROOT.parent).as_posix() for path in paths}


def _listed(build_file: Path) -> dict[str, Any]:
    if not build_file.is_file():
        raise ConfigurationError(f"{build_file} is missing: run `serflow sync`")
    listed: dict[str, Any] = (yaml.safe_load(build_file.read_text(encoding="utf-8")) or {})["build"]
    return listed


def _check_deps(
    build_file: Path, stage: str, name: str, deps: list[str], listed: Mapping[str, Any]
) -> None:
    missing = [dep for dep in deps if dep not in listed.get("deps", ())]
    if missing:
        raise ConfigurationError(
            f"{stage}@{name} reads {missing[0]}, which {build_file} does not list: set what it "
            "shall read in params.yaml, run `serflow sync`, then `dvc repro`"
        )
