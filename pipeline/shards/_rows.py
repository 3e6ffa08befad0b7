"""The rows of a shard, read without trust in its file."""

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


class DamagedError(Exception):
    """A file is not as it was written; the message begins with its name."""


class MissingError(DamagedError):
    """A file is not there."""


class Placed:
    """Where the rows (n, dim) of a shard lie in its file; reading some is one system
    call for each piece of them.

    Raises DamagedError for a file that holds anything else, or less than it says.
    """

    def __init__(self, path: Path, dim: int) -> None:
        rows = open_rows(path, dim)
        with rows.file as file:
            self._path, self._shape, self._places = path, rows.shape, [rows.id.get_offset()]
            self._size = rows.chunks[0] if rows.chunks else max(1, len(rows))
            if rows.chunks:
                found = _chunks(rows)
                self._places = [found.get(row, -1) for row in range(0, len(rows), self._size)]
            whole = file.userblock_size == 0 and (not rows.chunks or rows.chunks[1] == max(1, dim))
        if self._shape[0] and (not whole or min(self._places) < 0):
            raise DamagedError(f"{path.name} is damaged (`rows` lies in no whole chunks)")

    def __len__(self) -> int:
        return int(self._shape[0])

    def read(self, start: int, past: int) -> Float:
        """Rows [start, past): (past - start, dim)."""
        values = np.empty((past - start, self._shape[1]), "<f4")
        if not values.size:
            return values
        try:
            whole = self._fill(values, start, past)
        except (OSError, OverflowError) as error:
            raise DamagedError(f"{self._path.name} is damaged ({one_line(error)})") from None
        if not whole:
            raise DamagedError(f"{self._path.name} ends before its rows")
        return values

    def _fill(self, values: Float, start: int, past: int) -> bool:
        width = values.strides[0]
        file = os.open(self._path, os.O_RDONLY)
        try:
            for piece in range(start // self._size, (past - 1) // self._size + 1):
                first, end = max(start, piece * self._size), min(past, (piece + 1) * self._size)
                place = self._places[piece] + (first - piece * self._size) * width
                target = values[first - start : end - start]
                if os.preadv(file, [target.view(np.uint8).data], place) != target.nbytes:
                    return False
        finally:
            os.close(file)
        return True


def open_rows(path: Path, dim: int) -> h5py.Dataset:
    """The dataset (n, dim) of a shard, left open; what reaches out of the file or holds
    more than the file has bytes for is refused.
    """
    try:
        file = h5py.File(path, "r")
    except (OSError, RuntimeError) as error:
        raise DamagedError(f"{path.name} is damaged ({one_line(error)})") from None
    try:
        return _rows(file, dim)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        file.close()
        raise DamagedError(f"{path.name} is damaged ({one_line(error)})") from None


def _chunks(rows: h5py.Dataset) -> dict[int, int]:
    """Where each chunk lies in the file, by its first row; without those that lie
    nowhere.
    """
    found: dict[int, int] = {}

    def note(chunk: Any) -> None:
        if chunk.chunk_offset is not None and chunk.byte_offset is not None:
            found[chunk.chunk_offset[0]] = chunk.byte_offset

    try:
        rows.id.chunk_iter(note)
    except (OSError, ValueError, RuntimeError) as error:
        name = Path(rows.file.filename).name
        raise DamagedError(f"{name} is damaged ({one_line(error)})") from None
    return found


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
    stored = min(rows.id.get_storage_size(), Path(file.filename).stat().st_size)
    if stored < 4 * rows.size:
        raise ValueError(f"`rows` claims {rows.shape} and stores {stored} bytes")
    return rows


def one_line(error: Exception) -> str:
    """The message without line breaks, not too long."""
    return " ".join(str(error).split())[:200]
