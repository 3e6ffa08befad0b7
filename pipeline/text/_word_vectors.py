"""Word vector files, read as a stream: only the wanted words are kept, however large
the file.

Text: GloVe (no header), word2vec and fastText .vec (a header line "words dimensions").
Binary: word2vec's .bin and fastText's .bin. Told apart by their content, not by their
names; all but fastText's .bin may be gzipped.
"""

import gzip
import hashlib
import logging
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.lookup import ConfigurationError
from pipeline.text import _fasttext_model as fasttext_model

Unknown = Literal["zero", "mean", "random"]
Table = NDArray[np.float32]

CHUNK = 1 << 22
LONGEST_LINE = 1 << 24  # bytes
# The Penn Treebank rules that GloVe's corpora were cut by: don't -> do n't, it's -> it
# 's.
CLITICS = ("n't", "'s", "'re", "'ve", "'ll", "'d", "'m")


def look_up(
    vocabulary: Sequence[str], path: Path, unknown: Unknown = "zero", subwords: bool = True
) -> tuple[Table, NDArray[np.bool_]]:
    """Vectors of a vocabulary: table float32 (V, D) in the vocabulary's order, and
    which words the file knows (V,).

    A word that the file lacks is looked for capitalised, in capitals, and, with an
    apostrophe, as the mean of its parts (do + n't); in a fastText .bin also by its
    sub-words if `subwords`. What is still missing follows `unknown`, see
    `fill_unknown`. The first of two equal words counts. Raises ConfigurationError for a
    missing, foreign or truncated file.
    """
    forms = {word: _forms(word) for word in vocabulary}
    wanted = {
        part.encode() for candidates in forms.values() for parts in candidates for part in parts
    }
    vectors, dimensions = read(path, wanted)
    table = np.zeros((len(vocabulary), dimensions), dtype=np.float32)
    known = np.zeros(len(vocabulary), dtype=np.bool_)
    for row, word in enumerate(vocabulary):
        for parts in forms[word]:
            found = [vectors[part.encode()] for part in parts if part.encode() in vectors]
            if len(found) == len(parts):
                with np.errstate(over="ignore"):
                    mean = np.mean(found, axis=0, dtype=np.float32)
                if np.isfinite(mean).all():
                    table[row], known[row] = mean, True
                break
    if subwords and is_fasttext(path):
        composed = fasttext_model.subword_vectors(
            path, [word for row, word in enumerate(vocabulary) if not known[row]]
        )
        for row, word in enumerate(vocabulary):
            if not known[row] and word in composed:
                table[row], known[row] = composed[word], True
    return fill_unknown(table, known, vocabulary, unknown), known


def fill_unknown(
    table: Table, known: NDArray[np.bool_], vocabulary: Sequence[str], unknown: Unknown
) -> Table:
    """The table (V, D) with the rows of unknown words set: zeros, the mean of the known
    rows, or uniform in ±0.25.

    The random row is drawn from the word itself, so a word has the same one in every
    corpus, process and run.
    """
    filled = table.copy()
    for row in np.flatnonzero(~known).tolist():
        if unknown == "random":
            seed = int.from_bytes(hashlib.sha256(vocabulary[row].encode()).digest()[:8], "little")
            filled[row] = np.random.default_rng(seed).uniform(-0.25, 0.25, table.shape[1])
        elif unknown == "mean" and known.any():
            filled[row] = table[known].mean(axis=0)
        else:
            filled[row] = 0.0
    return filled


def read(path: Path, wanted: set[bytes]) -> tuple[dict[bytes, Table], int]:
    """The vectors of the wanted words (UTF-8) that the file has, and the file's
    dimension; lines that do not parse are logged and skipped.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise ConfigurationError(
                f"word vectors {path} not found, expected a GloVe, word2vec or fastText file "
                "there: put it there, or see `serflow fetch` for the public ones"
            )
        if is_fasttext(path):
            return fasttext_model.word_vectors(path, wanted)
        with _open(path) as file:
            head = file.read(CHUNK)
        dimensions, header = _shape(path, head)
        with _open(path) as file:
            if header is not None and not _is_text(head, dimensions):
                found = _read_binary(file, path, wanted, dimensions, header)
            else:
                found = _read_text(file, path, wanted, dimensions, header)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ConfigurationError(
            f"word vectors {path}: {error}, expected a complete gzip file"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"word vectors cannot be read from {path}: {error}") from error
    return found, dimensions


def is_fasttext(path: Path) -> bool:
    """Whether the file starts with the mark of a fastText .bin."""
    with _open(Path(path)) as file:
        return file.read(4) == fasttext_model.MAGIC


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if compressed else path.open("rb")


def _forms(word: str) -> list[tuple[str, ...]]:
    """What to look for in place of a word, best first; each a tuple of parts whose mean
    is taken.
    """
    forms: list[tuple[str, ...]] = [(word,), (word.capitalize(),), (word.upper(),)]
    for clitic in CLITICS:
        if word.endswith(clitic) and len(word) > len(clitic):
            forms.append((word[: -len(clitic)], clitic))
            break
    return list(dict.fromkeys(forms))


def _shape(path: Path, head: bytes) -> tuple[int, int | None]:
    """Dimension, and the number of words if a header line states it."""
    first, _, rest = head.partition(b"\n")
    fields = first.split()
    if len(fields) == 2 and all(field.isdigit() and len(field) < 20 for field in fields):
        count, dimensions = map(int, fields)
        if dimensions > fasttext_model.MOST_DIMENSIONS:
            raise ConfigurationError(
                f"word vectors {path}: {dimensions} dimensions, expected at most "
                f"{fasttext_model.MOST_DIMENSIONS}"
            )
        if dimensions > 0:
            return dimensions, count
    lines = [first, *rest.split(b"\n")[:100]]
    # Words of GloVe 840B may hold spaces, so some lines have more fields than the rest:
    # the commonest count is right.
    widths = Counter(len(line.split(b" ")) for line in lines if line.strip())
    dimensions = widths.most_common(1)[0][0] - 1 if widths else 0
    if dimensions < 1 or not _is_text(b"\n" + head, dimensions):
        raise ConfigurationError(
            f"word vectors {path}: no word vectors, expected lines of a word and its numbers"
        )
    return dimensions, None


def _is_text(head: bytes, dimensions: int) -> bool:
    """Whether one of the first lines after the header is a word and `dimensions`
    decimal numbers.
    """
    return any(_vector(line, dimensions) is not None for line in head.split(b"\n")[1:11])


def _vector(line: bytes, dimensions: int) -> tuple[bytes, Table] | None:
    """The word and vector of a text line; None if it does not parse."""
    fields = line.rstrip(b"\r\n \t").replace(b"\t", b" ").rsplit(b" ", dimensions)
    if len(fields) != dimensions + 1 or not fields[0]:
        return None
    try:
        with np.errstate(over="ignore"):
            vector = np.array([float(field) for field in fields[1:]], dtype=np.float32)
    except ValueError:
        return None
    return (fields[0], vector) if np.isfinite(vector).all() else None


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines ended by a newline alone: GloVe has words that str.splitlines would cut."""
    rest = b""
    while chunk := file.read(CHUNK):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        yield from lines
        if len(rest) > LONGEST_LINE:
            raise OSError(f"a line of more than {LONGEST_LINE} bytes")
    if rest:
        yield rest


def _read_text(
    file: BinaryIO, path: Path, wanted: set[bytes], dimensions: int, header: int | None
) -> dict[bytes, Table]:
    found: dict[bytes, Table] = {}
    skipped, count = 0, 0
    lines = _lines(file)
    if header is not None:
        next(lines)
    for line in lines:
        count += 1
        # Parsing costs a hundred times what this look at the first field does.
        word = line.split(b" ", 1)[0].split(b"\t", 1)[0]
        if word not in wanted or word in found:
            continue
        parsed = _vector(line, dimensions)
        if parsed is None:
            skipped += 1
        elif parsed[0] == word:
            found[word] = parsed[1]
            if len(found) == len(wanted):
                return found
    if header is not None and count < header:
        raise ConfigurationError(f"word vectors {path} end after {count} words, expected {header}")
    if skipped:
        logging.getLogger(__name__).warning(
            "%s: %d lines of wanted words do not parse and were skipped", path, skipped
        )
    return found


def _read_binary(
    file: BinaryIO, path: Path, wanted: set[bytes], dimensions: int, header: int
) -> dict[bytes, Table]:
    found: dict[bytes, Table] = {}
    size = 4 * dimensions
    file.readline()
    buffer, position = b"", 0
    for count in range(header):
        space = buffer.find(b" ", position)
        while space < 0 or len(buffer) < space + 1 + size:
            chunk = file.read(CHUNK)
            if not chunk or len(buffer) - position > 2 * CHUNK + size:
                raise ConfigurationError(
                    f"word vectors {path} end after {count} words, expected {header}"
                )
            buffer, position = buffer[position:] + chunk, 0
            space = buffer.find(b" ")
        word = buffer[position:space].lstrip(b"\n")
        position = space + 1 + size
        if word in wanted and word not in found:
            vector = np.frombuffer(buffer, dtype="<f4", count=dimensions, offset=space + 1).astype(
                np.float32
            )
            if np.isfinite(vector).all():
                found[word] = vector
                if len(found) == len(wanted):
                    return found
    return found
