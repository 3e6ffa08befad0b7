import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline import lookup
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance
from pipeline.shards import Shards
from pipeline.text import _embedding as embedding
from tests.resources import fabricated

SAID = {"a": ("no", "no", "yes"), "b": ("go",), "silent": (), "z": ("yes", "rain")}


def utterances() -> list[Utterance]:
    return [Utterance(name, "tiny", "sad", words=words) for name, words in SAID.items()]


def embed(
    folder: Path, name: str, said: list[Utterance] | None = None, **settings: Any
) -> tuple[dict[str, Any], list[Rejection]]:
    config = lookup.component_config("text", name, settings)
    return embedding.embed_corpus(utterances() if said is None else said, name, config, folder)


def read(folder: Path) -> tuple[dict[str, Any], dict[str, list[int]], list[dict[str, Any]]]:
    info = json.loads((folder / "info.json").read_text())
    words = {
        row["utterance_id"]: row["word_ids"]
        for row in pq.read_table(folder / "words.parquet").to_pylist()
    }
    return info, words, pq.read_table(folder / "vocabulary.parquet").to_pylist()


def test_words_become_ids_of_the_sorted_vocabulary(tmp_path: Path) -> None:
    summary, rejections = embed(tmp_path, "one_hot")
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


def test_the_language_is_that_of_most_utterances_with_words(tmp_path: Path) -> None:
    languages = {"a": "zh", "b": "de", "silent": "de", "z": "zh"}
    said = [replace(item, language=languages[item.utterance_id]) for item in utterances()]
    embed(tmp_path, "one_hot", said)
    assert read(tmp_path)[0]["language"] == "zh"
    embed(tmp_path, "one_hot", [replace(item, words=()) for item in said])
    assert read(tmp_path)[0]["language"] is None


def test_pretrained_vectors_lie_in_a_table_and_unknown_words_are_counted(tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("no 1 2\nyes 3 4\n")
    summary, _ = embed(tmp_path / "out", "glove", path=vectors)
    info, _, vocabulary = read(tmp_path / "out")
    np.testing.assert_array_equal(
        np.load(tmp_path / "out" / "table.npy"), [[0, 0], [1, 2], [0, 0], [3, 4]]
    )
    assert [row["known"] for row in vocabulary] == [False, True, False, True]
    assert (summary["unknown_words"], summary["unknown_share"], info["word_dim"]) == (2, 2 / 6, 2)


def test_vectors_fitted_on_the_corpus_say_that_they_are(tmp_path: Path) -> None:
    settings = {"fit": "corpus", "vector_size": 3, "epochs": 2, "min_count": 2}
    summary, _ = embed(tmp_path, "word2vec", **settings)
    info, _, vocabulary = read(tmp_path)
    assert (info["kind"], info["transductive"], info["word_dim"]) == ("static", True, 3)
    table = np.load(tmp_path / "table.npy")
    assert [row["known"] for row in vocabulary] == [False, True, False, True]
    assert summary["unknown_words"] == 2
    assert not table[[0, 2]].any() and table[[1, 3]].any(axis=1).all()


def test_one_hot_words_of_the_corpus_stand_in_a_table(tmp_path: Path) -> None:
    embed(tmp_path, "one_hot", fit="corpus", min_count=2)
    info, _, vocabulary = read(tmp_path)
    assert (info["kind"], info["word_dim"]) == ("static", 2)
    assert [row["word"] for row in vocabulary] == ["go", "no", "rain", "yes"]
    table = np.load(tmp_path / "table.npy")
    np.testing.assert_array_equal(table, [[0, 0], [1, 0], [0, 0], [0, 1]])
    assert table.dtype == np.float32


def test_files_of_another_kind_do_not_stay(tmp_path: Path) -> None:
    settings = {"vector_size": 3, "epochs": 2}
    embed(tmp_path / "changed", "word2vec", fit="corpus", **settings)
    (tmp_path / "changed" / ".info.json.1.2.tmp").write_text("of a killed run")
    embed(tmp_path / "changed", "word2vec", **settings)
    embed(tmp_path / "clean", "word2vec", **settings)
    assert fabricated.files(tmp_path / "changed") == fabricated.files(tmp_path / "clean")


def test_links_into_a_cache_are_replaced_never_written(tmp_path: Path) -> None:
    import os

    settings = {"fit": "corpus", "vector_size": 3, "epochs": 2}
    embed(tmp_path / "data", "word2vec", **settings)
    (tmp_path / "cache").mkdir()
    for path in (tmp_path / "data").iterdir():
        os.link(path, tmp_path / "cache" / path.name)
    before = fabricated.files(tmp_path / "cache")
    embed(tmp_path / "data", "word2vec", utterances()[:2], **settings)
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
    summary, rejections = embed(tmp_path, "made")
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
    embed(tmp_path, "made", changed)
    assert asked == ["b"], "only changed words are embedded again"


def test_a_corpus_without_words_is_rejected_whole(tmp_path: Path) -> None:
    summary, rejections = embed(tmp_path, "one_hot", [Utterance("a", "tiny", "sad")])
    assert (summary["used"], summary["rejected"], len(rejections)) == (0, 1, 1)
    assert summary["unknown_share"] == 0.0


def test_a_run_that_fails_leaves_the_old_files_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"fit": "corpus", "vector_size": 3, "epochs": 2}
    embed(tmp_path, "word2vec", **settings)
    before = fabricated.files(tmp_path)

    def full(file: Any, table: np.ndarray) -> None:
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="no space"):
        embed(tmp_path, "word2vec", utterances()[:2], **settings)
    assert fabricated.files(tmp_path) == before


def test_one_utterance_has_the_vectors_that_the_corpus_gives_it(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("no 1 2\nyes 3 4\n")
    config = lookup.component_config("text", "glove", {"path": path})
    said = Utterance("x", "", "", words=("yes", "rain", "no", "yes"))
    embedding.embed_corpus([said], "glove", config, tmp_path / "out")
    _, words, _ = read(tmp_path / "out")
    expected = np.load(tmp_path / "out" / "table.npy")[words["x"]]
    found = embedding.vectors(said, "glove", config)
    assert found is not None
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found, [[3, 4], [0, 0], [1, 2], [3, 4]])


def test_contextual_vectors_of_one_utterance(monkeypatch: pytest.MonkeyPatch) -> None:
    contextual(monkeypatch, [])
    found = embedding.vectors(utterances()[0], "made", Config())
    np.testing.assert_array_equal(found, np.full((3, 2), 3))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["one_hot", "word2vec"])
def test_vectors_that_are_fitted_stand_in_the_fold_or_nowhere(name: str) -> None:
    fold = lookup.component_config("text", name, {})
    assert embedding.vectors(utterances()[0], name, fold) is None
    corpus = lookup.component_config("text", name, {"fit": "corpus"})
    with pytest.raises(ConfigurationError, match="know no new words: set `fit: fold`"):
        embedding.vectors(utterances()[0], name, corpus)
