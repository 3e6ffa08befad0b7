from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import lookup
from pipeline.shards import Shards, _files
from tests.resources import fabricated
from tests.resources.numbered_rows import build, names


@pytest.fixture(autouse=True)
def serial(monkeypatch: pytest.MonkeyPatch) -> None:
    fabricated.run_serially(monkeypatch)


def test_the_environments_that_made_the_rows_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = lookup.environment()
    build(tmp_path, names(20))
    assert Shards(tmp_path).made_by == [here]
    other = {**here, "numpy": "0.1"}
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(_files, "environment", lambda: other)
        build(tmp_path, names(20))
        assert Shards(tmp_path).made_by == [here], "nothing was made elsewhere"
        build(tmp_path, {**names(20), "utterance 7": "2"})
        versions = {made["numpy"] for made in Shards(tmp_path).made_by}
        assert versions == {here["numpy"], "0.1"}
        build(tmp_path, dict.fromkeys(names(20), "3"))
        assert Shards(tmp_path).made_by == [other]
    # An index of an older version does not say it.
    path = tmp_path / "index.parquet"
    table = pq.read_table(path)
    old = {key: value for key, value in table.schema.metadata.items() if key != b"made_by"}
    pq.write_table(table.replace_schema_metadata(old), path)
    read = Shards(tmp_path)
    read.check()
    assert read.made_by == []
    assert build(tmp_path, dict.fromkeys(names(20), "3"))[1] == []
