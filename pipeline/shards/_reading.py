"""Reading a folder of shards."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.lookup import ConfigurationError
from pipeline.shards import _files as files
from pipeline.shards._rows import DamagedError, MissingError, Placed


class Shards:
    """Reads utterances' rows from a folder of shards.

    Raises ConfigurationError, one line that names the file, for a folder that is not
    built or whose files cannot be read. Hashes are compared by `check` alone.
    """

    def __init__(self, folder: Path) -> None:
        try:
            table, _, made_by = files.read_whole_index(folder / files.INDEX)
            self.attributes = files.read_attributes(folder)
        except DamagedError as error:
            raise _unusable(folder, error) from None
        self.folder = folder
        table = table.sort_by("utterance_id")
        ids, self._shards, *numbers, self._keys = (column.to_pylist() for column in table.columns)
        self._starts, self._lengths, self._lost = numbers
        self._rows = {utterance_id: row for row, utterance_id in enumerate(ids)}
        self._made_by = {item for makers in made_by.values() for item in makers}
        self._files: dict[str, Placed] = {}

    def __contains__(self, utterance_id: str) -> bool:
        return utterance_id in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def feature_dim(self) -> int:
        """Width of a row; 0 when nothing was built."""
        return int(self.attributes["feature_dim"])

    def file_of(self, utterance_id: str) -> str:
        """Name of the file that holds the utterance's rows."""
        return files.name_of(self._shards[self._rows[utterance_id]])

    def key(self, utterance_id: str) -> str:
        """What the utterance's rows were made of, as a hash."""
        return str(self._keys[self._rows[utterance_id]])

    @property
    def made_by(self) -> list[dict[str, str]]:
        """The environments that made the rows, none for shards of older versions."""
        return [json.loads(item) for item in sorted(self._made_by)]

    def length(self, utterance_id: str) -> int:
        """Rows of an utterance."""
        return int(self._lengths[self._rows[utterance_id]])

    def lost(self, utterance_id: str) -> int:
        """Rows that a frame limit cut from the utterance's end."""
        return int(self._lost[self._rows[utterance_id]])

    def check(self) -> None:
        """Raises ConfigurationError where a shard is not, byte for byte, the file that
        the index was written with.
        """
        for fault in self.faults():
            raise _unusable(self.folder, fault)

    def faults(self) -> Iterator[DamagedError]:
        """What is wrong with each shard, the index or the attributes: nothing where all
        are as they were written.
        """
        for stored in files.read_index(self.folder / files.INDEX):
            try:
                files.check_shard(stored, self.attributes)
            except DamagedError as error:
                yield error

    def read(self, utterance_id: str) -> NDArray[np.float32]:
        """The rows of an utterance: (length, dim) float32."""
        row = self._rows[utterance_id]
        shard, start = self._shards[row], self._starts[row]
        past = start + self._lengths[row]
        try:
            if shard not in self._files:
                path = self.folder / files.name_of(shard)
                self._files[shard] = Placed(path, self.feature_dim)
            rows = self._files[shard]
            if past > len(rows):
                raise DamagedError(
                    f"{files.name_of(shard)} ends before the rows of {utterance_id!r}"
                )
            return rows.read(start, past)
        except DamagedError as error:
            raise _unusable(self.folder, error) from None


def _unusable(folder: Path, fault: DamagedError) -> ConfigurationError:
    remedy = "build it" if isinstance(fault, MissingError) else "delete it and build it again"
    reason = " ".join(str(fault).split())
    return ConfigurationError(f"{folder}/{reason}: {remedy} with `dvc repro`")
