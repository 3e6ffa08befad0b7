from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline import lookup
from pipeline.schema import Rejection, Utterance
from pipeline.shards import Shards
from pipeline.text import _embedding as embedding
from tests.resources import fabricated

SAID = {"a": ("no", "no", "yes"), "b": ("go",), "silent": (), "z": ("yes", "rain")}


def utterances() -> list[Utterance]:
    return [Utterance(name, "tiny", "sad", words=words) for name, words in SAID.items()]


def read(folder: Path) -> tuple[dict[str, Any], dict[str, list[int]], list[dict[str, Any]]]:
    info = json.loads((folder / "info.json").read_text())
    words = {
        row["utterance_id"]: row["word_ids"]
        for row in pq.read_table(folder / "words.parquet").to_pylist()
    }
    return info, words, pq.read_table(folder / "vocabulary.parquet").to_pylist()


def test_words_become_ids_of_the_sorted_vocabulary(tmp_path: Path) -> None:
    summary, rejections = embedding.embed_corpus(utterances(), "one_hot", {}, tmp_path)
    assert rejections == [Rejection("silent", "text", "no words", "empty transcript")]
    assert (summary["used"], summary["rejected"], summary["words"], summary["vocabulary"]) == (
        3,
        1,
        6,
        4,
    )
    info, words, vocabulary = read(tmp_path)
    assert [(row["word"], row["count"], row["known"]) for row in vocabulary] == [
        ("go", 1, None), ("no", 2, None), ("rain", 1, None), ("yes", 2, None),
    ]  # fmt: skip
    assert words == {"a": [1, 1, 3], "b": [0], "z": [3, 2]}
    assert (info["kind"], info["transductive"], info["unit"]) == ("fitted", False, "word")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "info.json",
        "vocabulary.parquet",
        "words.parquet",
    ]


def test_pretrained_vectors_lie_in_a_table_and_unknown_words_are_counted(tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("no 1 2\nyes 3 4\n")
    summary, _ = embedding.embed_corpus(
        utterances(), "glove", {"path": str(vectors)}, tmp_path / "out"
    )
    info, _, vocabulary = read(tmp_path / "out")
    np.testing.assert_array_equal(
        np.load(tmp_path / "out" / "table.npy"), [[0, 0], [1, 2], [0, 0], [3, 4]]
    )
    assert [row["known"] for row in vocabulary] == [False, True, False, True]
    assert (summary["unknown_words"], summary["unknown_share"], info["word_dim"]) == (2, 2 / 6, 2)


def test_vectors_fitted_on_the_corpus_say_that_they_are(tmp_path: Path) -> None:
    settings = {"fit": "corpus", "vector_size": 3, "epochs": 2, "min_count": 2}
    summary, _ = embedding.embed_corpus(utterances(), "word2vec", settings, tmp_path)
    info, _, vocabulary = read(tmp_path)
    assert (info["kind"], info["transductive"], info["word_dim"]) == ("static", True, 3)
    table = np.load(tmp_path / "table.npy")
    assert [row["known"] for row in vocabulary] == [False, True, False, True]
    assert summary["unknown_words"] == 2
    assert not table[[0, 2]].any() and table[[1, 3]].any(axis=1).all()


def test_files_of_another_kind_do_not_stay(tmp_path: Path) -> None:
    settings = {"vector_size": 3, "epochs": 2}
    embedding.embed_corpus(
        utterances(), "word2vec", settings | {"fit": "corpus"}, tmp_path / "changed"
    )
    embedding.embed_corpus(utterances(), "word2vec", settings, tmp_path / "changed")
    embedding.embed_corpus(utterances(), "word2vec", settings, tmp_path / "clean")
    assert fabricated.files(tmp_path / "changed") == fabricated.files(tmp_path / "clean")


def test_links_into_a_cache_are_replaced_never_written(tmp_path: Path) -> None:
    import os

    settings = {"fit": "corpus", "vector_size": 3, "epochs": 2}
    embedding.embed_corpus(utterances(), "word2vec", settings, tmp_path / "data")
    (tmp_path / "cache").mkdir()
    for path in (tmp_path / "data").iterdir():
        os.link(path, tmp_path / "cache" / path.name)
    before = fabricated.files(tmp_path / "cache")
    embedding.embed_corpus(utterances()[:2], "word2vec", settings, tmp_path / "data")
    assert fabricated.files(tmp_path / "cache") == before
    assert fabricated.files(tmp_path / "data") != before


@dataclass(frozen=True)
class Config:
    pooling: str = "word"


def contextual(monkeypatch: pytest.MonkeyPatch, asked: list[str]) -> None:
    def embed(chosen: Sequence[Utterance], config: Config) -> Iterator[tuple[str, np.ndarray]]:
        for item in chosen:
            asked.append(item.utterance_id)
            yield item.utterance_id, np.full((len(item.words), 2), len(item.words), np.float32)

    module = SimpleNamespace(
        __name__="pipeline.text.one_hot",
        Config=Config,
        kind=lambda config: "contextual",
        word_dim=lambda config: 2,
        identity=lambda config: "model 1",
        embed=embed,
    )
    monkeypatch.setattr(lookup, "component", lambda kind, name: module)


def test_contextual_vectors_lie_in_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fabricated.run_serially(monkeypatch)
    asked: list[str] = []
    contextual(monkeypatch, asked)
    summary, rejections = embedding.embed_corpus(utterances(), "made", {}, tmp_path)
    info, words, _ = read(tmp_path)
    assert (summary["used"], len(rejections), info["word_dim"], info["unit"]) == (3, 1, 2, "word")
    shards = Shards(tmp_path)
    assert sorted(shards) == sorted(words) == ["a", "b", "z"]
    np.testing.assert_array_equal(shards.read("a"), np.full((3, 2), 3))
    asked.clear()
    changed = [
        item if item.utterance_id != "b" else Utterance("b", "tiny", "sad", words=("go", "home"))
        for item in utterances()
    ]
    embedding.embed_corpus(changed, "made", {}, tmp_path)
    assert asked == ["b"], "only changed words are embedded again"


def test_a_corpus_without_words_is_rejected_whole(tmp_path: Path) -> None:
    summary, rejections = embedding.embed_corpus(
        [Utterance("a", "tiny", "sad")], "one_hot", {}, tmp_path
    )
    assert (summary["used"], summary["rejected"], summary["unknown_share"], len(rejections)) == (
        0,
        1,
        0.0,
        1,
    )
