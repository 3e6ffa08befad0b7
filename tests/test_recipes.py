"""The recipes of the five papers: every row of every paper has its inputs, and the
settings are the published ones.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline import lookup, splits
from pipeline import params as parameters
from pipeline.commands import recipes
from pipeline.report import stated

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "recipes"
PAPERS = ("cbla", "cma", "fg_cme", "pba", "tsin")
# The networks' recipes, by paper, where papers have several.
TABLES = [
    name
    for name in recipes.names(FOLDER)
    if name.split("-", 1)[0] in PAPERS and not name.endswith("-divisions")
]
INPUTS = ("paper_inputs-demo", "paper_inputs-demo_zh")

FOUR = {"angry": "angry", "happy": "happy", "neutral": "neutral", "sad": "sad"}
MERGED = {
    "angry": "angry",
    "happy": "happy",
    "excited": "happy",
    "neutral": "neutral",
    "sad": "sad",
}
IMPROVISED = {"angry": "anger", "excited": "excited", "neutral": "neutral", "sad": "sad"}
THREE = {"neutral": "neutral", "positive": "positive", "negative": "negative"}


TSIN_TEXTS = {
    "TSIN_glove": "glove",
    "TSIN_googlenews": "word2vec",
    "TSIN_fasttext": "fasttext",
    "TSIN_onehot": "one_hot",
}


@pytest.fixture
def params_file(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml"))


def of_paper(recipe: str) -> list[str]:
    return recipes.systems_of_paper(recipe.split("-", 1)[0])


def component(recipe: str, kind: str, name: str) -> Any:
    return lookup.component_config(kind, name, recipes.read(recipe, FOLDER)[kind][name])


def split_config(recipe: str, name: str) -> Any:
    return splits.settings(name, recipes.read(recipe, FOLDER)["splits"][name])


def test_the_demo_has_a_recipe_for_each_paper_and_protocol() -> None:
    expected = {
        "cbla-demo",
        "cma-demo",
        "fg_cme-demo",
        "pba-demo_zh",
        "tsin-demo",
        "tsin-demo-speaker",
    }
    assert {*expected, "tsin-demo-random", *INPUTS} <= set(recipes.names(FOLDER))
    systems = [name for paper in PAPERS for name in recipes.systems_of_paper(paper)]
    assert len(systems) == len(set(systems)) == 55 and set(systems) <= set(lookup.systems())


@pytest.mark.parametrize("name", TABLES)
def test_every_system_of_the_paper_is_a_valid_experiment_that_reads_what_it_is_about(
    params_file: Path, name: str
) -> None:
    rows = of_paper(name)
    sections = recipes.table_of(recipes.read(name, FOLDER), rows, None)
    added = recipes.use(params_file, sections)
    params = parameters.load(params_file)
    (base,) = recipes.read(name, FOLDER)["experiments"]
    assert added == [f"{base}-{row}" for row in rows]
    for key, row in zip(added, rows, strict=True):
        experiment = params.experiments[key]
        assert experiment.network == row
        acoustic = experiment.acoustic and experiment.acoustic.split("-", 1)[0]
        text = experiment.text and experiment.text.split("-", 1)[0]
        if name.startswith("cma") and acoustic:
            assert acoustic == ("spectrogram" if row == "CMA_spec" else "waveform")
        if name.startswith("tsin"):
            assert acoustic in ("fbank", None) and text in (TSIN_TEXTS.get(row, "bert"), None)
            assert text != "word2vec" or params.text[experiment.text].path
            # The table has a line for each protocol, told by the split's name.
            assert experiment.split.split("-", 1)[0] in {
                item.split for item in stated.published("tsin")
            }


@pytest.mark.parametrize("name", TABLES)
def test_what_single_rows_read_belongs_to_rows_of_the_paper(name: str) -> None:
    assert set(recipes.read(name, FOLDER).get("systems", {})) <= set(of_paper(name))


@pytest.mark.parametrize("name", TABLES)
def test_figures_of_single_classes_have_their_classes_in_the_labels(name: str) -> None:
    metrics = {item.metric for item in stated.published(name.split("-", 1)[0])}
    named = {metric.split(".", 1)[1] for metric in metrics if "." in metric}
    for split in recipes.read(name, FOLDER)["splits"]:
        assert named <= set(split_config(name, split).labels.values())


def test_all_rows_of_all_demo_tables_live_together(params_file: Path) -> None:
    names = [name for name in TABLES if "-demo" in name]
    for name in names:
        recipes.use(params_file, recipes.table_of(recipes.read(name, FOLDER), of_paper(name), None))
    for name in INPUTS:
        assert recipes.use(params_file, recipes.read(name, FOLDER)) == []
    params = parameters.load(params_file)
    assert {experiment.network for experiment in params.experiments.values()} == set(
        lookup.systems()
    )


@pytest.mark.parametrize("recipe", ["cbla-demo", "cbla-iemocap", "paper_inputs-demo"])
def test_cbla_reads_ten_seconds_of_short_term_features(recipe: str) -> None:
    config = component(recipe, "acoustic", "short_term-cbla")
    assert (config.frame_length, config.frame_shift, config.max_frames) == (0.2, 0.1, 100)
    assert len(lookup.component("acoustic", "short_term").feature_names(config)) == 34


@pytest.mark.parametrize(
    ("recipe", "name"),
    [
        ("cbla-demo", "session-cbla"),
        ("paper_inputs-demo", "session-cbla"),
        ("cbla-iemocap", "session-improvised"),
    ],
)
def test_cbla_tests_on_session_5_of_the_improvised_turns(recipe: str, name: str) -> None:
    config = split_config(recipe, name)
    assert (
        config.labels == IMPROVISED and config.styles == ["improvised"] and config.test == ["Ses05"]
    )


@pytest.mark.parametrize(
    "recipe",
    [
        "fg_cme-demo",
        "fg_cme-iemocap",
        "fg_cme-iemocap-happy",
        "fg_cme-ravdess",
        "paper_inputs-demo",
    ],
)
def test_fg_cme_reads_forty_log_filterbanks_of_whole_utterances(recipe: str) -> None:
    config = component(recipe, "acoustic", "fbank")
    assert (config.frame_length, config.frame_shift, config.num_mel_bins) == (0.025, 0.01, 40)
    assert config.max_frames is None and config.differences == 0 and config.convention == "kaldi"


@pytest.mark.parametrize(
    ("recipe", "name", "labels", "folds"),
    [
        ("fg_cme-demo", "session-one", MERGED, None),
        ("fg_cme-demo-released", "session-one", MERGED, None),
        ("fg_cme-iemocap", "session-merged", MERGED, None),
        ("fg_cme-iemocap-released", "session-merged", MERGED, None),
        ("fg_cme-iemocap-happy", "session-four", FOUR, None),
        ("fg_cme-ravdess", "random-four", FOUR, 5),
        ("fg_cme-ravdess-released", "random-four", FOUR, 5),
        ("paper_inputs-demo", "session-four", FOUR, None),
        ("paper_inputs-demo", "random-happy", FOUR, 5),
    ],
)
def test_fg_cme_merges_excited_where_there_is_any(
    recipe: str, name: str, labels: dict[str, str], folds: int | None
) -> None:
    config = split_config(recipe, name)
    assert config.labels == labels and config.folds == folds and config.styles is None


@pytest.mark.parametrize("corpus", ["demo", "iemocap", "ravdess"])
def test_the_released_form_reads_what_the_release_reads(corpus: str) -> None:
    recipe = f"fg_cme-{corpus}-released"
    (experiment,) = recipes.read(recipe, FOLDER)["experiments"].values()
    assert experiment["hyperparameters"] == {"form": "released"}
    assert experiment["normalization"] == "none" and "train_embedding" not in experiment
    config = component(recipe, "acoustic", experiment["acoustic"])
    assert (config.window, config.sample_scale, config.max_frames) == ("povey", 1, 3000)
    assert (config.num_mel_bins, config.frame_length, config.frame_shift) == (40, 0.025, 0.01)


@pytest.mark.parametrize("recipe", ["cma-iemocap", "paper_inputs-demo"])
def test_cma_reads_ten_seconds_of_samples_or_of_spectrum(recipe: str) -> None:
    samples, spectrum = (
        component(recipe, "acoustic", "waveform"),
        component(recipe, "acoustic", "spectrogram"),
    )
    assert (samples.sampling_rate, samples.max_frames) == (16000, 160000)
    assert (spectrum.frame_length, spectrum.frame_shift, spectrum.max_frames) == (0.025, 0.01, 1000)
    assert len(lookup.component("acoustic", "spectrogram").feature_names(spectrum)) == 257
    assert split_config(recipe, "session-merged").labels == MERGED


def test_cmas_demo_says_how_much_shorter_it_is() -> None:
    samples, spectrum = (
        component("cma-demo", "acoustic", "waveform-demo"),
        component("cma-demo", "acoustic", "spectrogram-demo"),
    )
    assert (
        samples.max_frames / samples.sampling_rate
        == spectrum.max_frames * spectrum.frame_shift
        == 2.0
    )
    assert split_config("cma-demo", "session-one").labels == MERGED


@pytest.mark.parametrize("recipe", ["pba-chsims", "pba-demo_zh", "paper_inputs-demo_zh"])
def test_pba_reads_mfcc_and_cbow_of_the_training_part(recipe: str) -> None:
    assert component(recipe, "acoustic", "mfcc-pba").window == "hamming"
    words = component(recipe, "text", "word2vec-pba")
    assert (
        words.vector_size == 50
        and not words.skip_gram
        and words.path is None
        and words.fit == "fold"
    )
    division = split_config(recipe, "ratio")
    # The paper numbers its classes: 0 neutral, 1 positive, 2 negative.
    assert list(division.labels.items()) == list(THREE.items()) and division.ratio == (
        0.7,
        0.2,
        0.1,
    )


def test_pbas_division_has_a_sibling_that_keeps_videos_whole() -> None:
    division = split_config("paper_inputs-demo_zh", "grouped")
    assert division.labels == THREE and division.ratio == (0.7, 0.2, 0.1) and division.folds is None


@pytest.mark.parametrize(
    "recipe", ["tsin-iemocap", "tsin-iemocap-speaker", "tsin-iemocap-random", "paper_inputs-demo"]
)
def test_tsin_reads_500_frames_with_two_differences_and_token_vectors(recipe: str) -> None:
    config = component(recipe, "acoustic", "fbank-tsin")
    assert (config.frame_length, config.frame_shift, config.window) == (0.025, 0.01, "hamming")
    assert config.differences == 2 and config.max_frames == 500
    assert (
        len(lookup.component("acoustic", "fbank").feature_names(config)) == 3 * config.num_mel_bins
    )
    (bert,) = (name for name in recipes.read(recipe, FOLDER)["text"] if name.startswith("bert"))
    assert component(recipe, "text", bert).pooling == "token"


@pytest.mark.parametrize(
    ("suffix", "name", "folds"),
    [
        ("", "session-merged", None),
        ("-speaker", "speaker-merged", None),
        ("-random", "random-merged", 10),
    ],
)
def test_tsins_three_protocols(suffix: str, name: str, folds: int | None) -> None:
    for recipe in (f"tsin-iemocap{suffix}", f"tsin-demo{suffix}", "paper_inputs-demo"):
        config = split_config(recipe, name)
        assert config.labels == MERGED and config.folds == folds
        assert getattr(config, "test", None) is None


WORDS = {"cbla": 500, "cma": 50, "fg_cme": None, "pba": 50, "tsin": 150}


@pytest.mark.parametrize("name", TABLES)
def test_word_limits_are_the_papers(name: str) -> None:
    (experiment,) = recipes.read(name, FOLDER)["experiments"].values()
    assert experiment.get("max_words") == WORDS[name.split("-", 1)[0]]


@pytest.mark.parametrize("name", INPUTS)
def test_everything_that_the_inputs_name_is_built(name: str) -> None:
    sections = recipes.read(name, FOLDER)
    (corpus,) = sections["corpora"]
    for kind in ("acoustic", "alignment", "text", "splits"):
        assert set(sections["inputs"][corpus][kind]) == set(sections[kind])
