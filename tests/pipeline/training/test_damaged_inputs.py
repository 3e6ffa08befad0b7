"""Inputs of training that are not as their stage wrote them: one line with the file's
name, before anything is trained.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.lookup import ConfigurationError
from pipeline.training import fold, loop, schedule
from pipeline.training.inputs import Folders
from tests.resources import fabricated


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scramble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :: 3] = b"\xaa" * len(content[len(content) // 2 :: 3])
    path.write_bytes(content)


def missing(path: Path) -> None:
    path.unlink()


def cell(column: str, value: object) -> Callable[[Path], None]:
    """Another value in the first row."""

    def change(path: Path) -> None:
        table = pq.read_table(path)
        cells = [value, *table[column].to_pylist()[1:]]
        place = table.column_names.index(column)
        kind = table.schema.field(column).type
        pq.write_table(table.set_column(place, column, pa.array(cells, kind)), path)

    return change


def without(column: str) -> Callable[[Path], None]:
    return lambda path: pq.write_table(pq.read_table(path).drop_columns([column]), path)


def said(**values: object) -> Callable[[Path], None]:
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | values))


def saved(table: np.ndarray) -> Callable[[Path], None]:
    return lambda path: np.save(path, table)


DAMAGES = (cut, empty, scramble, missing)
FILES = (
    "spans.parquet",
    "words.parquet",
    "vocabulary.parquet",
    "folds.parquet",
    "index.parquet",
    "attributes.json",
    "info.json",
    "table.npy",
    "shard-*.h5",
)
CASES = [(name, damage) for name in FILES for damage in DAMAGES] + [
    ("spans.parquet", cell("start", float("nan"))),
    ("spans.parquet", cell("end", -1.0)),
    ("spans.parquet", without("word_index")),
    ("words.parquet", cell("word_ids", [1])),
    ("vocabulary.parquet", cell("word", "gone")),
    ("table.npy", saved(np.zeros((8, 3), np.float32))),
    ("words.parquet", cell("word_ids", [99])),
    ("words.parquet", cell("word_ids", [])),
    ("words.parquet", without("word_ids")),
    ("vocabulary.parquet", without("word")),
    ("folds.parquet", cell("subset_0", "tset")),
    ("folds.parquet", without("emotion_0")),
    ("index.parquet", cell("start", 3)),
    ("index.parquet", without("length")),
    ("attributes.json", said(feature_dim=5)),
    ("attributes.json", said(timing={"frame_length": 1.0})),
    ("info.json", said(kind="statis")),
    ("info.json", said(word_dim="3")),
    ("table.npy", saved(np.zeros((7, 2), np.float32))),
    ("table.npy", saved(np.zeros((8, 3)))),
    ("table.npy", saved(np.array([{}], dtype=object))),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as monkeypatch:
        fabricated.run_serially(monkeypatch)
        fabricated.write_inputs(data, fabricated.experiment())
        chosen = fabricated.experiment(text="glove")
        fabricated.embed_words(data, chosen)
    return data


@pytest.mark.parametrize(("name", "damage"), CASES)
def test_a_damaged_input_is_one_line_with_its_name(
    tmp_path: Path,
    whole: Path,
    name: str,
    damage: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "train", lambda *_: pytest.fail("trained on a damaged input"))
    data = tmp_path / "data"
    shutil.copytree(whole, data)
    chosen = fabricated.experiment(text="glove")
    inputs = Folders.of(chosen, data)
    folders = (inputs.acoustic, inputs.spans, inputs.text, inputs.split)
    path = sorted(path for folder in folders for path in folder.glob(name))[-1]
    damage(path)
    with pytest.raises(ConfigurationError, match=rf"{path.name} .*dvc repro") as raised:
        work = schedule.tasks(
            "made", chosen, {}, fabricated.CLASSES, data, tmp_path / "models", tmp_path / "scratch"
        )
        fold.train_fold(work[0])
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "models").exists()
