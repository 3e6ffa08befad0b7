from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import tables
from pipeline.lookup import ConfigurationError
from pipeline.schema import WordSpan

SPANS = [
    WordSpan("b", 0, "no", 0.0, 0.1, None, "uniform"),
    WordSpan("a", 1, "yes", 0.2, 0.3, 0.5, "ctc"),
    WordSpan("a", 0, "oh", 0.1, 0.2, 0.25, "ctc"),
]


def test_spans_are_written_in_order_with_their_provenance(tmp_path: Path) -> None:
    path = tmp_path / "new" / "spans.parquet"
    tables.write_spans(path, SPANS, {"ctc.version": 3, "ctc.model": "own"})
    table = pq.read_table(path)
    names = ["utterance_id", "word_index", "word", "start", "end", "confidence", "aligner"]
    assert table.column_names == names
    assert table["utterance_id"].to_pylist() == ["a", "a", "b"]
    assert table.schema.metadata == {b"ctc.model": b"own", b"ctc.version": b"3"}
    before = path.read_bytes()
    tables.write_spans(path, SPANS[::-1], {"ctc.model": "own", "ctc.version": 3})
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == ["spans.parquet"]


def test_spans_are_read_by_utterance_in_the_order_of_words(tmp_path: Path) -> None:
    path = tmp_path / "spans.parquet"
    tables.write_spans(path, SPANS, {})
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
