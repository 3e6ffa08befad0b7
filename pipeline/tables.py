"""The parquet tables that flow between stages, and the one way to write a file as a
whole.
"""

import dataclasses
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.folders import refusal
from pipeline.lookup import ConfigurationError, StorageError
from pipeline.schema import Rejection, TimedWord, Utterance, WordSpan

RATING_PREFIX = "rating_"
FINGERPRINT = "fingerprint"  # a large column, and of the stages only split reads it
FIELDS = tuple(field.name for field in dataclasses.fields(Utterance) if field.name != FINGERPRINT)
SPAN = [field.name for field in dataclasses.fields(WordSpan)]
STRINGS = (
    "utterance_id", "corpus", "audio_path", "transcript", "language", "speaker", "sex",
    "session", "dialogue", "style",
)  # fmt: skip
STRINGS_AFTER = ("subset", "emotion", "alignment_path", "audio_sha256", "duplicate_of")
SECONDS = ("start", "end", "duration")
SHARED = {*STRINGS, "subset", "emotion"} - {"utterance_id", "transcript"}
WORD_TIMES = ("start", "end", "confidence")
LISTS = ("words", "votes")
RECOGNISED = ("words_from", "word_times")  # where a recogniser wrote words down


def utterance_table(utterances: Iterable[Utterance]) -> Any:
    """The utterances as a pyarrow table in the form of utterances.parquet, in their
    order; each rating is a column `rating_<name>`.
    """
    import pyarrow as pa

    rows = list(utterances)
    kinds = dict.fromkeys((*STRINGS, *STRINGS_AFTER), pa.string())
    kinds |= dict.fromkeys(LISTS, pa.list_(pa.string())) | dict.fromkeys(SECONDS, pa.float64())
    columns = _columns(rows, kinds | {FINGERPRINT: pa.binary()})
    for name in sorted({name for row in rows for name in row.ratings}):
        values = [row.ratings.get(name) for row in rows]
        columns[RATING_PREFIX + name] = pa.array(values, pa.float64(), from_pandas=True)
    if any(row.words_from is not None for row in rows):
        word = pa.struct({"word": pa.string(), **dict.fromkeys(WORD_TIMES, pa.float64())})
        columns |= _columns(rows, dict(zip(RECOGNISED, (pa.string(), pa.list_(word)), strict=True)))
    return pa.table(columns)


def write_utterances(path: str | Path, utterances: Iterable[Utterance]) -> None:
    """Writes utterances.parquet, sorted by utterance_id.

    The same utterances give the same bytes, in whatever order they come. Raises
    ConfigurationError for an empty or repeated utterance_id.
    """
    rows = sorted(utterances, key=lambda utterance: utterance.utterance_id)
    write_utterance_table(path, utterance_table(rows))


def write_utterance_table(path: str | Path, table: Any) -> None:
    """Writes utterances.parquet of a table that is sorted by utterance_id."""
    _require_distinct(table["utterance_id"].to_pylist())
    _write(path, dict(zip(table.column_names, table.columns, strict=True)))


def read_utterances(path: str | Path) -> list[Utterance]:
    """The utterances of an utterances.parquet by id, without their fingerprints."""
    return utterance_rows(read_utterance_table(path))


def read_utterance_table(path: str | Path) -> Any:
    """An utterances.parquet as a pyarrow table, without fingerprints."""
    table = _read(path, lambda: read_parquet(path, without=FINGERPRINT))
    rated = {name for name in table.column_names if name.startswith(RATING_PREFIX)}
    other = {*table.column_names, *RECOGNISED, "ratings"} ^ {*FIELDS, *rated}
    if other:
        raise ConfigurationError(
            f"{path} has columns of another version ({', '.join(sorted(other))}): build it again "
            "with `dvc repro`"
        )
    return table


def utterance_rows(table: Any) -> list[Utterance]:
    """The utterances of a table of `utterance_table`, in its order."""
    rated = [name for name in table.column_names if name.startswith(RATING_PREFIX)]
    # Of equal strings one is kept: many rows have few speakers, and few words.
    share: Callable[[Any, Any], Any] = {}.setdefault
    columns = {name: table[name].to_pylist() for name in table.column_names}
    for name in LISTS:
        columns[name] = [tuple(share(word, word) for word in row or ()) for row in columns[name]]
    columns |= {name: [share(value, value) for value in columns[name]] for name in SHARED}
    columns.setdefault("words_from", [None] * len(table))
    times = columns.get("word_times") or [()] * len(table)
    columns["word_times"] = [tuple(TimedWord(**word) for word in words) for words in times]
    columns["ratings"] = [{} for _ in range(len(table))]
    for name in rated:
        for ratings, value in zip(columns["ratings"], columns.pop(name), strict=True):
            if value is not None:
                ratings[name.removeprefix(RATING_PREFIX)] = value
    return list(map(Utterance, *(columns[name] for name in FIELDS)))


def write_rejections(path: str | Path, rejections: Iterable[Rejection]) -> None:
    """Writes rejects.parquet, sorted by utterance_id, stage, reason and detail."""
    import pyarrow as pa

    rows = sorted(rejections, key=lambda row: (row.utterance_id, row.stage, row.reason, row.detail))
    names = [field.name for field in dataclasses.fields(Rejection)]
    _write(path, _columns(rows, dict.fromkeys(names, pa.string())))


def read_rejections(path: str | Path) -> list[Rejection]:
    """The rows of a rejects.parquet."""
    names = [field.name for field in dataclasses.fields(Rejection)]
    return [Rejection(**row) for row in read_table(path, names).to_pylist()]


def span_table(spans: Iterable[WordSpan]) -> Any:
    """Word spans as a table in the form of spans.parquet, by utterance and word."""
    import pyarrow as pa

    rows = sorted(spans, key=lambda span: (span.utterance_id, span.word_index))
    kinds = dict.fromkeys(("utterance_id", "word", "aligner"), pa.string())
    kinds |= {"word_index": pa.int32(), **dict.fromkeys(WORD_TIMES, pa.float64())}
    return pa.table(_columns(rows, {name: kinds[name] for name in SPAN}))


def span_rows(table: Any) -> list[WordSpan]:
    """The word spans of a table of `span_table`."""
    return list(map(WordSpan, *(column.to_pylist() for column in table.select(SPAN).columns)))


def write_spans(path: str | Path, table: Any, provenance: Mapping[str, Any]) -> None:
    """Writes spans.parquet of a `span_table`; `provenance` goes into its metadata."""
    metadata = {name: str(value) for name, value in sorted(provenance.items())}
    _write(path, dict(zip(SPAN, table.columns, strict=True)), metadata, "snappy")


def read_spans(path: str | Path) -> dict[str, list[WordSpan]]:
    """Word spans by utterance_id, in the order of the words, of a spans.parquet."""
    found: dict[str, list[WordSpan]] = {}
    for span in span_rows(read_table(path, SPAN)):
        found.setdefault(span.utterance_id, []).append(span)
    for spans in found.values():
        spans.sort(key=lambda span: span.word_index)
    return found


def _columns(rows: Sequence[Any], kinds: Mapping[str, Any]) -> dict[str, Any]:
    import pyarrow as pa

    return {key: pa.array([getattr(row, key) for row in rows], kinds[key]) for key in kinds}


def _require_distinct(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        repeated = sorted(name for name, number in Counter(names).items() if number > 1)
        shown = ", ".join(repeated[:5]) + " …" * (len(repeated) > 5)
        raise ConfigurationError(
            f"{len(repeated)} utterance ids stand twice ({shown}), expected distinct ids"
        )
    if not all(names):
        raise ConfigurationError(
            "an utterance has an empty id, expected a name that no other utterance has"
        )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write instead of `path`, which it becomes when all went well.

    A killed process leaves the old file whole. An output can be a read-only link into
    DVC's cache, so nothing is ever written through its name. Raises StorageError where
    the disk is full or may not be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except Exception as error:
        refused = refusal(error)
        if refused is None:
            raise
        raise StorageError(
            f"{path} cannot be written ({refused}): mend that, then give the same command again, "
            "what was finished is kept"
        ) from error
    finally:
        # Where the folder cannot be written there is no file to remove either.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8 as a whole."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Writes JSON whose bytes depend on the values alone."""
    write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def _write(
    path: str | Path,
    columns: Mapping[str, Any],
    metadata: Mapping[str, str] | None = None,
    compression: str = "zstd",
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(dict(columns), metadata=metadata)
    with replacing(Path(path)) as temporary:
        pq.write_table(table, temporary, compression=compression)


def read_table(path: str | Path, columns: Sequence[str] | None = None) -> Any:
    """A parquet file as a pyarrow table, `columns` of it or all.

    Raises ConfigurationError, one line that names the file, where it is missing,
    damaged or lacks one of the columns.
    """
    table = _read(path, lambda: read_parquet(path, columns))
    missing = [name for name in columns or () if name not in table.column_names]
    if missing:
        raise ConfigurationError(
            f"{path} has no column {missing[0]!r}: build it again with `dvc repro`"
        )
    return table if columns is None else table.select(list(columns))


def _read(path: str | Path, read: Callable[[], Any]) -> Any:
    import pyarrow as pa

    try:
        return read()
    except FileNotFoundError:
        raise ConfigurationError(f"{path} is missing: build it with `dvc repro`") from None
    except (OSError, ValueError, RecursionError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None


def read_parquet(
    path: str | Path, columns: Sequence[str] | None = None, without: str | None = None
) -> Any:
    """As `read_table`, but raises what pyarrow raises; a column that the file lacks is
    left out.

    Without threads: pyarrow's, still reading ahead when a process ends, can abort or
    hang it (apache/arrow 34314 and 50482).
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        if without is not None:
            columns = [name for name in file.schema_arrow.names if name != without]
        table = file.read(None if columns is None else list(columns), use_threads=False)
    # Flipped bytes can be offsets past the end or text that is no UTF-8.
    table.validate(full=True)
    return table


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object that a stage wrote; ConfigurationError, one line that names the
    file, where it is missing or damaged.
    """
    values = _read(path, lambda: json.loads(path.read_text(encoding="utf-8")))
    if not isinstance(values, dict):
        raise _unreadable(path, f"{type(values).__name__}, expected a JSON object")
    return values


def require_folds(folder: Path) -> None:
    """Raises ConfigurationError where models/<experiment>/folds lacks a fold that its
    training finished; those of older versions do not state theirs.
    """
    path = folder / "experiment.json"
    stated = read_json(path).get("folds", []) if path.is_file() else []
    missing = [str(name) for name in stated if not (folder / str(name)).is_dir()]
    if missing:
        raise ConfigurationError(
            f"{folder / missing[0]} is missing, {len(missing)} of {len(stated)} folds: `dvc pull` "
            "fetches it, `dvc repro` makes it"
        )


def _unreadable(path: str | Path, error: Exception | str) -> ConfigurationError:
    reason = " ".join(str(error).split())
    return ConfigurationError(
        f"{path} cannot be read ({reason}): delete it and build it again with `dvc repro`"
    )
