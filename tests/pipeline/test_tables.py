import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from pipeline import tables
from pipeline.lookup import ConfigurationError, StorageError
from pipeline.schema import Utterance, WordSpan

SPANS = [
    WordSpan("b", 0, "no", 0.0, 0.1, None, "uniform"),
    WordSpan("a", 1, "yes", 0.2, 0.3, 0.5, "ctc"),
    WordSpan("a", 0, "oh", 0.1, 0.2, 0.25, "ctc"),
]


def test_spans_are_written_in_order_with_their_provenance(tmp_path: Path) -> None:
    path = tmp_path / "new" / "spans.parquet"
    tables.write_spans(path, tables.span_table(SPANS), {"ctc.version": 3, "ctc.model": "own"})
    table = pq.read_table(path)
    names = ["utterance_id", "word_index", "word", "start", "end", "confidence", "aligner"]
    assert table.column_names == names
    assert table["utterance_id"].to_pylist() == ["a", "a", "b"]
    assert table.schema.metadata == {b"ctc.model": b"own", b"ctc.version": b"3"}
    before = path.read_bytes()
    tables.write_spans(path, tables.span_table(SPANS[::-1]), {"ctc.model": "own", "ctc.version": 3})
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == ["spans.parquet"]


def test_spans_are_read_by_utterance_in_the_order_of_words(tmp_path: Path) -> None:
    path = tmp_path / "spans.parquet"
    tables.write_spans(path, tables.span_table(SPANS), {})
    expected = {"a": [SPANS[2], SPANS[1]], "b": [SPANS[0]]}
    assert tables.read_spans(path) == expected
    # Rows and columns of a table that another program wrote stand in any order.
    columns = pq.read_table(path)
    pq.write_table(columns.select(columns.column_names[::-1]).take([2, 1, 0]), path)
    assert tables.read_spans(path) == expected


def test_a_table_that_is_no_table_of_spans_is_named(tmp_path: Path) -> None:
    path = tmp_path / "spans.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(ConfigurationError, match=r"spans\.parquet cannot be read.*dvc repro"):
        tables.read_spans(path)
    pq.write_table(pa.table({"utterance_id": ["a"], "word": ["oh"]}), path)
    with pytest.raises(ConfigurationError, match=r"has no column 'word_index': build it"):
        tables.read_spans(path)
    pq.write_table(pa.table({"utterance_id": ["a"], "word": ["oh"]}), path)
    with pytest.raises(ConfigurationError, match=r"columns of another version \(alignment_path, "):
        tables.read_utterances(path)


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100_000, "\xff"])
def test_json_that_no_stage_wrote_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "info.json"
    with pytest.raises(ConfigurationError, match=r"info\.json is missing: build it with"):
        tables.read_json(path)
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(
        ConfigurationError, match=r"info\.json cannot be read \(.*dvc repro"
    ) as said:
        tables.read_json(path)
    assert "\n" not in str(said.value)


def test_text_that_is_not_utf8_is_found_on_reading(tmp_path: Path) -> None:
    """Parquet pages carry no checksum: flipped bytes can come back as another text."""
    path = tmp_path / "words.parquet"
    pq.write_table(pa.table({"word": ["rain"]}), path, compression="none", use_dictionary=False)
    path.write_bytes(path.read_bytes().replace(b"rain", b"ra\xffn"))
    with pytest.raises(ConfigurationError, match=r"words\.parquet cannot be read \(.*UTF"):
        tables.read_table(path)


BIG = np.random.default_rng(0).standard_normal(200_000)


def save_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, BIG)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow over a megabyte: what a full disk does, without one."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(BIG.tobytes()),
        lambda path: pq.write_table(pa.table({"a": BIG}), path),
        lambda path: save_file({"a": torch.from_numpy(BIG)}, path),
        save_array,
    ],
    ids=["text", "parquet", "safetensors", "numpy"],
)
def test_a_full_disk_is_one_line_with_the_path(
    tmp_path: Path, small_files: None, write: Callable[[Path], None]
) -> None:
    (tmp_path / "x").write_text("as it was")
    expected = f"^{re.escape(str(tmp_path / 'x'))} cannot be written \\([^\n]*\\): mend that[^\n]*$"
    with pytest.raises(StorageError, match=expected), tables.replacing(tmp_path / "x") as temporary:
        write(temporary)
    assert [item.name for item in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_text() == "as it was"


def test_other_faults_while_writing_are_told_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), tables.replacing(tmp_path / "x"):
        raise ZeroDivisionError


def test_hdf5_never_meets_a_full_disk(tmp_path: Path) -> None:
    """It would end the process with a segmentation fault."""
    script = """
import resource, sys
from pathlib import Path
import numpy as np
from pipeline import tables
from pipeline.shards import _files
from pipeline.lookup import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (5 * 2**20, resource.RLIM_INFINITY))
try:
    with tables.replacing(Path(sys.argv[1])) as temporary:
        rows = (np.ones((1000, 40), dtype="<f4") for _ in range(100))
        _files.write_shard(temporary, 40, {}, rows, [])
except StorageError as error:
    print(error)
"""
    path = tmp_path / "shard-000.h5"
    command = [sys.executable, "-c", script, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0 and ended.stderr == ""
    assert ended.stdout.startswith(f"{path} cannot be written (File too large)")
    assert list(tmp_path.iterdir()) == []


def test_equal_strings_of_many_utterances_are_one(tmp_path: Path) -> None:
    rows = [
        Utterance(f"u{n}", "c", "sad", speaker="anna", words=("no", f"word{n % 2}"))
        for n in range(6)
    ]
    tables.write_utterances(tmp_path / "u.parquet", rows)
    read = tables.read_utterances(tmp_path / "u.parquet")
    assert read == rows
    assert len({id(item.speaker) for item in read}) == 1
    assert len({id(word) for item in read for word in item.words}) == 3
