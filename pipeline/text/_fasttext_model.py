"""fastText's .bin, read by offset: the words' own rows and the sub-words' rows, without
loading the gigabytes between.

Layout (fastText 0.9, file version 12): magic and version, twelve int32 settings and a
double, the dictionary, a flag for quantisation, the input matrix (words, then n-gram
buckets). Bojanowski et al. 2017, "Enriching word vectors with subword information": a
word's vector is the mean of its own row and those of its character n-grams.
"""

import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.lookup import ConfigurationError

LONGEST_NGRAM = 50  # letters; the published models have n-grams of 3 to 6
MOST_DIMENSIONS = 100_000
MAGIC = struct.pack("<i", 793712314)
Table = NDArray[np.float32]


@dataclass(frozen=True)
class Model:
    """Where a file keeps what: `rows` of the wanted words, n-gram lengths, buckets, and
    the input matrix as a map.
    """

    rows: dict[bytes, int]
    num_words: int
    shortest: int
    longest: int
    buckets: int
    matrix: NDArray[np.float32]


def word_vectors(path: Path, wanted: Collection[bytes]) -> tuple[dict[bytes, Table], int]:
    """Vectors of the wanted words that the file's dictionary has, as fastText composes
    them, and the dimension.
    """
    model = read(path, wanted)
    vectors = {
        word: _mean(model, [row, *_buckets(word, model)]) for word, row in model.rows.items()
    }
    return _finite(vectors), int(model.matrix.shape[1])


def subword_vectors(path: Path, words: Iterable[str]) -> dict[str, Table]:
    """Vectors of words outside the dictionary from their n-grams alone; a word too
    short to have one is left out.
    """
    model = read(path, ())
    composed = {word: _buckets(word.encode(), model) for word in words}
    return _finite({word: _mean(model, rows) for word, rows in composed.items() if rows})


def _finite(vectors: dict[Any, Table]) -> dict[Any, Table]:
    return {word: vector for word, vector in vectors.items() if np.isfinite(vector).all()}


def read(path: Path, wanted: Collection[bytes]) -> Model:
    """The file's settings and the places of the wanted words; raises ConfigurationError
    for a file of another kind.
    """
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            raise ConfigurationError(
                f"{path} is no fastText model, expected an unpacked .bin (gunzip a .bin.gz first)"
            )
        try:
            version, *settings = struct.unpack("<13id", file.read(60))
            if version not in (11, 12):
                raise ConfigurationError(
                    f"{path}: fastText file version {version}, expected 11 or 12"
                )
            dimensions, buckets, shortest, longest = (
                settings[0],
                settings[8],
                settings[9],
                settings[10],
            )
            size, num_words, num_labels, _, pruned = struct.unpack("<3i2q", file.read(28))
            if num_labels or pruned > 0:
                raise ConfigurationError(
                    f"{path}: a classifier or pruned model, expected plain word vectors"
                )
            rows = {word: row for row, word in enumerate(_entries(file, size)) if word in wanted}
            quantised, height, width = struct.unpack("<?2q", file.read(17))
        except (struct.error, EOFError) as error:
            raise ConfigurationError(
                f"{path}: truncated fastText model, expected a complete .bin"
            ) from error
        if quantised:
            raise ConfigurationError(
                f"{path}: quantised fastText model, expected the .bin of full size"
            )
        offset = file.tell()
    if not 0 <= shortest <= longest <= LONGEST_NGRAM or not 0 < dimensions <= MOST_DIMENSIONS:
        raise ConfigurationError(
            f"{path}: a model of {dimensions} dimensions and n-grams of {shortest} to {longest} "
            f"letters, expected up to {MOST_DIMENSIONS} and {LONGEST_NGRAM}"
        )
    if size != num_words or num_words < 0 or height not in (num_words, num_words + buckets):
        raise ConfigurationError(
            f"{path}: {height} rows for {num_words} words and {buckets} n-grams, expected a row "
            "for each"
        )
    if (
        width != dimensions
        or path.stat().st_size < offset + 4 * height * width
        or height < num_words
    ):
        raise ConfigurationError(
            f"{path}: truncated fastText model, expected {height} rows of {dimensions} numbers"
        )
    matrix = np.memmap(path, dtype="<f4", mode="r", offset=offset, shape=(height, width))
    return Model(rows, num_words, shortest, longest, buckets if height > num_words else 0, matrix)


def _entries(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The dictionary's words: each ends with a zero byte and is followed by a count
    (int64) and a type (int8).
    """
    buffer, position = b"", 0
    for _ in range(size):
        end = buffer.find(b"\0", position)
        while end < 0 or len(buffer) < end + 10:
            chunk = file.read(1 << 20)
            if not chunk:
                raise EOFError
            buffer, position = buffer[position:] + chunk, 0
            end = buffer.find(b"\0")
        yield buffer[position:end]
        position = end + 10
    file.seek(position - len(buffer), 1)


def _buckets(word: bytes, model: Model) -> list[int]:
    """Matrix rows of a word's character n-grams, the word in angle brackets; lone
    brackets do not count.
    """
    if model.buckets == 0:
        return []
    letters = [letter.encode() for letter in f"<{word.decode()}>"]
    rows = []
    for first in range(len(letters)):
        for length in range(model.shortest, model.longest + 1):
            last = first + length
            if (
                length < 1
                or last > len(letters)
                or (length == 1 and (first == 0 or last == len(letters)))
            ):
                continue
            rows.append(model.num_words + _fnv1a(b"".join(letters[first:last])) % model.buckets)
    return rows


def _fnv1a(data: bytes) -> int:
    """FNV-1a, 32 bit, over signed bytes: fastText extends the sign of bytes above 127
    before the exclusive or.
    """
    value = 2166136261
    for byte in data:
        value = ((value ^ (byte | 0xFFFFFF00 if byte > 127 else byte)) * 16777619) & 0xFFFFFFFF
    return value


def _mean(model: Model, rows: list[int]) -> Table:
    with np.errstate(over="ignore"):
        rows_of_word = np.asarray(model.matrix[rows], dtype=np.float32)
        vector: Table = rows_of_word.mean(axis=0, dtype=np.float32)
    return vector
