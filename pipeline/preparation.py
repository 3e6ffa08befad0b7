"""What the prepare stage does with a reader's utterances: decode, hash, tokenise, flag duplicates, write."""

from __future__ import annotations

import dataclasses
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline import audio, tokens
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance

RATING_PREFIX = "rating_"
STRINGS = ("utterance_id", "corpus", "audio_path", "transcript", "language", "speaker", "session", "dialogue", "style")
STRINGS_AFTER = ("subset", "emotion", "alignment_path", "audio_sha256", "duplicate_of")
SECONDS = ("start", "end", "duration")
LISTS = ("words", "votes")


def prepare_utterance(utterance: Utterance, config: tokens.Config) -> Utterance | Rejection:
    """Decodes the recording once and adds `words`, `audio_sha256` and `duration` (s).

    Rejected: audio that is missing, unreadable, truncated, empty or silent; no label; neither audio nor
    transcript. An empty transcript beside a recording stays: the stages that read words reject it.
    """

    def rejected(reason: str, detail: str = "") -> Rejection:
        return Rejection(utterance.utterance_id, "prepare", reason, detail)

    if not utterance.emotion.strip():
        return rejected("no label")
    transcript = (utterance.transcript or "").strip()
    if utterance.audio_path is None and not transcript:
        return rejected("no audio and no transcript")
    words = tokens.words(transcript, utterance.language, config) if transcript else ()
    if utterance.audio_path is None:
        return dataclasses.replace(utterance, words=words)
    try:
        waveform, rate = audio.read(utterance.audio_path, utterance.start, utterance.end)
    except audio.AudioError as error:
        return rejected(error.reason, error.detail)
    return dataclasses.replace(
        utterance, words=words, audio_sha256=audio.content_hash(waveform, rate), duration=len(waveform) / rate
    )


def flag_duplicates(utterances: Iterable[Utterance]) -> list[Utterance]:
    """Sorted by utterance_id; `duplicate_of` names the first utterance with the same samples, on all but that one."""
    first: dict[str, str] = {}
    flagged = []
    for utterance in sorted(utterances, key=lambda item: item.utterance_id):
        original = None
        if utterance.audio_sha256 is not None:
            original = first.setdefault(utterance.audio_sha256, utterance.utterance_id)
        duplicate_of = None if original == utterance.utterance_id else original
        flagged.append(dataclasses.replace(utterance, duplicate_of=duplicate_of))
    return flagged


def write_utterances(path: str | Path, utterances: Iterable[Utterance]) -> None:
    """Writes utterances.parquet, sorted by utterance_id; each rating is a column `rating_<name>`.

    The same utterances give the same bytes, in whatever order they come. Raises ConfigurationError for
    an empty or repeated utterance_id.
    """
    import pyarrow as pa

    rows = sorted(utterances, key=lambda utterance: utterance.utterance_id)
    _require_distinct(rows)
    columns: dict[str, Any] = {}
    for name in (*STRINGS, *STRINGS_AFTER):
        columns[name] = pa.array([getattr(row, name) for row in rows], pa.string())
    for name in LISTS:
        columns[name] = pa.array([list(getattr(row, name)) for row in rows], pa.list_(pa.string()))
    for name in SECONDS:
        columns[name] = pa.array([getattr(row, name) for row in rows], pa.float64())
    for name in sorted({name for row in rows for name in row.ratings}):
        values = [row.ratings.get(name) for row in rows]
        known = [None if value is None or math.isnan(value) else float(value) for value in values]
        columns[RATING_PREFIX + name] = pa.array(known, pa.float64())
    _write(path, columns)


def read_utterances(path: str | Path) -> list[Utterance]:
    """The utterances of an utterances.parquet, sorted by utterance_id."""
    found = []
    for row in _read(path, "utterance_id"):
        ratings = {
            name.removeprefix(RATING_PREFIX): row.pop(name)
            for name in [name for name in row if name.startswith(RATING_PREFIX)]
        }
        for name in LISTS:
            row[name] = tuple(row[name] or ())
        known = {name: value for name, value in ratings.items() if value is not None}
        found.append(Utterance(**row, ratings=known))
    return found


def write_rejections(path: str | Path, rejections: Iterable[Rejection]) -> None:
    """Writes rejects.parquet (utterance_id, stage, reason, detail), sorted by these four."""
    import pyarrow as pa

    rows = sorted(rejections, key=lambda row: (row.utterance_id, row.stage, row.reason, row.detail))
    names = [field.name for field in dataclasses.fields(Rejection)]
    _write(path, {name: pa.array([getattr(row, name) for row in rows], pa.string()) for name in names})


def read_rejections(path: str | Path) -> list[Rejection]:
    """The rows of a rejects.parquet."""
    return [Rejection(**row) for row in _read(path, "reason")]


def _require_distinct(rows: Sequence[Utterance]) -> None:
    repeated = sorted(name for name, number in Counter(row.utterance_id for row in rows).items() if number > 1)
    if repeated:
        shown = ", ".join(repeated[:5]) + (" …" if len(repeated) > 5 else "")
        raise ConfigurationError(f"{len(repeated)} utterance ids stand twice ({shown}), expected distinct ids")
    if any(not row.utterance_id for row in rows):
        raise ConfigurationError("an utterance has an empty id, expected a name that no other utterance has")


def _write(path: str | Path, columns: Mapping[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Outputs in the DVC cache can be read-only hard links: replace the name, never write through it.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        pq.write_table(pa.table(dict(columns)), temporary, compression="zstd")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: str | Path, needed: str) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error}), expected a parquet file of the prepare stage"
        ) from error
    if needed not in table.column_names:
        raise ConfigurationError(f"{path} has columns {table.column_names}, expected {needed!r} among them")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
