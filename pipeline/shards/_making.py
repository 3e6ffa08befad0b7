"""One shard, of what is stored and of what is computed."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.folders import state
from pipeline.schema import Rejection
from pipeline.shards import _files as files
from pipeline.shards._files import Stored
from pipeline.shards._rows import DamagedError, Placed
from pipeline.tables import replacing


@dataclass(frozen=True)
class Rows:
    """What was made of one utterance: (length, dim) float32, and how many rows a frame
    limit cut from its end.
    """

    utterance_id: str
    values: NDArray[np.float32]
    lost: int = 0


@dataclass(frozen=True)
class Work:
    """A shard that is wanted: the key of each utterance, the stored shards that hold
    some of them, which of these are known to be whole, and, for a worker, the items and
    what has just been made of them in pieces.
    """

    name: str
    keys: dict[str, str]
    stored: tuple[Stored, ...]
    whole: tuple[bool, ...]
    items: Mapping[str, Any] = field(default_factory=dict)
    made: tuple["Made", ...] = ()

    @property
    def is_stored(self) -> bool:
        """Whether its file has what is wanted, and nothing else."""
        names = [item.path.name for item in self.stored]
        return names == [self.name] and self.keys == self.stored[0].keys

    @property
    def fresh(self) -> list[str]:
        """The utterances that no stored shard holds."""
        held = {pair for old in self.stored for pair in old.keys.items()}
        return [name for name, key in self.keys.items() if (name, key) not in held]

    def pieces(self, most: int) -> Iterator["Work"]:
        """Its fresh utterances as shards of at most `most`, of about the same size."""
        fresh = self.fresh
        size = -(-len(fresh) // -(-len(fresh) // most))
        for first in range(0, len(fresh), size):
            part = fresh[first : first + size]
            # Another half of the hash than a shard is named by.
            name = files.name_of(hashlib.sha256(part[0].encode()).hexdigest()[16:32])
            keys, items = ({item: of[item] for item in part} for of in (self.keys, self.items))
            yield Work(name, keys, (), (), items)


@dataclass(frozen=True)
class Made:
    """A finished shard, what was copied into it, what could not be made, and why stored
    shards could not be used.
    """

    stored: Stored
    reused: int
    rejections: tuple[Rejection, ...] = ()
    faults: tuple[str, ...] = ()


Item = TypeVar("Item")
# Called in a worker process with what to compute from; yields the rows of each, in that
# order.
Produce = Callable[[Sequence[Item]], Iterator[Rows | Rejection]]


def taken_over(attributes: Mapping[str, Any], work: Work) -> Made | None:
    """The stored shard that is what is wanted, byte for byte what was written; else
    None.
    """
    if not work.is_stored:
        return None
    (stored,) = work.stored
    try:
        if not all(work.whole):
            files.check_shard(stored, attributes)
    except DamagedError:
        return None
    return Made(stored, len(stored.table))


def make(building: Path, produce: Produce[Item], attributes: dict[str, Any], work: Work) -> Made:
    """Writes a shard into the folder `building`, with an index of its own beside it."""
    faults: list[str] = []
    kept: dict[str, tuple[Stored, dict[str, Any]]] = {}
    refused = {item.utterance_id: item for part in work.made for item in part.rejections}
    pieces = [(part.stored, False) for part in work.made if len(part.stored.table)]
    for old, whole in [*zip(work.stored, work.whole, strict=True), *pieces]:
        same = [row for row in old.index if work.keys.get(row["utterance_id"]) == row["key"]]
        try:
            if same:
                if not whole:
                    files.check_shard(old, attributes)
                kept |= {row["utterance_id"]: (old, row) for row in same}
        except DamagedError as error:
            faults.append(str(error))
    reused = len(kept.keys() - {name for old, _ in pieces for name in old.keys})
    missing = [item for item in work.keys if item not in kept and item not in refused]
    fresh = _in_order(produce([work.items[item] for item in missing]), missing)
    first: list[Rows] = []
    for made in fresh:
        if isinstance(made, Rows):
            first.append(made)
            break
        refused[made.utterance_id] = made
    if not first and replace(work, keys={item: work.keys[item] for item in kept}).is_stored:
        # What is rejected, maybe once more, changes no file.
        return Made(work.stored[0], reused, tuple(refused.values()))
    fresh = chain(first, fresh)
    dim, index = int(attributes["feature_dim"]), []
    opened: dict[Path, Placed] = {}

    def rows() -> Iterator[NDArray[np.float32]]:
        start = 0
        for utterance_id, key in work.keys.items():
            if utterance_id in refused:
                continue
            if utterance_id in kept:
                old, row = kept[utterance_id]
                if old.path not in opened:
                    opened[old.path] = Placed(old.path, dim)
                values = opened[old.path].read(row["start"], row["start"] + row["length"])
                made: Rows | Rejection = Rows(utterance_id, values, row["lost"])
            else:
                made = next(fresh)
            if isinstance(made, Rejection):
                refused[utterance_id] = made
                continue
            if made.values.shape[1:] != (dim,):
                shape = made.values.shape
                raise ValueError(f"rows of shape {shape}, expected (length, {dim})")
            row = {"utterance_id": utterance_id, "shard": files.shard_of(work.name)}
            index.append(
                {**row, "start": start, "length": len(made.values), "lost": made.lost, "key": key}
            )
            start += len(made.values)
            yield made.values

    path = building / work.name
    with replacing(path) as temporary:
        files.write_shard(temporary, dim, attributes, rows(), index)
    makers = {files.here(), *(maker for old, _ in kept.values() for maker in old.made_by)}
    before, table = state(path), files.index_table(index)
    stored = Stored(path, files.sha256(path), table, tuple(sorted(makers)), before)
    files.write_index(path.with_suffix(".parquet"), [stored])
    return Made(stored, reused, tuple(refused.values()), tuple(faults))


def _in_order(
    fresh: Iterator[Rows | Rejection], utterance_ids: Sequence[str]
) -> Iterator[Rows | Rejection]:
    for utterance_id in utterance_ids:
        made = next(fresh)
        if made.utterance_id != utterance_id:
            raise RuntimeError(f"rows of {made.utterance_id!r} came, expected {utterance_id!r}")
        yield made
