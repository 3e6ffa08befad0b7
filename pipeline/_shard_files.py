"""The files of a folder of shards: HDF5, index and attributes, read without trust."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.folders import require_space
from pipeline.lookup import ConfigurationError, environment
from pipeline.tables import read_parquet, replacing, write_text

CHUNK_BYTES = 256 * 1024
OVERHEAD = 2**20  # bytes, more than a shard has beside its rows
INDEX, ATTRIBUTES = "index.parquet", "attributes.json"
MADE_BY = "made_by"  # in the metadata of the index, beside the hashes of the shards
SCHEMA = pa.schema(
    [
        ("utterance_id", pa.string()),
        ("shard", pa.int32()),
        ("start", pa.int64()),
        ("length", pa.int64()),
        ("lost", pa.int64()),
        ("key", pa.string()),
    ]
)
Float = NDArray[np.float32]
Index = list[dict[str, Any]]


class DamagedError(Exception):
    """A file is not as it was written; the message begins with its name."""


class MissingError(DamagedError):
    """A file is not there."""


@dataclass(frozen=True)
class Written:
    """A shard as it was written: the SHA-256 of its file, empty where there is none,
    and the environments (`lookup.environment` as JSON) that made its rows.
    """

    sha256: str = ""
    made_by: tuple[str, ...] = ()


def unusable(folder: Path, fault: DamagedError) -> ConfigurationError:
    """The error of somebody who reads a folder of shards: one line, what to do."""
    remedy = "build it" if isinstance(fault, MissingError) else "delete it and build it again"
    reason = " ".join(str(fault).split())
    return ConfigurationError(f"{folder}/{reason}: {remedy} with `dvc repro`")


def name_of(shard: int) -> str:
    """File name of a shard."""
    return f"shard-{shard:03d}.h5"


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key_of(*parts: object) -> str:
    """Hash of everything that an utterance's rows depend on: audio or words,
    configuration, code.
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def write_shard(
    path: Path, dim: int, attributes: Mapping[str, Any], arrays: Iterable[Float], index: Index
) -> None:
    """Writes the rows of `arrays`, each (length, dim), one after the other.

    `index` is what iterating over `arrays` has made of the shard's part of the index.
    """
    size = max(1, CHUNK_BYTES // (4 * max(1, dim)))
    with h5py.File(path, "w") as file:
        rows = file.create_dataset(
            "rows",
            (0, dim),
            maxshape=(None, dim),
            dtype="<f4",
            chunks=(size, max(1, dim)),
            track_times=False,
        )
        for name in sorted(attributes):
            file.attrs[name] = _json(attributes[name])
        for block in _blocks(arrays, size):
            end = len(rows)
            require_space(path, 4 * dim * (end + len(block)) + OVERHEAD)
            rows.resize(end + len(block), axis=0)
            rows[end:] = block
        file.attrs["contents"] = _contents(index)


def open_rows(path: Path, dim: int) -> h5py.Dataset:
    """The dataset (n, dim) of a shard, left open; what reaches out of the file or holds
    more than the file has bytes for is refused.
    """
    try:
        file = h5py.File(path, "r")
    except (OSError, RuntimeError) as error:
        raise DamagedError(f"{path.name} is damaged ({_line(error)})") from None
    try:
        return _rows(file, dim)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        file.close()
        raise DamagedError(f"{path.name} is damaged ({_line(error)})") from None


def check_shard(
    path: Path,
    attributes: Mapping[str, Any],
    written: Written,
    index: Sequence[Mapping[str, Any]],
) -> None:
    """Raises DamagedError where a shard is not the file that was `written`, or not what
    its part of the index and `attributes` describe.
    """
    if not path.is_file():
        raise MissingError(f"{path.name} is missing")
    # Bytes that nobody vouches for are not given to the HDF5 library.
    try:
        found = sha256(path)
    except OSError as error:
        raise DamagedError(f"{path.name} is damaged ({_line(error)})") from None
    if found != written.sha256:
        raise DamagedError(
            f"{path.name} is not the file that {INDEX} was written with: it is damaged, or a run "
            "was interrupted"
        )
    try:
        with h5py.File(path, "r") as file:
            described = {name: str(value) for name, value in file.attrs.items()}
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DamagedError(f"{path.name} is damaged ({_line(error)})") from None
    contents = described.pop("contents", "")
    if described != {name: _json(value) for name, value in attributes.items()}:
        raise DamagedError(f"{ATTRIBUTES} is damaged: {path.name} was written with another one")
    rows = open_rows(path, int(attributes["feature_dim"]))
    with rows.file:
        end = len(rows)
    if contents != _contents(index) or end != sum(row["length"] for row in index):
        raise DamagedError(f"{INDEX} is damaged: {path.name} was written with another one")


def write_index(folder: Path, index: Index, written: Mapping[str, Written]) -> None:
    """Writes the index by utterance_id; what was written of every shard stands in its
    metadata.
    """
    rows = sorted(index, key=lambda row: str(row["utterance_id"]))
    metadata = {name: item.sha256 for name, item in written.items()}
    metadata[MADE_BY] = _json({name: list(item.made_by) for name, item in written.items()})
    with replacing(folder / INDEX) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA.with_metadata(metadata)), temporary)


def read_index(folder: Path) -> tuple[Index, dict[str, Written]]:
    """The rows of the index, and what was written of every shard."""
    try:
        table = read_parquet(folder / INDEX)
        found = {key.decode(): text.decode() for key, text in (table.schema.metadata or {}).items()}
        made_by = json.loads(found.pop(MADE_BY, "{}"))
        written = {
            name: Written(sha256, tuple(made_by.get(name, ()))) for name, sha256 in found.items()
        }
        table = table.select(SCHEMA.names)
        _check_index(table)
        return table.to_pylist(), written
    except FileNotFoundError:
        raise MissingError(f"{INDEX} is missing") from None
    except (OSError, AttributeError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise DamagedError(f"{INDEX} is damaged ({_line(error)})") from None


def read_previous(
    folder: Path, attributes: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Any]], dict[str, Written], str]:
    """The rows of the index by utterance and the file of each shard, empty where
    nothing of the folder can be kept, and why where it is damaged.
    """
    try:
        if any(folder.glob("shard-*.h5")) and read_attributes(folder) == attributes:
            index, written = read_index(folder)
            return {row["utterance_id"]: row for row in index}, written, ""
    except DamagedError as error:
        return {}, {}, str(error)
    return {}, {}, ""


def here() -> str:
    """The environment of this process, as it is written."""
    return _json(environment())


def write_attributes(folder: Path, attributes: Mapping[str, Any]) -> None:
    """Writes what describes the rows of every shard."""
    write_text(folder / ATTRIBUTES, json.dumps(attributes, indent=2, sort_keys=True) + "\n")


def read_attributes(folder: Path) -> dict[str, Any]:
    """What describes the rows of every shard."""
    try:
        attributes = dict(json.loads((folder / ATTRIBUTES).read_text(encoding="utf-8")))
        attributes["feature_dim"] = int(attributes["feature_dim"])
        return attributes
    except FileNotFoundError:
        raise MissingError(f"{ATTRIBUTES} is missing") from None
    except (OSError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise DamagedError(f"{ATTRIBUTES} is damaged ({_line(error)})") from None


def _rows(file: h5py.File, dim: int) -> h5py.Dataset:
    if not isinstance(file.get("rows", getlink=True), h5py.HardLink):
        raise ValueError("`rows` is a link out of the file")
    rows = file["rows"]
    if not isinstance(rows, h5py.Dataset) or rows.shape is None:
        raise ValueError(f"`rows` is no float32 dataset (n, {dim})")
    if rows.external or rows.is_virtual:
        raise ValueError("the values of `rows` lie outside the file")
    if rows.dtype != "<f4" or rows.ndim != 2 or rows.shape[1] != dim:
        raise ValueError(f"`rows` is {rows.dtype} {rows.shape}, expected <f4 (n, {dim})")
    layout = rows.id.get_create_plist()
    if layout.get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED):
        raise ValueError("`rows` is neither contiguous nor chunked")
    if layout.get_nfilters():
        raise ValueError("`rows` is filtered")
    # Rows that were never stored read as zeros, as many as the file likes to claim.
    if rows.id.get_storage_size() < 4 * rows.size:
        raise ValueError(
            f"`rows` claims {rows.shape} and stores {rows.id.get_storage_size()} bytes"
        )
    return rows


def _check_index(table: pa.Table) -> None:
    if not table.schema.equals(SCHEMA):
        raise ValueError("its columns have other types")
    if any(column.null_count for column in table.columns):
        raise ValueError("a cell is empty")
    if len(set(table["utterance_id"].to_pylist())) != len(table):
        raise ValueError("an utterance stands twice")
    if any((table[name].to_numpy() < 0).any() for name in ("shard", "start", "length", "lost")):
        raise ValueError("a number is below zero")


def _blocks(arrays: Iterable[Float], size: int) -> Iterator[Float]:
    """The same rows in arrays of `size`, the last one shorter.

    Written chunk by chunk, a file's bytes depend on its rows alone.
    """
    pending: list[Float] = []
    waiting = 0
    for values in arrays:
        pending.append(np.asarray(values, dtype="<f4"))
        waiting += len(values)
        if waiting >= size:
            rows = np.concatenate(pending)
            whole = len(rows) // size * size
            for first in range(0, whole, size):
                yield rows[first : first + size]
            pending, waiting = [rows[whole:].copy()], len(rows) - whole
    if waiting:
        yield np.concatenate(pending)


def _contents(index: Sequence[Mapping[str, Any]]) -> str:
    return key_of([[row[name] for name in SCHEMA.names] for row in index])


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
