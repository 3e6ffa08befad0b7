"""fastText files against gensim's reader of them, sub-words included."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from pipeline.lookup import ConfigurationError
from pipeline.text import fasttext

SENTENCES = [
    ["happy", "days", "are", "here"],
    ["traurige", "tage", "für", "mich"],
    ["今天", "天气", "很", "好"],
] * 10


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from gensim.models import FastText
    from gensim.models.fasttext import save_facebook_model

    path = tmp_path_factory.mktemp("fasttext") / "model.bin"
    trained = FastText(
        SENTENCES,
        vector_size=12,
        min_count=1,
        min_n=3,
        max_n=5,
        bucket=500,
        workers=1,
        seed=1,
        epochs=2,
    )
    save_facebook_model(trained, str(path))
    return path


def test_vectors_equal_gensims_sub_words_included(model: Path) -> None:
    from gensim.models.fasttext import load_facebook_vectors

    reference = load_facebook_vectors(str(model))
    words = ["happy", "für", "今天", "unhappiness", "fürchterlich", "今天天气", "tagein"]
    table, known = fasttext.look_up(words, fasttext.Config(path=model))
    assert known.all()
    np.testing.assert_allclose(table, [reference[word] for word in words], rtol=0, atol=1e-6)


def test_without_sub_words_a_new_word_is_unknown(model: Path) -> None:
    table, known = fasttext.look_up(
        ["happy", "unhappiness"], fasttext.Config(path=model, subwords=False)
    )
    assert known.tolist() == [True, False]
    assert not table[1].any()


def test_a_vec_file_has_no_sub_words(model: Path, tmp_path: Path) -> None:
    from gensim.models.fasttext import load_facebook_vectors

    reference = load_facebook_vectors(str(model))
    path = tmp_path / "model.vec"
    reference.save_word2vec_format(str(path))
    table, known = fasttext.look_up(["happy", "unhappiness"], fasttext.Config(path=path))
    assert known.tolist() == [True, False]
    np.testing.assert_allclose(table[0], reference["happy"], rtol=1e-5)


def test_broken_models_are_refused_with_a_reason(model: Path, tmp_path: Path) -> None:
    content = model.read_bytes()
    cases = {
        "packed.bin.gz": (gzip.compress(content), "gunzip"),
        "header.bin": (content[:40], "truncated"),
        "dictionary.bin": (content[:120], "truncated"),
        # 500 buckets and 12 words of 12 numbers, twice (input and output): a third is
        # inside the input matrix
        "matrix.bin": (content[: len(content) // 3], "truncated"),
        "version.bin": (content[:4] + b"\x63\0\0\0" + content[8:], "version 99"),
    }
    for name, (data, reason) in cases.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ConfigurationError, match=reason):
            fasttext.look_up(["happy"], fasttext.Config(path=path))
