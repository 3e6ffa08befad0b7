"""Every mistake in params.yaml is one line that says what to do."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from pipeline import params as parameters
from pipeline.lookup import ConfigurationError
from tests.resources.params_document import DOCUMENT, FIRST, WITHOUT_ALIGNMENT

EXPERIMENT = ("experiments", "first")
TEXT_ALONE = {
    "corpus": "manifest",
    "network": "LSTM_Attn_s",
    "text": "word2vec",
    "split": "random-two",
}


def setting(*place: Any) -> Callable[[dict[str, Any]], None]:
    """Puts the last of `place` under the keys before it."""
    *keys, last, value = place

    def change(document: dict[str, Any]) -> None:
        for key in keys:
            document = document[key]
        document[last] = value

    return change


def without_validation(document: dict[str, Any]) -> None:
    document["splits"]["random-two"]["validation_share"] = 0
    document["experiments"]["first"]["select"] = "wa"


MISTAKES = {
    "unknown section": (setting("experiment", {}), "unknown section experiment, expected one of"),
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
    "settings are a word": (setting("text", "word2vec", "cbow"), "'cbow' is not a section"),
    "split is a list": (
        setting("splits", "random-two", ["angry"]),
        "splits.random-two: ['angry'] is not a section",
    ),
    "unknown corpus module": (
        setting("corpora", "iemocop", {"root": "x"}),
        "unknown corpora component 'iemocop', expected one of",
    ),
    "corpus without root": (
        setting("corpora", "manifest", {}),
        "corpora.manifest: root is missing",
    ),
    "corpus is a path": (
        setting("corpora", "manifest", "data/raw"),
        "corpora.manifest: 'data/raw' is not a section",
    ),
    "unknown corpus key": (
        setting("corpora", "manifest", "path", "x"),
        "corpora.manifest: unknown key path, expected one of ['reader', 'redistribution', ",
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
    "alignment without chain": (
        setting("alignment", "either", {}),
        "alignment.either: chain is missing",
    ),
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
        "unknown splits component 'kfold', expected one of ['cross', 'fold_file', 'grouped'",
    ),
    "split without labels": (
        setting("splits", "random-two", None),
        "splits.random-two: labels is missing",
    ),
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
        "unknown name 'demo' in experiments.first.corpus, expected one of ['manifest']",
    ),
    "feature not listed": (
        setting(*EXPERIMENT, "acoustic", "mfcc"),
        "unknown name 'mfcc' in experiments.first.acoustic, expected one of ['fbank', 'fbank-long'",
    ),
    "alignment not listed": (
        setting(*EXPERIMENT, "alignment", "uniform"),
        "unknown name 'uniform' in experiments.first.alignment, expected one of ['either']",
    ),
    "split not listed": (
        setting(*EXPERIMENT, "split", "random"),
        "unknown name 'random' in experiments.first.split, expected one of ['random-two']",
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
        "experiments.first.hyperparameters.hidden_size: '256', expected <class 'int'>: Input "
        "should be a valid integer",
    ),
    "hyperparameter with a wrong item": (
        setting(*EXPERIMENT, "hyperparameters", {"channels": [4, "4"]}),
        "experiments.first.hyperparameters.channels: [4, '4'], expected collections.abc.Sequence",
    ),
    "hyperparameter outside the choice": (
        setting(*EXPERIMENT, "hyperparameters", {"excitation": "residuals"}),
        "Input should be 'paper', 'residual' or 'additive'",
    ),
    "unknown training key": (
        setting(*EXPERIMENT, "training", {"lr": 1}),
        "experiments.first.training: unknown key lr, expected one of ['batch_size', 'bucket_",
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
        "experiments.first: select = 'test': Input should be 'ua', 'wa', 'wa_ua' or 'loss'",
    ),
    "selection without validation": (
        without_validation,
        "experiments.first.select: it chooses an epoch on validation, and 'random-two' has "
        "`validation_share: 0`: remove the line",
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
    "trained vectors of sentences": (
        setting(
            *EXPERIMENT,
            {**TEXT_ALONE, "text": "bert-token", "hyperparameters": {"form": "released"}},
        ),
        "experiments.first.train_embedding: LSTM_Attn_s trains its word vectors, those of "
        "'bert-token' follow from the sentence: set it to false, or take an embedding",
    ),
    "trained vectors of one-hot words": (
        setting(*EXPERIMENT, {**TEXT_ALONE, "text": "one_hot", "train_embedding": True}),
        "experiments.first.train_embedding: words of 'one_hot' have no vectors, the layer that "
        "reads them is trained anyway: remove the line",
    ),
    "trained vectors of a system without words": (
        setting(
            *EXPERIMENT,
            {
                "corpus": "manifest",
                "network": "LSTM_Attn_a",
                "acoustic": "fbank",
                "split": "random-two",
                "train_embedding": True,
            },
        ),
        "experiments.first.train_embedding: LSTM_Attn_a reads no words, remove the line",
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
