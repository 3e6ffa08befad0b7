"""What DVC watches: an edit of a module reruns what the design says, and no more."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import lookup
from pipeline import params as parameters
from pipeline.commands import build, sync
from pipeline.lookup import ConfigurationError

ROOT = Path(__file__).parents[3]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
BUILD = yaml.safe_load((ROOT / "build.yaml").read_text(encoding="utf-8"))["build"]
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("pipeline", "stages")
    for path in (ROOT / folder).rglob("*.py")
)

# What a change in a room may rerun. `check` reads params.yaml, in a second.
RERUNS = {
    "corpora": {"prepare"},
    "transcription": {"transcribe"},
    "acoustic": {"acoustic"},
    "alignment": {"align"},
    # Folds fit their own word vectors; the demo's vectors are made by an encoder.
    "text": {"text", "train", "demo_vectors"},
    "shards": {"acoustic", "text", "train", "report"},
    "splits": {"split"},
    "networks": {"train"},
    "blocks": {"train"},
    "training": {"train"},
    # The report compares experiments by the same bootstrap.
    "evaluation": {"evaluate", "report"},
    "executor": {"transcribe", "prepare", "acoustic", "align", "text", "train", "report"},
    "report": {"report"},
    "commands": {"check"},
    "demo": {"synthesise", "demo_vectors"},
}


@cache
def dependants() -> dict[str, set[str]]:
    """Stages, or items as `train@name`, by the file or folder they depend on."""
    found: dict[str, set[str]] = {}
    for name, stage in STAGES.items():
        for dep in stage.get("do", stage)["deps"]:
            if not dep.startswith("${item.deps["):
                found.setdefault(dep, set()).add(name)
        for key, item in BUILD.get(name, {}).items():
            for dep in item.get("deps", ()):
                found.setdefault(dep, set()).add(f"{name}@{key}")
    return found


def rerun_by(path: str) -> set[str]:
    """What an edit of a file reruns, items as `train@name`."""
    places = [path, *(parent.as_posix() for parent in Path(path).parents)]
    return set().union(*(dependants().get(place, set()) for place in places))


@pytest.mark.parametrize("path", MODULES)
def test_an_edit_reruns_what_the_design_says(path: str) -> None:
    stages = {name.split("@")[0] for name in rerun_by(path)}
    parts = Path(path).parts
    if parts[0] == "stages":
        own = {"entry": {*STAGES} - {"synthesise"}, "__init__": set()}
        assert stages == own.get(Path(path).stem, {Path(path).stem})
    elif path == "pipeline/commands/ending.py":
        assert stages == {*STAGES}, "how a stage ends is part of every stage"
    elif len(parts) > 2:
        assert stages <= RERUNS[parts[1]]


@pytest.mark.parametrize("kind", ["corpora", "acoustic", "alignment", "text", "networks"])
def test_an_edit_of_a_component_reruns_the_items_that_reach_it_alone(kind: str) -> None:
    for name in lookup.names(kind):
        path = f"pipeline/{kind}/{name}.py"
        items = {item for item in rerun_by(path) if "@" in item}
        assert items == {item for item, used in components() if ROOT / path in reached(used)}


@cache
def components() -> frozenset[tuple[str, tuple[str, ...]]]:
    """Every item of the build with the modules that its params name."""
    params = parameters.load(ROOT / "params.yaml")
    found = [(f"prepare@{name}", [("corpora", name)]) for name in parameters.used_corpora(params)]
    for section, items in parameters.needed(params).items():
        stage = {"alignment": "align", "splits": "split"}.get(section, section)
        for key, item in items.items():
            used = [(section, item["name"])]
            if section == "alignment":
                used = [
                    (section, name) for name in (*params.alignment[item["name"]].chain, "given")
                ]
            found.append((f"{stage}@{key}", [] if section == "splits" else used))
    for name, experiment in params.experiments.items():
        module = experiment.system.__module__.rpartition(".")[2]
        used = [("networks", module)]
        if experiment.text is not None and experiment.text.startswith(("word2vec", "one_hot")):
            used.append(("text", experiment.text))
        found.append((f"train@{name}", used))
    return frozenset(
        (item, tuple(lookup.component(*each).__name__ for each in used)) for item, used in found
    )


def reached(modules: tuple[str, ...]) -> set[Path]:
    """Files that any of the modules reaches."""
    return set().union(*(lookup.reachable(module) for module in modules))


@pytest.mark.parametrize("path", MODULES)
def test_every_module_that_a_stage_runs_is_watched(path: str) -> None:
    """Nothing that a stage imports is missing from its deps."""
    for name, stage in STAGES.items():
        command = stage.get("do", stage)["cmd"].split("python -m stages.")[1].split()[0]
        if ROOT / path not in lookup.reachable(f"stages.{command}"):
            continue
        room = Path(path).parts[1] if len(Path(path).parts) > 2 else ""
        if room not in build.SEEN_THROUGH_OUTPUTS.get(name, ()):
            assert name in rerun_by(path), f"stage {name} does not watch {path}"


def test_a_new_component_reruns_nothing() -> None:
    for kind in ("corpora", "acoustic", "alignment", "text", "networks", "blocks"):
        assert rerun_by(f"pipeline/{kind}/new.py") == set()


def test_every_stage_command_stands_in_the_graph() -> None:
    commands = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__", "entry"}
    assert set(STAGES) == commands


def test_the_firewall_in_the_graph() -> None:
    """Changed test labels rebuild the evaluation alone."""
    assert {name.split("@")[0] for name in dependants() if "labels" in name} <= {
        "data/splits/${item.corpus}/${item.split}/labels.parquet"
    }
    read = [dep for item in BUILD["train"].values() for dep in item["deps"] if "splits/" in dep]
    assert {Path(dep).name for dep in read} == {"folds.parquet"}
    # These hold every label of the corpus.
    assert not [
        dep for item in BUILD["train"].values() for dep in item["deps"] if "utterances" in dep
    ]
    readers = [
        path for path in (ROOT / "stages").glob("*.py") if "LABELS" in path.read_text("utf-8")
    ]
    assert {path.stem for path in readers} == {"split", "evaluate"}


DOCUMENT: dict[str, Any] = {
    "corpora": {"manifest": {"root": "data/raw/mine"}, "ravdess": {"root": "data/raw/other"}},
    "acoustic": {"fbank": {}, "mfcc": {}},
    "text": {"one_hot": {}, "glove": {"path": "data/vectors.txt"}},
    "splits": {
        "random": {"labels": {"angry": "angry", "sad": "sad"}},
        "fold_file": {"labels": {"angry": "angry", "sad": "sad"}, "fold_file": "folds.csv"},
    },
    "experiments": {
        "voice": {
            "corpus": "manifest",
            "network": "LSTM_Attn_a",
            "acoustic": "fbank",
            "split": "random",
        },
        "words": {
            "corpus": "manifest",
            "network": "LSTM_Attn_s",
            "text": "glove",
            "split": "fold_file",
        },
    },
}


def test_an_experiment_depends_on_what_it_reads_and_on_nothing_else() -> None:
    made = build.items(parameters.check(DOCUMENT))
    assert list(made["prepare"]) == ["manifest"], "a corpus that nobody uses is not prepared"
    assert made["align"] == {} and list(made["acoustic"]) == ["manifest-fbank"]
    voice, words = made["train"]["voice"]["deps"], made["train"]["words"]["deps"]
    assert voice[:2] == [
        "data/acoustic/manifest/fbank",
        "data/splits/manifest/random/folds.parquet",
    ]
    assert words[0] == "data/text/manifest/glove"
    assert "pipeline/networks/fg_cme.py" in voice and not any("text" in dep for dep in voice)


def test_an_item_names_the_file_that_it_reads() -> None:
    made = build.items(parameters.check(DOCUMENT))
    assert "data/vectors.txt" in made["text"]["manifest-glove"]["deps"]
    assert "folds.csv" in made["split"]["manifest-fold_file"]["deps"]
    assert made["prepare"]["manifest"]["deps"][0] == "data/raw/mine"


def test_a_fold_that_fits_its_own_vectors_depends_on_their_code() -> None:
    document = {**DOCUMENT, "experiments": {"words": {**DOCUMENT["experiments"]["words"]}}}
    document["experiments"]["words"]["text"] = "one_hot"
    deps = build.items(parameters.check(document))["train"]["words"]["deps"]
    assert "pipeline/text/one_hot.py" in deps


def test_lists_older_than_params_stop_the_build(tmp_path: Path) -> None:
    path = tmp_path / "build.yaml"
    params = parameters.check(DOCUMENT)
    with pytest.raises(ConfigurationError, match="is missing: run `serflow sync`"):
        build.check_current(path, params)
    path.write_text(sync.render(build.items(params)))
    build.check_current(path, params)
    # Fewer inputs than listed are watched all the same; other ones are not.
    fewer = {**DOCUMENT, "experiments": {"voice": DOCUMENT["experiments"]["voice"]}}
    build.check_current(path, parameters.check(fewer))
    other = {**DOCUMENT["experiments"]["voice"], "acoustic": "mfcc"}
    for experiments, expected in (
        ({"voice": other}, "has no acoustic@manifest-mfcc: run `serflow sync`"),
        ({"third": DOCUMENT["experiments"]["voice"]}, "has no train@third: run `serflow sync`"),
        ({"voice": {**other, "acoustic": "fbank", "split": "fold_file"}}, "reads data/splits/"),
    ):
        with pytest.raises(ConfigurationError, match=expected):
            build.check_current(path, parameters.check({**DOCUMENT, "experiments": experiments}))


def licensed(**corpus: Any) -> dict[str, dict[str, dict[str, Any]]]:
    """What is built of two corpora, of which everybody may have one."""
    document = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    document["corpora"]["manifest"] = {"root": "data/raw/mine", **corpus}
    document["experiments"]["mine"] = document["experiments"]["fg_cme-demo"] | {
        "corpus": "manifest"
    }
    return build.items(parameters.check(document))


def test_what_a_licence_restricts_names_the_private_remote() -> None:
    items = licensed()
    for stage, entries in items.items():
        for name, item in entries.items():
            restricted = name in ("mine", "manifest", "page") or item.get("corpus") == "manifest"
            assert item["remote"] == ("private" if restricted else ""), (stage, name)
    allowed = licensed(redistribution=True)
    assert {item["remote"] for entries in allowed.values() for item in entries.values()} == {""}


def test_every_output_that_dvc_keeps_follows_its_corpus() -> None:
    """What `dvc push` sends is declared with the remote of its item."""
    for name in licensed().keys() - {"synthesise", "demo_vectors"}:
        stage = STAGES[name].get("do", STAGES[name])
        wanted = "${item.remote}" if "do" in STAGES[name] else "${build.report.page.remote}"
        declared = [*stage["outs"], *stage.get("metrics", []), *stage.get("plots", [])]
        for output in declared:
            ((path, settings),) = output.items()
            assert settings.get("cache") is False or settings.get("remote") == wanted, path


def test_a_restriction_that_build_yaml_does_not_know_stops_the_build(tmp_path: Path) -> None:
    params = parameters.load(ROOT / "params.yaml")
    document = yaml.safe_load((ROOT / "build.yaml").read_text(encoding="utf-8"))
    document["build"]["train"]["fg_cme-demo"]["remote"] = "private"
    (tmp_path / "build.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigurationError, match="train@fg_cme-demo may be sent elsewhere"):
        build.check_current(tmp_path / "build.yaml", params)


def test_recordings_of_restricted_corpora_stay_out_of_the_report(tmp_path: Path) -> None:
    def audible(document: dict[str, Any]) -> str:
        return str(build.items(parameters.check(document))["report"]["page"]["audible"])

    document = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    assert audible(document) == "--audible=demo,demo_zh"
    document["corpora"]["manifest"] = {"root": "data/raw/mine"}
    document["inputs"] = {"manifest": {}}
    assert audible(document) == "--audible=demo,demo_zh"
    (tmp_path / "build.yaml").write_text(sync.render(build.items(parameters.check(document))))
    document["report"] = {"audio": True}
    assert audible(document) == "--audible=demo,demo_zh,manifest"
    with pytest.raises(ConfigurationError, match="recordings of manifest is not what params"):
        build.check_current(tmp_path / "build.yaml", parameters.check(document))
    document["report"] = {"audio": False}
    build.check_current(tmp_path / "build.yaml", parameters.check(document))


def test_the_demo_is_made_where_something_reads_it() -> None:
    document = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    assert [*build.items(parameters.check(document))["synthesise"]] == ["demo", "demo_zh"]
    document["experiments"] = {"fg_cme-demo": document["experiments"]["fg_cme-demo"]}
    items = build.items(parameters.check(document))
    assert ([*items["synthesise"]], [*items["demo_vectors"]]) == (["demo"], ["demo"])
    mine = {"corpora": {"manifest": {"root": "data/raw/mine"}}, "inputs": {"manifest": {}}}
    items = build.items(parameters.check(mine))
    assert items["synthesise"] == items["demo_vectors"] == {}


def test_the_report_can_be_made_where_nothing_was_aligned_or_trained() -> None:
    """DVC refuses a stage whose folders are missing; git has them, empty."""
    folders = [dep for dep in STAGES["report"]["deps"] if dep.startswith(("data", "models"))]
    assert folders and all((ROOT / folder / ".gitkeep").is_file() for folder in folders)
