from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import shards
from pipeline.lookup import ConfigurationError
from pipeline.shards import Shards
from tests.resources import fabricated
from tests.resources.numbered_rows import DIM, build, names, values


@pytest.fixture(autouse=True)
def serial(monkeypatch: pytest.MonkeyPatch) -> None:
    fabricated.run_serially(monkeypatch)


def damage(folder: Path, kind: str) -> str:
    """Damages one file of a folder of shards as told; returns its name."""
    shard = sorted(folder.glob("shard-*.h5"))[3]
    content = bytearray(shard.read_bytes())
    if kind == "flipped row":
        with h5py.File(shard, "r") as file:
            offset = file["rows"].id.get_chunk_info(0).byte_offset
        content[offset + 5] ^= 0x10
    elif kind == "flipped end":
        content[-1] ^= 1
    elif kind == "truncated":
        content = content[: len(content) // 2]
    elif kind == "emptied":
        content = bytearray()
    shard.write_bytes(content)
    index, attributes = folder / "index.parquet", folder / "attributes.json"
    if kind == "missing shard":
        shard.unlink()
    elif kind == "garbage index":
        index.write_bytes(b"garbage")
        return index.name
    elif kind == "missing index":
        index.unlink()
        return index.name
    elif kind == "changed index":
        table = pq.read_table(index)
        rows = table.to_pylist()
        row = next(row for row in rows if row["shard"] == int(shard.stem[-3:]))
        row["start"] += 1
        pq.write_table(pa.Table.from_pylist(rows, table.schema), index)
        return index.name
    elif kind == "missing attributes":
        attributes.unlink()
        return attributes.name
    elif kind == "garbage attributes":
        attributes.write_text("[1, 2")
        return attributes.name
    return shard.name


@pytest.mark.parametrize(
    "kind",
    [
        "flipped row",
        "flipped end",
        "truncated",
        "emptied",
        "missing shard",
        "garbage index",
        "missing index",
        "changed index",
        "missing attributes",
        "garbage attributes",
    ],
)
@pytest.mark.parametrize("grown", [False, True], ids=["same", "grown"])
def test_what_is_damaged_is_made_again_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, grown: bool
) -> None:
    """`grown` copies the rows of old shards, the other case keeps their files."""
    build(tmp_path / "data", names(60))
    name = damage(tmp_path / "data", kind)
    wanted = {**names(60), **{f"newcomer {number}": "1" for number in range(60 * grown)}}
    _, asked = build(tmp_path / "data", wanted)
    build(tmp_path / "clean", wanted)
    assert fabricated.files(tmp_path / "data") == fabricated.files(tmp_path / "clean")
    (line,) = caplog.messages
    assert line.startswith(f"{tmp_path / 'data'}/{name} is ") and line.endswith("; made again")
    if name.startswith("shard"):
        old = set(asked) & set(names(60))
        assert old and {f"shard-{shards.shard_of(item):03d}.h5" for item in old} == {name}
    caplog.clear()
    _, asked = build(tmp_path / "data", wanted)
    assert not asked and not caplog.messages


@pytest.mark.parametrize("kind", ["external link", "external storage", "virtual", "other type"])
def test_rows_outside_the_file_are_refused(tmp_path: Path, kind: str) -> None:
    build(tmp_path / "data", names(20))
    item = "utterance 7"
    path = tmp_path / "data" / f"shard-{shards.shard_of(item):03d}.h5"
    outside = tmp_path / "outside.h5"
    with h5py.File(outside, "w") as file:
        file["rows"] = np.ones((50, DIM), "<f4")
    path.unlink()
    with h5py.File(path, "w") as file:
        if kind == "external link":
            file["rows"] = h5py.ExternalLink(str(outside), "rows")
        elif kind == "external storage":
            raw = [(str(outside), 0, 50 * DIM * 4)]
            file.create_dataset("rows", (50, DIM), dtype="<f4", external=raw)
        elif kind == "virtual":
            layout = h5py.VirtualLayout((50, DIM), dtype="<f4")
            layout[:] = h5py.VirtualSource(str(outside), "rows", (50, DIM))
            file.create_virtual_dataset("rows", layout)
        else:
            file["rows"] = np.ones((50, DIM), "<f8")
    with pytest.raises(ConfigurationError, match=f"{path.name} is damaged .*: build it with"):
        Shards(tmp_path / "data").read(item)
    _, asked = build(tmp_path / "data", {**names(20), "newcomer": "1"})
    assert item in asked
    np.testing.assert_array_equal(Shards(tmp_path / "data").read(item), values(item))


def test_a_shard_that_ends_too_early_is_not_read_short(tmp_path: Path) -> None:
    build(tmp_path, names(20))
    item = "utterance 7"
    path = tmp_path / f"shard-{shards.shard_of(item):03d}.h5"
    path.unlink()
    with h5py.File(path, "w") as file:
        file["rows"] = np.ones((0, DIM), "<f4")
    with pytest.raises(ConfigurationError, match="ends before the rows of 'utterance 7'"):
        Shards(tmp_path).read(item)
