"""Recipes that somebody wrote, taken by `serflow use`; params.yaml stays as it is."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.resources.bad_input import Case, Did
from tests.resources.params_document import DOCUMENT

TEXT = {"text": {"one_hot": {}}}


def written(content: str | bytes, name: str = "mine") -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        data = content if isinstance(content, bytes) else content.encode()
        (folder / "recipes" / "mine.yaml").write_bytes(data)
        return name

    return make


def recipe(**sections: Any) -> Callable[[Path], str]:
    return written(yaml.safe_dump(sections))


def experiment(**changes: Any) -> Callable[[Path], str]:
    return recipe(experiments={"second": {**DOCUMENT["experiments"]["first"], **changes}})


CASES = [
    Case("a recipe that is right", experiment(), "used"),
    Case("an unknown name", written("", "yours"), "unknown recipe 'yours'"),
    Case("a path that leaves the folder", written("", "../secret"), "unknown recipe '../secret'"),
    Case("a path from the root", written("", "/etc/passwd"), "unknown recipe '/etc/passwd'"),
    Case("an empty recipe", written(""), "recipe mine: no section, expected some of"),
    Case("a word", written("fbank"), "holds str, expected sections"),
    Case("a list", written("[1]"), "holds list, expected sections"),
    Case("no YAML", written("corpora: {"), "is not YAML"),
    Case("Latin-1", written("# café".encode("latin-1")), "is not in UTF-8"),
    Case("a key twice", written("text: {}\ntext: {}\n"), "key 'text' stands twice"),
    Case("a Python object", written("text: !!python/object:os.system {}"), "is not YAML"),
    Case("an alias inside itself", written("text: &a {one_hot: *a}"), "an alias inside of"),
    Case("an unknown section", recipe(experiment={}), "recipe mine: experiment, expected some of"),
    Case(
        "a section that is a list", recipe(text=["one_hot"]), "text.: ['one_hot'], expected `name"
    ),
    Case("a section that is null", recipe(text=None), "text.: None, expected `name"),
    Case("settings that are null", recipe(text={"one_hot": None}), "text.one_hot: None, expected"),
    Case(
        "settings that are a word", recipe(text={"one_hot": "all"}), "text.one_hot: 'all', expected"
    ),
    Case("a name that is a number", recipe(text={5: {}}), "5 is no name"),
    Case("a name that is no word", recipe(text={"one_hot-a;b": {}}), "is no name"),
    Case("a corpus without root", recipe(corpora={"ravdess": {}}), "corpora.ravdess: root"),
    Case(
        "another setting under a name",
        recipe(acoustic={"fbank": {}}),
        "already has another acoustic.fbank",
    ),
    Case(
        "inputs that are a word",
        recipe(inputs={"manifest": {"acoustic": "fbank"}}),
        "inputs.manifest.acoustic: expected a list",
    ),
    Case(
        "inputs of an unknown corpus",
        recipe(inputs={"demo": {"acoustic": ["fbank"]}}),
        "inputs.demo: unknown corpus",
    ),
    Case("an experiment without network", recipe(experiments={"second": {}}), "network is missing"),
    Case("an unknown split", experiment(split="nothing"), "unknown name 'nothing'"),
    Case(
        "an unknown hyperparameter",
        experiment(hyperparameters={"hidden": 8}),
        "FG_CME has no hidden",
    ),
    Case(
        "a system that cannot be built",
        experiment(hyperparameters={"dropout": 2}),
        "cannot be built with",
    ),
    Case("a table of no experiment", recipe(**TEXT), "used"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_recipe(case: Case, user: Did, settle: Callable[[Case, str], None]) -> None:
    (user.folder / "recipes").mkdir()
    (user.folder / "secret.yaml").write_text("text: {}")
    params = user.folder / "params.yaml"
    params.write_text(yaml.safe_dump(copy.deepcopy(DOCUMENT)))
    before = params.read_bytes()
    line = user.serflow("use", case.make(user.folder))
    assert (params.read_bytes() == before) == (line is not None)
    added = sorted(yaml.safe_load(params.read_text())["experiments"])
    settle(case, line or f"used: {', '.join(added)}")


def test_a_table_of_a_recipe_without_an_experiment_is_one_line(user: Did) -> None:
    (user.folder / "recipes").mkdir()
    (user.folder / "params.yaml").write_text(yaml.safe_dump(copy.deepcopy(DOCUMENT)))
    recipe(**TEXT)(user.folder)
    (user.folder / "recipes" / "mine.yaml").rename(user.folder / "recipes" / "fg_cme-mine.yaml")
    line = user.serflow("table", "fg_cme", "--corpus", "mine")
    assert line == "the recipe has experiments [], expected one to vary"
