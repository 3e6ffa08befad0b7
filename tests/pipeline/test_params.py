from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import lookup
from pipeline import params as parameters
from pipeline.lookup import ConfigurationError

ROOT = Path(__file__).parents[2]

DOCUMENT: dict[str, Any] = {
    "corpora": {
        "manifest": {
            "root": "data/raw/mine",
            "reader": {"language": "de"},
            "tokens": {"lowercase": True},
        }
    },
    "acoustic": {
        "fbank": {"num_mel_bins": 40},
        "fbank-long": {"max_frames": 500},
        "waveform": {},
    },
    "alignment": {"either": {"chain": {"pocketsphinx": {}, "uniform": None}}},
    "text": {"word2vec": None, "bert-token": {"pooling": "token"}},
    "splits": {"random-two": {"labels": {"angry": "angry", "sad": "sad"}}},
    "experiments": {
        "first": {
            "corpus": "manifest",
            "network": "FG_CME",
            "acoustic": "fbank",
            "alignment": "either",
            "text": "word2vec",
            "split": "random-two",
            "hyperparameters": {
                "hidden_size": 8,
                "channels": [4, 4],
                "kernel_sizes": (3, 2),
                "dropout": 1,
            },
            "training": {"epochs": 2},
        }
    },
    "inputs": {"manifest": {"acoustic": ["fbank-long"]}},
}


def test_a_whole_document_is_read() -> None:
    params = parameters.check(DOCUMENT)
    experiment = parameters.entry(params, "experiments", "first")
    assert experiment.recipe.epochs == 2 and experiment.recipe.learning_rate == 5e-4
    assert params.text["word2vec"] == lookup.component_config("text", "word2vec", {})
    assert params.alignment["either"].chain == {"pocketsphinx": {}, "uniform": None}
    assert parameters.entry(params, "acoustic", "fbank-long").max_frames == 500
    assert parameters.entry(params, "corpora", "manifest").reader == {"language": "de"}
    assert params.document["text"]["word2vec"] == {}


def test_an_empty_document_is_legal() -> None:
    assert parameters.check({}).experiments == {}
    assert parameters.check(dict.fromkeys(parameters.SECTIONS)).experiments == {}


def setting(*place: Any) -> Callable[[dict[str, Any]], None]:
    """Puts the last of `place` under the keys before it."""
    *keys, last, value = place

    def change(document: dict[str, Any]) -> None:
        for key in keys:
            document = document[key]
        document[last] = value

    return change


EXPERIMENT = ("experiments", "first")
FIRST = DOCUMENT["experiments"]["first"]
WITHOUT_ALIGNMENT = {
    "corpus": "manifest",
    "acoustic": "fbank",
    "text": "word2vec",
    "split": "random-two",
}
NO_NAMES = ("..", "a/b", "x; touch y; true", "-x", "a b", "a.b", "", "é")
MISTAKES = {
    "unknown section": (
        setting("experiment", {}),
        "unknown section experiment, expected one of ['corpora', 'acoustic'",
    ),
    "number as section": (setting(3, {}), "unknown section 3, expected one of"),
    "section is a list": (
        setting("acoustic", ["fbank"]),
        "acoustic: ['fbank'], expected `name: settings` lines",
    ),
    "name is a number": (setting("acoustic", 1, {}), "acoustic: 1 is no name, expected"),
    "settings are a number": (
        setting("acoustic", "fbank", 40),
        "acoustic.fbank: 40 is not a section, expected `key: value` lines",
    ),
    "settings are a word": (
        setting("text", "word2vec", "cbow"),
        "text.word2vec: 'cbow' is not a section",
    ),
    "split is a list": (
        setting("splits", "random-two", ["angry"]),
        "splits.random-two: ['angry'] is not a section",
    ),
    "unknown corpus module": (
        setting("corpora", "iemocop", {"root": "x"}),
        "unknown corpora component 'iemocop', expected one of",
    ),
    "corpus without root": (setting("corpora", "manifest", {}), "corpora.manifest: root = "),
    "corpus is a path": (
        setting("corpora", "manifest", "data/raw"),
        "corpora.manifest: 'data/raw' is not a section",
    ),
    "unknown corpus key": (
        setting("corpora", "manifest", "path", "x"),
        "corpora.manifest: unknown key path, expected one of ['reader', 'root', 'tokens']",
    ),
    "unknown reader key": (
        setting("corpora", "manifest", "reader", {"lang": "de"}),
        "corpora.manifest.reader: unknown key lang, expected one of",
    ),
    "unknown token key": (
        setting("corpora", "manifest", "tokens", {"upper": True}),
        "corpora.manifest.tokens: unknown key upper, expected one of",
    ),
    "unknown feature": (
        setting("acoustic", "fbnk", {}),
        "unknown acoustic component 'fbnk', expected one of ['egemaps', 'fbank'",
    ),
    "unknown feature key": (
        setting("acoustic", "fbank", {"num_mel_bin": 40}),
        "acoustic.fbank: unknown key num_mel_bin, expected one of",
    ),
    "feature value of a wrong type": (
        setting("acoustic", "fbank", {"num_mel_bins": "forty"}),
        "acoustic.fbank: num_mel_bins = 'forty': Input should be a valid integer",
    ),
    "unknown embedding": (
        setting("text", "word3vec", {}),
        "unknown text component 'word3vec', expected one of",
    ),
    "embedding value of a wrong type": (
        setting("text", "word2vec", {"vector_size": 0}),
        "text.word2vec: vector_size = 0: Input should be greater than 0",
    ),
    "alignment without chain": (setting("alignment", "either", {}), "alignment.either: chain = "),
    "empty chain": (
        setting("alignment", "either", {"chain": {}}),
        "alignment.either.chain: no aligner, expected some of ['ctc', 'given'",
    ),
    "chain as a list": (
        setting("alignment", "either", {"chain": ["pocketsphinx"]}),
        "alignment.either: chain = ['pocketsphinx']: Input should be a valid dictionary",
    ),
    "unknown aligner": (
        setting("alignment", "either", "chain", {"sphinx": {}}),
        "unknown alignment component 'sphinx', expected one of",
    ),
    "unknown aligner key": (
        setting("alignment", "either", "chain", {"uniform": {"pause": 1}}),
        "alignment.either.chain.uniform: unknown key pause, expected one of",
    ),
    "unknown check key": (
        setting("alignment", "either", "check", {"max_start": 1}),
        "alignment.either.check: unknown key max_start, expected one of",
    ),
    "share above one": (
        setting("alignment", "either", "max_failed_share", 20),
        "alignment.either: max_failed_share = 20: Input should be less than or equal to 1",
    ),
    "unknown protocol": (
        setting("splits", "kfold", {"labels": {"a": "a"}}),
        "unknown splits component 'kfold', expected one of ['fold_file', 'grouped'",
    ),
    "split without labels": (setting("splits", "random-two", None), "splits.random-two: labels = "),
    "one fold": (
        setting("splits", "random-two", "folds", 1),
        "splits.random-two: folds = 1: Input should be greater than or equal to 2",
    ),
    "experiment is null": (setting(*EXPERIMENT, None), "experiments.first: "),
    "unknown experiment key": (
        setting(*EXPERIMENT, "seed", 1),
        "experiments.first: unknown key seed, expected one of ['acoustic'",
    ),
    "corpus not listed": (
        setting(*EXPERIMENT, "corpus", "demo"),
        "experiments.first.corpus: unknown 'demo', expected one of ['manifest']",
    ),
    "feature not listed": (
        setting(*EXPERIMENT, "acoustic", "mfcc"),
        "experiments.first.acoustic: unknown 'mfcc', expected one of ['fbank', 'fbank-long'",
    ),
    "alignment not listed": (
        setting(*EXPERIMENT, "alignment", "uniform"),
        "experiments.first.alignment: unknown 'uniform', expected one of ['either']",
    ),
    "split not listed": (
        setting(*EXPERIMENT, "split", "random"),
        "experiments.first.split: unknown 'random', expected one of ['random-two']",
    ),
    "unknown network": (
        setting(*EXPERIMENT, "network", "FGCME"),
        "unknown network 'FGCME', expected one of ['AlexNet_a'",
    ),
    "unknown hyperparameter": (
        setting(*EXPERIMENT, "hyperparameters", {"hidden": 8}),
        "experiments.first.hyperparameters: FG_CME has no hidden, expected one of ['channels'",
    ),
    "hyperparameter of a wrong type": (
        setting(*EXPERIMENT, "hyperparameters", {"hidden_size": "256"}),
        "experiments.first.hyperparameters.hidden_size: '256', expected <class 'int'>: Input should "
        "be a valid integer",
    ),
    "hyperparameter with a wrong item": (
        setting(*EXPERIMENT, "hyperparameters", {"channels": [4, "4"]}),
        "experiments.first.hyperparameters.channels: [4, '4'], expected collections.abc.Sequence",
    ),
    "hyperparameter outside the choice": (
        setting(*EXPERIMENT, "hyperparameters", {"excitation": "residuals"}),
        "Input should be 'paper' or 'residual'",
    ),
    "unknown training key": (
        setting(*EXPERIMENT, "training", {"lr": 1}),
        "experiments.first.training: unknown key lr, expected one of ['batch_size', 'epochs'",
    ),
    "training value of a wrong type": (
        setting(*EXPERIMENT, "training", {"epochs": 0}),
        "experiments.first.training: epochs = 0: Input should be greater than or equal to 1",
    ),
    "no seed": (
        setting(*EXPERIMENT, "seeds", []),
        "experiments.first.seeds: no seed, expected at least one",
    ),
    "seeds of a wrong type": (
        setting(*EXPERIMENT, "seeds", "all"),
        "experiments.first: seeds = 'all'",
    ),
    "unknown selection": (
        setting(*EXPERIMENT, "select", "test"),
        "experiments.first: select = 'test': Input should be 'ua', 'wa' or 'loss'",
    ),
    "unknown device": (
        setting(*EXPERIMENT, "device", "gpu"),
        "Input should be 'auto', 'cpu' or 'cuda'",
    ),
    "section of an earlier version": (
        setting("build", {}),
        "unknown section build: `serflow sync` writes build.yaml now, expected one of",
    ),
    "inputs of an unknown corpus": (
        setting("inputs", {"demo": {}}),
        "inputs.demo: unknown corpus, expected one of ['manifest']",
    ),
    "unknown kind of input": (
        setting("inputs", "manifest", {"features": ["fbank"]}),
        "inputs.manifest: unknown key features, expected one of ['acoustic', 'alignment', ",
    ),
    "input that is not listed": (
        setting("inputs", "manifest", {"acoustic": ["mfcc"]}),
        "inputs.manifest.acoustic: ['mfcc'], expected a list out of ['fbank', 'fbank-long'",
    ),
    "inputs as a word": (
        setting("inputs", "manifest", {"acoustic": "fbank"}),
        "inputs.manifest.acoustic: fbank, expected a list out of ['fbank', 'fbank-long'",
    ),
    "input that the system needs": (
        setting(*EXPERIMENT, "alignment", None),
        "experiments.first.alignment: FG_CME needs it, expected one of ['either']",
    ),
    "input that the system does not read": (
        setting(*EXPERIMENT, {**FIRST, "network": "LSTM_Attn_a", "hyperparameters": {}}),
        "experiments.first.text: LSTM_Attn_a does not read it, remove the line "
        "(in an experiment run: -S '~experiments.first.text')",
    ),
    "samples where frames are read": (
        setting(*EXPERIMENT, "acoustic", "waveform"),
        "experiments.first.acoustic: FG_CME reads frames, which 'waveform' does not "
        "give: choose one of ['fbank', 'fbank-long']",
    ),
    "frames where samples are read": (
        setting(*EXPERIMENT, {**WITHOUT_ALIGNMENT, "network": "CMA_raw"}),
        "experiments.first.acoustic: CMA_raw reads samples of the waveform, which "
        "'fbank' does not give: choose one of ['waveform']",
    ),
    "another embedding than the paper's": (
        setting(*EXPERIMENT, {**WITHOUT_ALIGNMENT, "network": "TSIN_glove", "text": "bert-token"}),
        "experiments.first.text: TSIN_glove is defined on glove, not on 'bert-token': "
        "add one under `text`",
    ),
    "token vectors under word times": (
        setting(*EXPERIMENT, "text", "bert-token"),
        "experiments.first.text: FG_CME places words in time, 'bert-token' has a vector for "
        "each token: use an embedding with `pooling: word`",
    ),
}


@pytest.mark.parametrize("mistake", sorted(MISTAKES))
def test_every_mistake_stops_with_one_line(mistake: str) -> None:
    change, expected = MISTAKES[mistake]
    document = copy.deepcopy(DOCUMENT)
    change(document)
    with pytest.raises(ConfigurationError) as raised:
        parameters.check(document)
    message = str(raised.value)
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize("section", [*parameters.ROOMS])
@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_is_a_word(section: str, name: str) -> None:
    """Names become folders and parts of a command line."""
    document = copy.deepcopy(DOCUMENT)
    document[section][name] = next(iter(document[section].values()))
    with pytest.raises(ConfigurationError, match=r"is no name, use letters, digits, '_' and '-'"):
        parameters.check(document)


@pytest.mark.parametrize("network", sorted(lookup.systems()))
def test_published_hyperparameters_may_be_written_down(network: str) -> None:
    """As YAML has them: lists where Python has tuples."""
    system = lookup.system(network)
    keywords = inspect.signature(system).parameters.values()
    published = {
        item.name: item.default for item in keywords if item.kind is inspect.Parameter.KEYWORD_ONLY
    }
    written = json.loads(json.dumps(published))
    embedding = system.embeddings[0] if system.embeddings else "word2vec"
    inputs = {
        "acoustic": "waveform" if system.unit == "sample" else "fbank",
        "alignment": "either",
        "text": embedding,
    }
    read = {name: inputs[name] for name, needed in parameters.inputs_of(system).items() if needed}
    document = copy.deepcopy(DOCUMENT)
    document["text"][embedding] = {"path": "x"} if embedding in ("glove", "fasttext") else {}
    document["experiments"]["first"] = {
        "corpus": "manifest",
        "network": network,
        "split": "random-two",
        **read,
        "hyperparameters": written,
    }
    assert parameters.check(document).experiments["first"].hyperparameters == written


def test_names_that_do_not_exist_are_answered_with_those_that_do() -> None:
    params = parameters.check(DOCUMENT)
    for section, name, known in (
        ("experiments", "second", "first"),
        ("corpora", "demo", "manifest"),
        ("acoustic", "mfcc", "fbank"),
    ):
        message = rf"unknown name '{name}' in {section}, expected one of \['{known}'"
        with pytest.raises(ConfigurationError, match=message):
            parameters.entry(params, section, name)


def test_what_experiments_read_and_inputs_list_is_needed() -> None:
    needed = parameters.needed(parameters.check(DOCUMENT))
    assert {section: list(items) for section, items in needed.items()} == {
        "acoustic": ["manifest-fbank", "manifest-fbank-long"],
        "alignment": ["manifest-either"],
        "text": ["manifest-word2vec"],
        "splits": ["manifest-random-two"],
    }
    assert needed["acoustic"]["manifest-fbank"] == {"corpus": "manifest", "name": "fbank"}


def test_nothing_is_needed_for_an_input_that_is_not_read() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["experiments"]["first"] = {**WITHOUT_ALIGNMENT, "network": "M_CL_BL"}
    params = parameters.check(document)
    assert parameters.needed(params)["alignment"] == {}
    assert "alignment" not in parameters.describe(params, "first")


def test_a_description_holds_the_settings_as_they_were_written() -> None:
    described = parameters.describe(parameters.check(DOCUMENT), "first")
    assert described["acoustic"] == {"name": "fbank", "config": {"num_mel_bins": 40}}
    assert described["text"] == {"name": "word2vec", "config": {}}
    assert described["alignment"]["chain"] == {"pocketsphinx": {}, "uniform": None}
    assert described["recipe"]["epochs"] == 2 and described["tokens"] == {"lowercase": True}


def test_a_stage_reads_its_own_entry_whatever_the_others_say(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("acoustic: {fbank: {num_mel_bins: 23}, fbnk: {}}\ntext: 3\n")
    assert parameters.load_entry(path, "acoustic", "fbank").num_mel_bins == 23
    with pytest.raises(ConfigurationError, match=r"unknown name 'mfcc' in acoustic, expected"):
        parameters.load_entry(path, "acoustic", "mfcc")
    with pytest.raises(ConfigurationError, match="unknown acoustic component 'fbnk'"):
        parameters.load_entry(path, "acoustic", "fbnk")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "params.yaml is missing: run the command where params.yaml lies"),
        ("a: [1\nb: 2", "is not YAML: while parsing"),
        ("- a\n- b\n", "holds list, expected sections"),
        ("tokens", "holds str, expected sections"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: str | None, expected: str) -> None:
    path = tmp_path / "params.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError) as raised:
        parameters.load(path)
    assert expected in str(raised.value) and "\n" not in str(raised.value)


def test_the_committed_file_is_right() -> None:
    assert parameters.load(ROOT / "params.yaml").experiments


def test_a_file_reads_as_its_document(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    plain = copy.deepcopy(DOCUMENT)
    plain["experiments"]["first"]["hyperparameters"]["kernel_sizes"] = [3, 2]
    path.write_text(yaml.safe_dump(plain))
    assert parameters.load(path) == parameters.check(plain)


@pytest.mark.parametrize("root", ["$CORPORA/ravdess", "~/ravdess", "/a/${B}"])
def test_a_root_that_dvc_would_not_expand_is_refused(root: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    document["corpora"]["manifest"]["root"] = root
    with pytest.raises(ConfigurationError, match="would not be expanded by DVC, write the path"):
        parameters.check(document)
