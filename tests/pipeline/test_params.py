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
from pipeline.params import Corpus

ROOT = Path(__file__).parents[2]

DOCUMENT: dict[str, Any] = {
    "corpora": {
        "manifest": {
            "root": "data/raw/mine",
            "reader": {"language": "de"},
            "tokens": {"lowercase": True},
        }
    },
    "acoustic": {"fbank": {"num_mel_bins": 40}, "fbank-long": {"max_frames": 500}},
    "alignment": {"either": {"chain": {"pocketsphinx": {}, "uniform": None}}},
    "text": {"word2vec": None},
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
    "build": {
        "acoustic": {"manifest-fbank": {"corpus": "manifest", "name": "fbank"}},
        "alignment": {"manifest-either": {"corpus": "manifest", "name": "either"}},
        "text": {
            "manifest-word2vec": {
                "corpus": "manifest",
                "name": "word2vec",
                "reads": parameters.PINNED,
            }
        },
        "splits": {
            "manifest-random-two": {
                "corpus": "manifest",
                "name": "random-two",
                "reads": parameters.PINNED,
            }
        },
    },
}


def test_a_whole_document_is_read() -> None:
    params = parameters.check(DOCUMENT)
    experiment = parameters.named(params, "first")
    assert experiment.recipe.epochs == 2 and experiment.recipe.learning_rate == 5e-4
    assert params.text == {"word2vec": {}}
    assert params.alignment["either"].chain == {"pocketsphinx": {}, "uniform": None}
    assert parameters.section(params, "acoustic", "fbank-long") == {"max_frames": 500}
    assert parameters.corpus(params, "manifest").reader == {"language": "de"}


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
        "unknown split 'kfold', expected one of ['fold_file', 'grouped'",
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
        "experiments.first.acoustic: unknown 'mfcc', expected one of ['fbank', 'fbank-long']",
    ),
    "alignment not listed": (
        setting(*EXPERIMENT, "alignment", "uniform"),
        "experiments.first.alignment: unknown 'uniform', expected one of ['either']",
    ),
    "split not listed": (
        setting(*EXPERIMENT, "split", "random"),
        "experiments.first.split: unknown 'random', expected one of ['random-two']",
    ),
    "unknown network row": (
        setting(*EXPERIMENT, "network", "FGCME"),
        "unknown network row 'FGCME', expected one of ['AlexNet_a'",
    ),
    "unknown hyperparameter": (
        setting(*EXPERIMENT, "hyperparameters", {"hidden": 8}),
        "experiments.first.hyperparameters: FG_CME has no hidden, expected one of ['channels'",
    ),
    "hyperparameter of a wrong type": (
        setting(*EXPERIMENT, "hyperparameters", {"hidden_size": "256"}),
        "experiments.first.hyperparameters.hidden_size: '256', expected <class 'int'>: Input should be a valid integer",
    ),
    "hyperparameter with a wrong item": (
        setting(*EXPERIMENT, "hyperparameters", {"channels": [4, "4"]}),
        "experiments.first.hyperparameters.channels: [4, '4'], expected collections.abc.Sequence[int]",
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
    "unknown build section": (
        setting("build", "feature", {}),
        "build: unknown section feature, expected one of ['acoustic', 'alignment', 'splits', 'text']",
    ),
    "build is not a section": (
        setting("build", "acoustic", "all"),
        "build.acoustic: 'all' is not a section",
    ),
    "build misses an item": (
        setting("build", "acoustic", {}),
        "expected it listed (`serflow sync` writes it)",
    ),
    "build item is a word": (
        setting("build", "acoustic", "manifest-fbank-long", "fbank-long"),
        "build.acoustic.manifest-fbank-long = 'fbank-long': Input should be a valid dictionary",
    ),
    "build item under another name": (
        setting("build", "acoustic", "mine", {"corpus": "manifest", "name": "fbank-long"}),
        "expected ['corpus', 'name'] under CORPUS-NAME",
    ),
    "embedding built from another file": (
        setting("build", "text", "manifest-word2vec", "reads", "data/vectors/other.bin"),
        "build.text: an experiment needs `manifest-word2vec: {'corpus': 'manifest', 'name': 'word2vec', 'reads':",
    ),
    "build of an unknown feature": (
        setting("build", "acoustic", "manifest-mfcc", {"corpus": "manifest", "name": "mfcc"}),
        "build.acoustic.manifest-mfcc: unknown 'mfcc', expected one of ['fbank', 'fbank-long']",
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


@pytest.mark.parametrize("network", sorted(lookup.systems()))
def test_published_hyperparameters_may_be_written_down(network: str) -> None:
    """As YAML has them: lists where Python has tuples."""
    keywords = inspect.signature(lookup.system(network)).parameters.values()
    published = {
        item.name: item.default for item in keywords if item.kind is inspect.Parameter.KEYWORD_ONLY
    }
    document = copy.deepcopy(DOCUMENT)
    written = json.loads(json.dumps(published))
    document["experiments"]["first"] |= {"network": network, "hyperparameters": written}
    assert parameters.check(document).experiments["first"].hyperparameters == written


def test_names_that_do_not_exist_are_answered_with_those_that_do() -> None:
    params = parameters.check(DOCUMENT)
    with pytest.raises(
        ConfigurationError, match=r"unknown experiment 'second', expected one of \['first'\]"
    ):
        parameters.named(params, "second")
    with pytest.raises(
        ConfigurationError, match=r"unknown corpus 'demo', expected one of \['manifest'\]"
    ):
        parameters.corpus(params, "demo")
    with pytest.raises(
        ConfigurationError, match=r"unknown name 'mfcc' in acoustic, expected one of \['fbank', "
    ):
        parameters.section(params, "acoustic", "mfcc")


@pytest.mark.parametrize(("section", "setting"), [("text", "path"), ("splits", "fold_file")])
def test_an_item_names_the_file_that_it_reads(section: str, setting: str) -> None:
    experiments = parameters.check(DOCUMENT).experiments
    (without,) = parameters.needed_builds(experiments, {})[section].values()
    name = without["name"]
    assert without == {"corpus": "manifest", "name": name, "reads": "constraints.txt"}
    (reading,) = parameters.needed_builds(experiments, {section: {name: {setting: "data/file"}}})[
        section
    ].values()
    assert reading == without | {"reads": "data/file"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "params.yaml is missing, expected to run where params.yaml lies"),
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
    params = parameters.load(ROOT / "params.yaml")
    assert params.experiments
    needed = parameters.needed_builds(
        params.experiments, {"text": params.text, "splits": params.splits}
    )
    for section, items in needed.items():
        assert items.items() <= params.build[section].items()


def test_a_file_reads_as_its_document(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    plain = copy.deepcopy(DOCUMENT)
    plain["experiments"]["first"]["hyperparameters"]["kernel_sizes"] = [3, 2]
    path.write_text(yaml.safe_dump(plain))
    assert parameters.load(path) == parameters.check(plain)


def test_roots_may_hold_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERFLOW_TEST_ROOT", "/corpora")
    assert parameters.root_of(Corpus("$SERFLOW_TEST_ROOT/ravdess")) == Path("/corpora/ravdess")
    assert parameters.root_of(Corpus("~/ravdess")) == Path.home() / "ravdess"
    monkeypatch.delenv("SERFLOW_TEST_ROOT")
    with pytest.raises(
        ConfigurationError, match="the environment variable is not set, expected a folder"
    ):
        parameters.root_of(Corpus("${SERFLOW_TEST_ROOT}/ravdess"))
