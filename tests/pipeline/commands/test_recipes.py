import shutil
from pathlib import Path

import pytest
import yaml
from dvc.utils.serialize import modify_yaml

from pipeline import params as parameters
from pipeline.commands import recipes
from pipeline.lookup import ConfigurationError

ROOT = Path(__file__).parents[3]
NAMES = recipes.names(ROOT / "recipes")


@pytest.fixture
def params_file(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml"))


def comments(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text().splitlines() if line.strip().startswith("#")]


def test_there_are_recipes() -> None:
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_joins_the_committed_params(params_file: Path, name: str) -> None:
    kept = comments(params_file)
    before = parameters.load(params_file)
    sections = recipes.read(name, ROOT / "recipes")
    added = recipes.use(params_file, sections, root="/somewhere/else")
    after = parameters.load(params_file)
    assert set(added) <= set(after.experiments) and (added or sections["inputs"])
    assert before.experiments.items() <= after.experiments.items()
    assert [line for line in comments(params_file) if line in kept] == kept
    for corpus in sections["corpora"]:
        assert after.corpora[corpus].root == "/somewhere/else"
    again = params_file.read_text()
    recipes.use(params_file, recipes.read(name, ROOT / "recipes"), root="/somewhere/else")
    assert params_file.read_text() == again


SMALL = """# The first line.
corpora:
  # Our own recordings.
  manifest: {root: data/raw/mine}  # not on this machine
acoustic:
  fbank: {num_mel_bins: 23}
text:
experiments: {}
"""
RECIPE = {
    "corpora": {"manifest": {"root": "data/raw/manifest"}},
    "acoustic": {"fbank": {"num_mel_bins": 23}},
    "alignment": {"uniform": {"chain": {"uniform": {}}}},
    "text": {"one_hot": {}},
    "splits": {"random": {"labels": {"angry": "angry", "sad": "sad"}}},
    "experiments": {
        "mine": {
            "corpus": "manifest",
            "network": "FG_CME",
            "acoustic": "fbank",
            "alignment": "uniform",
            "text": "one_hot",
            "split": "random",
            "hyperparameters": {"hidden_size": 8},
        }
    },
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(SMALL)
    return path


def test_a_recipe_keeps_comments_roots_and_empty_sections(small: Path) -> None:
    assert recipes.use(small, RECIPE) == ["mine"]
    text = small.read_text()
    for comment in ("# The first line.", "# Our own recordings.", "# not on this machine"):
        assert comment in text
    params = parameters.load(small)
    assert params.corpora["manifest"].root == "data/raw/mine"
    listed = yaml.safe_load((small.parent / "build.yaml").read_text())["build"]
    assert list(listed["split"]) == ["manifest-random"] and list(listed["train"]) == ["mine"]


def test_a_root_given_wins(small: Path) -> None:
    recipes.use(small, RECIPE, root="/corpora/mine")
    assert parameters.load(small).corpora["manifest"].root == "/corpora/mine"
    assert "# not on this machine" in small.read_text()


@pytest.mark.parametrize(
    ("existing", "where"),
    [
        (SMALL.replace("num_mel_bins: 23", "num_mel_bins: 40"), "acoustic.fbank"),
        (
            SMALL.replace("root: data/raw/mine", "root: data/raw/mine, reader: {language: de}"),
            "corpora.manifest",
        ),
    ],
)
def test_other_settings_under_the_name_are_left_to_the_user(
    small: Path, existing: str, where: str
) -> None:
    small.write_text(existing)
    with pytest.raises(
        ConfigurationError, match=f"already has another {where}: rename that one or take it away"
    ):
        recipes.use(small, RECIPE)
    assert small.read_text() == existing


def test_a_recipe_that_would_be_wrong_leaves_the_file_alone(small: Path) -> None:
    wrong = {
        **RECIPE,
        "experiments": {"mine": {**RECIPE["experiments"]["mine"], "network": "FGCME"}},
    }
    with pytest.raises(ConfigurationError, match="unknown network 'FGCME'"):
        recipes.use(small, wrong)
    assert small.read_text() == SMALL
    assert [path.name for path in small.parent.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: [1\nb: 2", "is not YAML"),
        ("- a\n", "holds list, expected sections"),
        ("acoustic: 3\n", "acoustic: 3, expected `name: settings` lines"),
    ],
)
def test_files_that_are_none(small: Path, content: str, expected: str) -> None:
    small.write_text(content)
    with pytest.raises(ConfigurationError) as raised:
        recipes.use(small, RECIPE)
    assert expected in str(raised.value) and "\n" not in str(raised.value)
    assert small.read_text() == content


def test_a_recipe_starts_an_empty_file(small: Path) -> None:
    small.write_text("")
    recipes.use(small, RECIPE)
    assert list(parameters.load(small).experiments) == ["mine"]


def test_a_recipe_may_list_inputs_without_an_experiment(small: Path) -> None:
    sections = {
        "acoustic": {"fbank": {"num_mel_bins": 23}, "mfcc": {}},
        "inputs": {"manifest": {"acoustic": ["fbank"]}},
    }
    assert recipes.use(small, sections) == []
    before = small.read_text()
    assert parameters.load(small).inputs == {"manifest": {"acoustic": ["fbank"]}}
    assert recipes.use(small, sections) == [] and small.read_text() == before
    recipes.use(small, {"inputs": {"manifest": {"acoustic": ["mfcc", "fbank"]}}})
    assert parameters.load(small).inputs == {"manifest": {"acoustic": ["fbank", "mfcc"]}}
    before = small.read_text()
    with pytest.raises(ConfigurationError, match=r"inputs\.manifest: unknown key acoustics"):
        recipes.use(small, {"inputs": {"manifest": {"acoustics": ["fbank"]}}})
    assert small.read_text() == before


@pytest.mark.parametrize("section", ["corpora", "acoustic", "splits", "experiments", "inputs"])
def test_a_recipe_brings_no_name_that_is_none(small: Path, section: str) -> None:
    with pytest.raises(ConfigurationError, match="is no name"):
        recipes.use(small, {section: {"x; touch y; true": {"root": "x"}}})
    assert small.read_text() == SMALL


def test_every_system_of_a_table_gets_the_recipes_hyperparameters() -> None:
    varied = recipes.table_of(RECIPE, ["FG_CME", "LSTM_Attn_a"], [0, 1])
    assert varied["acoustic"] == RECIPE["acoustic"]
    assert list(varied["experiments"]) == ["mine-FG_CME", "mine-LSTM_Attn_a"]
    flagship, baseline = varied["experiments"].values()
    assert flagship["hyperparameters"] == baseline["hyperparameters"] == {"hidden_size": 8}
    assert flagship["seeds"] == [0, 1] and baseline["network"] == "LSTM_Attn_a"
    two = {**RECIPE, "experiments": {"a": {}, "b": {}}}
    with pytest.raises(ConfigurationError, match="expected one to vary"):
        recipes.table_of(two, ["FG_CME"], None)


def test_the_papers_practice_is_the_same_experiment_without_validation() -> None:
    recipe = {**RECIPE, "experiments": {"mine": {**RECIPE["experiments"]["mine"], "select": "wa"}}}
    varied = recipes.table_of(recipe, ["FG_CME"], None, ("honest", "published"))
    honest, published = varied["experiments"].values()
    assert list(varied["experiments"]) == ["mine-FG_CME", "mine-FG_CME-published"]
    name = published["split"]
    assert name == honest["split"] + "-published" and "select" not in published
    assert varied["splits"][name] == {
        **RECIPE["splits"][honest["split"]], "validation_share": 0,
    }  # fmt: skip
    alone = recipes.table_of(recipe, ["FG_CME"], None, ("published",))["experiments"]
    assert list(alone) == ["mine-FG_CME-published"]


def test_a_table_is_written_out_without_aliases(small: Path) -> None:
    experiment = {**RECIPE["experiments"]["mine"], "training": {"epochs": 3}}
    recipe = {**RECIPE, "experiments": {"mine": experiment}}
    both = ("honest", "published")
    recipes.use(small, recipes.table_of(recipe, ["FG_CME", "wo_excite_m"], [0, 1], both))
    text = small.read_text()
    assert text.count("epochs: 3") == 4 and "&id" not in text and "*id" not in text


def test_a_division_with_its_own_validation_is_trained_once() -> None:
    recipe = recipes.read("pba-demo_zh", ROOT / "recipes")
    varied = recipes.table_of(recipe, ["PBA_a"], None, ("honest", "published"))
    assert len(varied["experiments"]) == 1 and varied["splits"] == recipe["splits"]


def test_a_system_of_a_table_is_given_the_inputs_that_it_reads() -> None:
    (words,) = recipes.table_of(RECIPE, ["LSTM_Attn_s"], None)["experiments"].values()
    assert words["text"] == "one_hot" and not {"acoustic", "alignment"} & set(words)


def test_a_hyperparameter_that_a_system_lacks_is_an_error_that_names_it() -> None:
    experiment = {**RECIPE["experiments"]["mine"], "hyperparameters": {"channels": [4, 4]}}
    recipe = {**RECIPE, "experiments": {"mine": experiment}}
    with pytest.raises(ConfigurationError) as raised:
        recipes.table_of(recipe, ["FG_CME", "LSTM_Attn_s"], None)
    expected = "LSTM_Attn_s has no hyperparameter channels: state its own in the recipe"
    assert expected in str(raised.value)
    own = {**recipe, "systems": {"LSTM_Attn_s": {"hyperparameters": {"hidden_size": 4}}}}
    varied = recipes.table_of(own, ["FG_CME", "LSTM_Attn_s"], None)["experiments"]
    assert varied["mine-LSTM_Attn_s"]["hyperparameters"] == {"hidden_size": 4}
    assert varied["mine-FG_CME"]["hyperparameters"] == {"channels": [4, 4]}


def test_systems_of_a_paper_come_in_its_order() -> None:
    assert recipes.systems_of_paper("fg_cme")[0] == "FG_CME"
    with pytest.raises(ConfigurationError, match="'fgcme', expected one of"):
        recipes.systems_of_paper("fgcme")


@pytest.mark.parametrize("name", ["../one", "one/../one", "/etc/passwd"])
def test_a_recipe_is_read_from_its_folder_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "one.yaml").write_text("a: 1\n")
    (tmp_path / "recipes").mkdir()
    with pytest.raises(ConfigurationError, match="unknown recipe"):
        recipes.read(name, tmp_path / "recipes")


def test_an_unknown_recipe_lists_those_at_hand(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("a: 1\n")
    with pytest.raises(
        ConfigurationError, match=r"unknown recipe 'two', expected one of \['one'\]"
    ):
        recipes.read("two", tmp_path)


@pytest.mark.parametrize("name", ["..", "", "-x", "a/b", "x; touch y"])
@pytest.mark.parametrize("section", ["corpora", "acoustic", "splits", "experiments", "inputs"])
def test_a_recipe_with_a_name_that_is_no_word_leaves_the_file_alone(
    small: Path, section: str, name: str
) -> None:
    with pytest.raises(ConfigurationError, match="is no name"):
        recipes.use(small, {section: {name: {}}})
    assert small.read_text() == SMALL


def test_a_root_that_dvc_would_not_expand_leaves_the_file_alone(small: Path) -> None:
    with pytest.raises(ConfigurationError, match="would not be expanded by DVC"):
        recipes.use(small, RECIPE, root="$CORPORA/mine")
    assert small.read_text() == SMALL


def test_all_recipes_live_together_and_dvc_keeps_their_lines(params_file: Path) -> None:
    def set_one() -> None:
        with modify_yaml(params_file) as document:
            document["corpora"]["demo"]["root"] = "data/raw/demo"

    before = params_file.read_text()
    set_one()
    assert params_file.read_text() == before
    for name in NAMES:
        recipes.use(params_file, recipes.read(name, ROOT / "recipes"))
    assert parameters.load(params_file).experiments
    before = params_file.read_text()
    set_one()
    assert params_file.read_text() == before
