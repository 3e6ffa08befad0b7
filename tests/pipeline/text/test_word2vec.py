"""CBOW fitted by gensim: determinism across processes, sense in the vectors; files
against gensim's own reader.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.lookup import ConfigurationError
from pipeline.text import word2vec

SCRIPT = """
import hashlib
from pipeline.text import word2vec
words = ["joy", "delight", "sorrow", "grief", "day", "night", "came", "with", "zürich", "你好"]
sentences = [[words[(i * j) % 10] for j in range(1, 8)] for i in range(40)]
vocabulary, table = word2vec.fit(sentences, word2vec.Config(vector_size=16, epochs=5))
print(vocabulary[0], hashlib.sha256(table.tobytes() + repr(vocabulary).encode()).hexdigest())
"""


def test_fitting_gives_the_same_numbers_in_every_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
            encoding="utf-8",
        ).stdout
        for seed in ("0", "1", "4321")
    }
    assert len(outputs) == 1


def test_words_of_the_same_contexts_come_close() -> None:
    generator = random.Random(0)
    contexts = {
        "glad": ["sun", "smile", "party"],
        "happy": ["sun", "smile", "party"],
        "sad": ["rain", "tears", "funeral"],
    }
    sentences = []
    for _ in range(600):
        word = generator.choice(sorted(contexts))
        sentences.append(
            [*generator.sample(contexts[word], 2), word, *generator.sample(contexts[word], 2)]
        )
    vocabulary, table = word2vec.fit(sentences, word2vec.Config(vector_size=20, sample=0))
    table = table - table.mean(axis=0)
    unit = dict(zip(vocabulary, table / np.linalg.norm(table, axis=1, keepdims=True), strict=True))
    assert unit["glad"] @ unit["happy"] > unit["glad"] @ unit["sad"] + 0.3


def test_the_seed_counts_and_rows_follow_the_vocabulary() -> None:
    sentences = [["b", "a", "b"], ["c", "b", "a"], []]
    vocabulary, table = word2vec.fit(sentences, word2vec.Config(vector_size=4))
    _, other = word2vec.fit(sentences, word2vec.Config(vector_size=4, seed=1))
    assert vocabulary == ["b", "a", "c"]
    assert table.shape == (3, 4)
    assert not np.array_equal(table, other)
    assert np.array_equal(word2vec.fit(sentences, word2vec.Config(vector_size=4))[1], table)


def test_rare_words_can_be_left_out() -> None:
    vocabulary, _ = word2vec.fit(
        [["b", "a", "b"], ["c", "b", "a"]], word2vec.Config(vector_size=4, min_count=2)
    )
    assert vocabulary == ["b", "a"]


def test_no_words_at_all_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="2 sentences have no word that occurs 1 times"):
        word2vec.fit([[], []], word2vec.Config())


def test_a_path_makes_it_static(tmp_path: Path) -> None:
    assert word2vec.kind(word2vec.Config()) == "fitted"
    assert word2vec.kind(word2vec.Config(path=tmp_path / "x.bin")) == "static"
    with pytest.raises(ConfigurationError, match="set `path` to a word2vec"):
        word2vec.look_up(["a"], word2vec.Config())


@pytest.mark.parametrize("name", ["vectors.bin", "vectors.txt", "vectors.bin.gz", "vectors.txt.gz"])
def test_pretrained_files_read_as_gensim_reads_them(tmp_path: Path, name: str) -> None:
    from gensim.models import KeyedVectors

    generator = np.random.default_rng(3)
    words = ["the", "Mary", "you", "ain't", "München", "你好", *(f"w{i}" for i in range(500))]
    vectors = KeyedVectors(30)
    vectors.add_vectors(words, generator.standard_normal((len(words), 30)).astype(np.float32))
    path = tmp_path / name
    vectors.save_word2vec_format(str(path), binary=".bin" in name)
    reference = KeyedVectors.load_word2vec_format(str(path), binary=".bin" in name)

    wanted = ["you", "w499", "mary", "nowhere", "你好", "München"]
    table, known = word2vec.look_up(wanted, word2vec.Config(path=path))
    assert known.tolist() == [True, True, True, False, True, True]
    for row, word in enumerate(["you", "w499", "Mary", None, "你好", "München"]):
        expected = reference[word] if word else np.zeros(30)
        np.testing.assert_array_equal(table[row], expected)


def test_binary_files_without_line_ends_and_with_them_read_alike(tmp_path: Path) -> None:
    rows = np.arange(12, dtype="<f4").reshape(3, 4)
    for end in (b"", b"\n"):
        path = tmp_path / f"v{len(end)}.bin"
        body = b"".join(
            word + b" " + row.tobytes() + end
            for word, row in zip([b"a", b"b", b"c"], rows, strict=True)
        )
        path.write_bytes(b"3 4\n" + body)
        table, known = word2vec.look_up(["c", "a", "missing"], word2vec.Config(path=path))
        np.testing.assert_array_equal(table[:2], rows[[2, 0]])
        assert known.tolist() == [True, True, False]


def test_a_truncated_binary_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "v.bin"
    path.write_bytes(b"3 4\na " + np.ones(4, "<f4").tobytes() + b"b " + b"\0" * 7)
    with pytest.raises(ConfigurationError, match="end after 1 words, expected 3"):
        word2vec.look_up(["c"], word2vec.Config(path=path))
