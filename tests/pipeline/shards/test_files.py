from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.lookup import ConfigurationError
from pipeline.shards import Shards
from tests.resources import fabricated
from tests.resources.numbered_rows import DIM, build, file_of, names, small_shards, values


@pytest.fixture(autouse=True)
def serial(monkeypatch: pytest.MonkeyPatch) -> None:
    fabricated.run_serially(monkeypatch)
    small_shards(monkeypatch)


KINDS = (
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
)


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
        row = next(row for row in rows if row["shard"] == shard.stem.removeprefix("shard-"))
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


@pytest.mark.parametrize("kind", KINDS)
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
        assert old and {file_of(item, names(60)) for item in old} == {name}
    caplog.clear()
    _, asked = build(tmp_path / "data", wanted)
    assert not asked and not caplog.messages


def external_link(file: h5py.File, outside: Path) -> None:
    file["rows"] = h5py.ExternalLink(str(outside), "rows")


def soft_link(file: h5py.File, _: Path) -> None:
    file["elsewhere"] = np.ones((50, DIM), "<f4")
    file["rows"] = h5py.SoftLink("/elsewhere")


def link_through_a_group(file: h5py.File, outside: Path) -> None:
    file["group"] = h5py.ExternalLink(str(outside), "/")
    file["rows"] = h5py.SoftLink("/group/rows")


def external_storage(file: h5py.File, outside: Path) -> None:
    raw = [(str(outside), 0, 50 * DIM * 4)]
    file.create_dataset("rows", (50, DIM), dtype="<f4", external=raw)


def virtual(file: h5py.File, outside: Path) -> None:
    layout = h5py.VirtualLayout((50, DIM), dtype="<f4")
    layout[:] = h5py.VirtualSource(str(outside), "rows", (50, DIM))
    file.create_virtual_dataset("rows", layout)


def compact(file: h5py.File, _: Path) -> None:
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((50, DIM))
    h5py.h5d.create(file.id, b"rows", h5py.h5t.IEEE_F32LE, space, creation)


def never_stored(file: h5py.File, _: Path) -> None:
    file.create_dataset("rows", (10**12, DIM), dtype="<f4", chunks=(64, DIM))


def compressed(file: h5py.File, _: Path) -> None:
    file.create_dataset("rows", data=np.ones((50, DIM), "<f4"), compression="gzip")


REFUSED: dict[str, tuple[Callable[[h5py.File, Path], object], str]] = {
    "external link": (external_link, "a link out of the file"),
    "soft link": (soft_link, "a link out of the file"),
    "soft link through an external one": (link_through_a_group, "a link out of the file"),
    "external storage": (external_storage, "lie outside the file"),
    "virtual": (virtual, "lie outside the file"),
    "compact": (compact, "neither contiguous nor chunked"),
    "never stored": (never_stored, r"claims \(1000000000000, 3\) and stores 0 bytes"),
    "compressed": (compressed, "is filtered"),
    "nothing": (lambda file, _: None, "a link out of the file"),
    "group": (lambda file, _: file.create_group("rows"), "no float32 dataset"),
    "type": (
        lambda file, _: file.__setitem__("rows", np.dtype("<f4")),
        "no float32 dataset",
    ),
    "no values": (
        lambda file, _: file.__setitem__("rows", h5py.Empty("<f4")),
        "no float32 dataset",
    ),
    "one number": (lambda file, _: file.__setitem__("rows", np.float32(1)), r"float32 \(\)"),
    "one axis": (
        lambda file, _: file.__setitem__("rows", np.ones(50, "<f4")),
        r"float32 \(50,\), expected <f4 \(n, 3\)",
    ),
    "three axes": (
        lambda file, _: file.__setitem__("rows", np.ones((50, DIM, 1), "<f4")),
        r"\(50, 3, 1\), expected",
    ),
    "other width": (
        lambda file, _: file.__setitem__("rows", np.ones((50, DIM + 1), "<f4")),
        r"\(50, 4\), expected",
    ),
    "other byte order": (
        lambda file, _: file.__setitem__("rows", np.ones((50, DIM), ">f4")),
        "expected <f4",
    ),
    "double": (lambda file, _: file.__setitem__("rows", np.ones((50, DIM))), "float64"),
    "text": (
        lambda file, _: file.create_dataset("rows", (50, DIM), h5py.string_dtype()),
        "object",
    ),
    "bits": (
        lambda file, _: h5py.h5d.create(
            file.id, b"rows", h5py.h5t.STD_B32LE, h5py.h5s.create_simple((50, DIM))
        ),
        "rows",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_anything_but_rows_of_the_file_itself_is_refused(tmp_path: Path, kind: str) -> None:
    build(tmp_path / "data", names(20))
    item = "utterance 7"
    path = tmp_path / "data" / file_of(item, names(20))
    outside = tmp_path / "outside.h5"
    with h5py.File(outside, "w") as file:
        file["rows"] = np.ones((50, DIM), "<f4")
    path.unlink()
    write, said = REFUSED[kind]
    with h5py.File(path, "w") as file:
        write(file, outside)
    read = Shards(tmp_path / "data")
    with pytest.raises(
        ConfigurationError, match=f"{path.name} is damaged .*{said}.*: delete it and build it again"
    ) as refused:
        read.read(item)
    assert "\n" not in str(refused.value)
    (fault,) = read.faults()
    assert str(fault).startswith(path.name)
    _, asked = build(tmp_path / "data", {**names(20), "newcomer": "1"})
    assert item in asked
    np.testing.assert_array_equal(Shards(tmp_path / "data").read(item), values(item))


def rewrite(folder: Path, column: str, value: object, kind: pa.DataType | None = None) -> None:
    """Puts another value into the first row of the index."""
    path = folder / "index.parquet"
    table = pq.read_table(path)
    cells = [value, *table[column].to_pylist()[1:]]
    position = table.column_names.index(column)
    kind = kind or table.schema.field(column).type
    pq.write_table(table.set_column(position, column, pa.array(cells, kind)), path)


@pytest.mark.parametrize(
    ("column", "value", "kind", "said"),
    [
        ("start", -5, None, "a number is below zero"),
        ("length", -1, None, "a number is below zero"),
        ("shard", "../../etc", None, "a shard has another name"),
        ("start", None, None, "a cell is empty"),
        ("utterance_id", "utterance 11", None, "an utterance stands twice"),
        ("start", 0, pa.float64(), "its columns have other types"),
        ("start", 2**62, None, "shard-.* ends before the rows of"),
        ("length", 2**40, None, "shard-.* ends before the rows of"),
    ],
)
def test_an_index_beyond_its_shards_is_refused(
    tmp_path: Path, column: str, value: object, kind: pa.DataType | None, said: str
) -> None:
    build(tmp_path, names(20))
    first = sorted(names(20))[0]
    rewrite(tmp_path, column, value, kind)
    with pytest.raises(ConfigurationError, match=f"{said}.*: delete it and build it again"):
        Shards(tmp_path).read(first)
    build(tmp_path, names(20))
    np.testing.assert_array_equal(Shards(tmp_path).read(first), values(first))


@pytest.mark.parametrize("kind", KINDS)
def test_a_check_names_what_is_damaged(tmp_path: Path, kind: str) -> None:
    build(tmp_path, names(60))
    Shards(tmp_path).check()
    name = damage(tmp_path, kind)
    with pytest.raises(ConfigurationError, match=f"{name} is .*build it.* with `dvc repro`"):
        Shards(tmp_path).check()


def test_attributes_are_those_that_the_shards_were_written_with(tmp_path: Path) -> None:
    build(tmp_path, names(20))
    path = tmp_path / "attributes.json"
    path.write_text(path.read_text().replace("0.01", "0.02"))
    with pytest.raises(ConfigurationError, match=r"attributes\.json is damaged: shard-"):
        Shards(tmp_path).check()


def test_a_shard_that_ends_too_early_is_not_read_short(tmp_path: Path) -> None:
    build(tmp_path, names(20))
    item = "utterance 7"
    path = tmp_path / file_of(item, names(20))
    path.unlink()
    with h5py.File(path, "w") as file:
        file["rows"] = np.ones((0, DIM), "<f4")
    with pytest.raises(ConfigurationError, match="ends before the rows of 'utterance 7'"):
        Shards(tmp_path).read(item)
