"""Feature shards: the only code that reads or writes HDF5 and shard indexes.

A folder holds `shard-NNN.h5`, each with one flat float32 dataset `rows` (total_rows,
dim), and `index.parquet` (utterance_id, shard, start, length, lost, key) sorted by
utterance_id. An utterance's shard follows from its id alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline import executor
from pipeline.schema import Rejection

NUM_SHARDS = 16
CHUNK_BYTES = 256 * 1024
INDEX = "index.parquet"
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


@dataclass(frozen=True)
class Rows:
    """What was made of one utterance: (length, dim) float32, and how many rows
    truncation took from its end.
    """

    utterance_id: str
    values: NDArray[np.float32]
    lost: int = 0


@dataclass(frozen=True)
class Built:
    """Outcome of `build`: rows written, how many of them were copied, and what could
    not be made.
    """

    used: int
    reused: int
    rejections: tuple[Rejection, ...]


Item = TypeVar("Item")
# Called in a worker process with what to compute from; yields the rows of each, in that
# order.
Produce = Callable[[Sequence[Item]], Iterator[Rows | Rejection]]


def key_of(*parts: object) -> str:
    """Hash of everything an utterance's rows depend on: audio or words, configuration,
    code.
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def shard_of(utterance_id: str) -> int:
    """The shard of an utterance: a function of its id, so that a grown corpus rewrites
    only shards that changed.
    """
    return int.from_bytes(hashlib.sha256(utterance_id.encode()).digest()[:8], "big") % NUM_SHARDS


def build(
    folder: Path,
    keys: Mapping[str, str],
    items: Mapping[str, Item],
    produce: Produce[Item],
    attributes: Mapping[str, Any],
    description: str,
) -> Built:
    """Brings a folder to hold the utterances of `keys` (id -> key), computing only rows
    whose key changed.

    `items` are what `produce` makes rows of (id -> item); a worker gets those of its
    shard alone. `attributes` describe the rows (JSON values) and are written to every
    shard. Peak memory: the rows of one utterance a worker.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # As they will be read back: a tuple would never equal the list that it becomes.
    attributes = dict(json.loads(json.dumps(dict(attributes), default=str)))
    for left_by_a_killed_run in folder.glob("*.tmp"):
        left_by_a_killed_run.unlink()
    previous = {row["utterance_id"]: row for row in _read_index(folder)}
    if previous and _attributes(folder) != attributes:
        previous = {}
    by_shard: list[dict[str, str]] = [{} for _ in range(NUM_SHARDS)]
    for utterance_id in sorted(keys):
        by_shard[shard_of(utterance_id)][utterance_id] = keys[utterance_id]
    work = [
        (
            shard,
            wanted,
            {name: items[name] for name in wanted},
            {name: row for name, row in previous.items() if row["shard"] == shard},
        )
        for shard, wanted in enumerate(by_shard)
    ]
    task = partial(_build_shard, folder, produce, attributes)
    index: list[dict[str, Any]] = []
    rejections: list[Rejection] = []
    reused = 0
    for rows, rejected, copied in executor.run(task, work, description):
        index += rows
        rejections += rejected
        reused += copied
    index.sort(key=lambda row: row["utterance_id"])
    _write_atomically(
        folder / INDEX,
        lambda path: pq.write_table(pa.Table.from_pylist(index, schema=SCHEMA), path),
    )
    (folder / "attributes.json").unlink(missing_ok=True)
    (folder / "attributes.json").write_text(json.dumps(attributes, indent=2, sort_keys=True) + "\n")
    return Built(len(index), reused, tuple(sorted(rejections, key=lambda item: item.utterance_id)))


class Shards:
    """Reads utterances' rows from a folder of shards."""

    def __init__(self, folder: Path) -> None:
        if not (folder / INDEX).is_file():
            raise FileNotFoundError(
                f"{folder / INDEX} is missing, expected a folder that `dvc repro` has built"
            )
        self.folder = folder
        self.attributes = _attributes(folder)
        self._index = {row["utterance_id"]: row for row in _read_index(folder)}
        self._files: dict[int, h5py.Dataset] = {}

    def __contains__(self, utterance_id: str) -> bool:
        return utterance_id in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)

    @property
    def feature_dim(self) -> int:
        """Width of a row; 0 when nothing was built."""
        return int(self.attributes["feature_dim"])

    def length(self, utterance_id: str) -> int:
        """Rows of an utterance."""
        return int(self._index[utterance_id]["length"])

    def lost(self, utterance_id: str) -> int:
        """Rows that truncation took from the utterance's end."""
        return int(self._index[utterance_id]["lost"])

    def read(self, utterance_id: str) -> NDArray[np.float32]:
        """The rows of an utterance: (length, dim) float32."""
        row = self._index[utterance_id]
        shard = row["shard"]
        if shard not in self._files:
            self._files[shard] = h5py.File(_shard_path(self.folder, shard), "r")["rows"]
        return np.asarray(
            self._files[shard][row["start"] : row["start"] + row["length"]], dtype=np.float32
        )


def _build_shard(
    folder: Path,
    produce: Produce[Item],
    attributes: dict[str, Any],
    work: tuple[int, dict[str, str], dict[str, Item], dict[str, dict[str, Any]]],
) -> tuple[list[dict[str, Any]], list[Rejection], int]:
    shard, wanted, items, previous = work
    path = _shard_path(folder, shard)
    # A run killed between two shards leaves new shards beside the old index: only rows
    # that the index describes count.
    if previous and _contents_of(path) != _contents(list(previous.values())):
        previous = {}
    current = {
        name for name, key in wanted.items() if name in previous and previous[name]["key"] == key
    }
    if current == set(wanted) == set(previous) and path.is_file() == bool(wanted):
        return list(previous.values()), [], len(current)
    fresh = produce([item for name, item in items.items() if name not in current])
    index: list[dict[str, Any]] = []
    rejections: list[Rejection] = []
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    old = h5py.File(path, "r") if current else None
    try:
        with h5py.File(temporary, "w") as file:
            writer = _Writer(file, int(attributes["feature_dim"]))
            for name in sorted(attributes):
                file.attrs[name] = json.dumps(attributes[name], sort_keys=True)
            for utterance_id, key in wanted.items():
                if utterance_id in current and old is not None:
                    row = previous[utterance_id]
                    made: Rows | Rejection = Rows(
                        utterance_id,
                        old["rows"][row["start"] : row["start"] + row["length"]],
                        row["lost"],
                    )
                else:
                    made = next(fresh)
                if made.utterance_id != utterance_id:
                    raise RuntimeError(
                        f"rows of {made.utterance_id!r} came, expected {utterance_id!r}"
                    )
                if isinstance(made, Rejection):
                    rejections.append(made)
                    continue
                start = writer.append(made.values)
                row = {
                    "utterance_id": utterance_id,
                    "shard": shard,
                    "start": start,
                    "length": len(made.values),
                }
                index.append({**row, "lost": made.lost, "key": key})
            writer.flush()
            file.attrs["contents"] = _contents(index)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        if old is not None:
            old.close()
    # The old shard may be a read-only link into a cache that others share: replace it,
    # never write into it.
    if index:
        temporary.replace(path)
    else:
        temporary.unlink()
        path.unlink(missing_ok=True)
    return index, rejections, len(current)


class _Writer:
    """Appends rows in blocks of one chunk, so that a shard's bytes depend on its rows
    alone.
    """

    def __init__(self, file: h5py.File, dim: int) -> None:
        self.dim = dim
        self.block = max(1, CHUNK_BYTES // (4 * max(1, dim)))
        self.dataset = file.create_dataset(
            "rows",
            (0, dim),
            maxshape=(None, dim),
            dtype="<f4",
            chunks=(self.block, max(1, dim)),
            track_times=False,
        )
        self.pending: list[NDArray[np.float32]] = []
        self.waiting = 0
        self.total = 0

    def append(self, values: NDArray[np.float32]) -> int:
        if values.ndim != 2 or values.shape[1] != self.dim:
            raise ValueError(f"rows of shape {values.shape}, expected (length, {self.dim})")
        start = self.total
        self.pending.append(np.asarray(values, dtype="<f4"))
        self.waiting += len(values)
        self.total += len(values)
        if self.waiting >= self.block:
            rows = np.concatenate(self.pending)
            whole = len(rows) // self.block * self.block
            for first in range(0, whole, self.block):
                self._write(rows[first : first + self.block])
            self.pending = [rows[whole:].copy()]
            self.waiting = len(rows) - whole
        return start

    def flush(self) -> None:
        if self.waiting:
            self._write(np.concatenate(self.pending))
        self.pending, self.waiting = [], 0

    def _write(self, rows: NDArray[np.float32]) -> None:
        end = self.dataset.shape[0]
        self.dataset.resize(end + len(rows), axis=0)
        self.dataset[end:] = rows


def _contents(rows: Sequence[Mapping[str, Any]]) -> str:
    return key_of([[row[name] for name in SCHEMA.names] for row in rows])


def _contents_of(path: Path) -> str:
    if not path.is_file():
        return ""
    with h5py.File(path, "r") as file:
        return str(file.attrs.get("contents", ""))


def _shard_path(folder: Path, shard: int) -> Path:
    return folder / f"shard-{shard:03d}.h5"


def _read_index(folder: Path) -> list[dict[str, Any]]:
    path = folder / INDEX
    return list(pq.read_table(path).to_pylist()) if path.is_file() else []


def _attributes(folder: Path) -> dict[str, Any]:
    path = folder / "attributes.json"
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def _write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    write(temporary)
    temporary.replace(path)
