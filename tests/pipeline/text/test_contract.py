"""What every module of pipeline/text keeps: its kind, its shapes, its types, strict
configuration.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import lookup
from pipeline.schema import Utterance

VECTORS = "5 3\nhappy 1 2 3\nsad 4 5 6\nday 7 8 9\na 1 1 1\nthe 2 2 2\n"
SENTENCES = [["a", "happy", "day"], ["the", "sad", "day"], [], ["happy", "happy"]]


def configurations(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """One section or more of each module, such as params.yaml may hold."""
    return [
        ("bert", {}),
        ("bert", {"pooling": "token"}),
        ("fasttext", {"path": str(path)}),
        ("glove", {"path": str(path), "unknown": "random"}),
        ("one_hot", {}),
        ("word2vec", {"vector_size": 8}),
        ("word2vec", {"path": str(path)}),
    ]


CASES = [(name, number) for number, (name, _) in enumerate(configurations(Path()))]


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    path.write_text(VECTORS, encoding="utf-8")
    return path


def test_every_module_is_tried() -> None:
    assert {name for name, _ in CASES} == set(lookup.names("text"))


@pytest.mark.parametrize(("name", "number"), CASES)
def test_contract(name: str, number: int, vectors: Path) -> None:
    module = lookup.component("text", name)
    config = lookup.configure(module.Config, configurations(vectors)[number][1], f"text.{name}")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.unknown = 1
    kind = module.kind(config)
    if kind == "static":
        vocabulary = ["sad", "zebra", "a"]
        table, known = module.look_up(vocabulary, config)
        assert table.shape == (3, 3)
        assert known.dtype == np.bool_
        assert known.tolist() == [True, False, True]
        np.testing.assert_array_equal(table[[0, 2]], [[4, 5, 6], [1, 1, 1]])
        assert module.look_up([], config)[0].shape == (0, 3)
    elif kind == "fitted":
        assert config.fit == "fold"
        vocabulary, table = module.fit(SENTENCES, config)
        assert vocabulary == ["happy", "day", "a", "sad", "the"]
        if table is None:  # one-hot: a word's place says all
            return
        assert table.shape[0] == 5
        assert np.array_equal(table, module.fit(SENTENCES, config)[1])
    else:
        assert kind == "contextual"
        utterances = [
            Utterance(f"u{i}", "c", "sad", words=tuple(words)) for i, words in enumerate(SENTENCES)
        ]
        results = list(module.embed(utterances, config))
        assert [utterance_id for utterance_id, _ in results] == ["u0", "u1", "u2", "u3"]
        table = np.concatenate([rows for _, rows in results])
        assert [len(rows) for _, rows in results] == [3, 3, 0, 2]
    assert table.dtype == np.float32
    assert np.isfinite(table).all()


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_an_unknown_key_is_refused(name: str) -> None:
    with pytest.raises(lookup.ConfigurationError, match="unknown key spelling, expected one of"):
        lookup.configure(lookup.component("text", name).Config, {"spelling": 1}, f"text.{name}")
