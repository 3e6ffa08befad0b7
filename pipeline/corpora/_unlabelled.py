"""A table of recordings without labels, for a prediction."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.corpora import _listing as listing
from pipeline.corpora import _rows as rows_of
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance


def recordings(
    table: Path, language: str, transcript: str | None = None
) -> Iterator[Utterance | Rejection]:
    """The rows of a CSV, TSV or parquet file in their order, as far as a prediction
    reads them: `audio_path` (from the table's folder, or whole), and where they are
    `utterance_id`, `start`, `end` (s), `transcript` and `language`.

    `language` and `transcript` are for rows that state none. A row that cannot be used
    becomes a Rejection; ConfigurationError for a table without `audio_path`.
    """
    listing.require_file(table, "a table with a row per recording (CSV, TSV or parquet)")
    columns, rows = rows_of.table(table, None)
    if "audio_path" not in columns:
        raise ConfigurationError(
            f"{table} has no column audio_path, expected one with the recordings' paths (has "
            f"{', '.join(map(repr, columns[:20]))})"
        )
    for number, row in enumerate(rows, start=1):
        name = (
            rows_of.text(row, "utterance_id")
            or Path(rows_of.text(row, "audio_path") or f"row {number}").stem
        )
        path = rows_of.text(row, "audio_path")
        try:
            start, end = _seconds(row, "start"), _seconds(row, "end")
        except ValueError as error:
            yield Rejection(
                name, "predict", "impossible segment", f"{table}, row {number}: {error}"
            )
            continue
        if path is None or "\0" in path:
            yield Rejection(name, "predict", "no audio", f"{table}, row {number}: no audio_path")
        elif end is not None and end <= (start or 0.0):
            detail = f"{table}, row {number}: {start}-{end} s, expected an end after the start"
            yield Rejection(name, "predict", "impossible segment", detail)
        else:
            yield Utterance(
                name,
                "",
                "",
                audio_path=(table.parent / path).as_posix(),
                start=start,
                end=end,
                transcript=rows_of.text(row, "transcript") or transcript,
                language=rows_of.text(row, "language") or language,
            )


def _seconds(row: Mapping[str, Any], column: str) -> float | None:
    value = rows_of.number(row, column)
    if value is not None and value < 0:
        raise ValueError(f"{column} is {value} s, expected a time from 0")
    return value
