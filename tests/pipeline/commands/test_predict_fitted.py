"""Prediction with word vectors that training fitted."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.commands import predict as prediction
from pipeline.lookup import ConfigurationError
from pipeline.training import checkpoint
from tests.resources import small_corpus
from tests.resources.predicted import assert_as_trained, single, train_with


def test_one_hot_words_need_no_table_and_one_that_is_there_still_serves(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = train_with(built, tmp_path, monkeypatch, "one_hot")
    assert_as_trained(model, built / "corpus", tmp_path / "without")
    for path in model.rglob(checkpoint.WEIGHTS):
        tensors = load_file(path)
        assert checkpoint.TABLE not in tensors
        words = json.loads((path.parent / checkpoint.DESCRIPTION).read_text())["vocabulary"]
        save_file({**tensors, checkpoint.TABLE: torch.eye(len(words))}, path)
    assert_as_trained(model, built / "corpus", tmp_path / "with")


def test_a_checkpoint_whose_fitted_vectors_are_lost_is_refused(built: Path, tmp_path: Path) -> None:
    alone = single(built / "models" / "small", 0, tmp_path)
    path = alone / "folds" / "only" / checkpoint.WEIGHTS
    tensors = load_file(path)
    del tensors[checkpoint.TABLE]
    save_file(tensors, path)
    with pytest.raises(ConfigurationError, match="the vectors of its words are missing"):
        prediction.predict(built / "corpus" / "wav" / "u03.wav", "no", alone)


@pytest.mark.parametrize("embedding", ["glove", "word2vec"])
def test_trained_vectors_serve_prediction(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedding: str
) -> None:
    model = train_with(built, tmp_path, monkeypatch, embedding, train_embedding=True)
    assert_as_trained(model, built / "corpus", tmp_path / "trained")
    alone = single(model, 0, tmp_path / "lost")
    path = alone / "folds" / "only" / checkpoint.WEIGHTS
    tensors = load_file(path)
    del tensors[checkpoint.TABLE]
    save_file(tensors, path)
    with pytest.raises(ConfigurationError, match="the vectors of its words are missing"):
        prediction.predict(built / "corpus" / "wav" / "u03.wav", "no", alone)


def test_words_fitted_on_the_corpus_know_no_new_ones(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {
        **small_corpus.DOCUMENT["text"],
        "word2vec": {"vector_size": 4, "epochs": 2, "fit": "corpus"},
    }
    monkeypatch.setitem(small_corpus.DOCUMENT, "text", document)
    model = train_with(built, tmp_path, monkeypatch, "word2vec")
    with pytest.raises(ConfigurationError, match="word2vec were fitted on the whole corpus"):
        prediction.predict(built / "corpus" / "wav" / "u03.wav", "no", model)
