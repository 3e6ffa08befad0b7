"""The rows of a user's own table: CSV, TSV or parquet."""

import csv
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from pipeline import tables
from pipeline.corpora import _listing as listing
from pipeline.lookup import ConfigurationError


def _known(encoding: str) -> str:
    try:
        b"a".decode(encoding)
    except (LookupError, UnicodeError):
        raise ValueError("expected the name of a text encoding, e.g. cp1252 or gbk") from None
    return encoding


Encoding = Annotated[str, AfterValidator(_known)]


def table(path: Path, encoding: str | None) -> tuple[list[str], Iterator[dict[str, Any]]]:
    """The columns and the rows of a table, as `records` and `row` make them."""
    columns, cells = records(path, encoding)
    return columns, (row(columns, item) for item in cells)


def records(path: Path, encoding: str | None) -> tuple[list[str], Iterator[list[Any]]]:
    """The columns of a table and the cells of each row.

    Raises ConfigurationError for a file that is no such table, and with its lines for a
    quote that is not closed: it would swallow rows.
    """
    if path.suffix.lower() == ".parquet":
        import pyarrow as pa

        try:
            content = tables.read_parquet(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise ConfigurationError(f"{path}: {error}, expected a parquet table") from error
        columns = [content[name].to_pylist() for name in content.column_names]
        return list(content.column_names), map(list, zip(*columns, strict=True))
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    # The module's own limit would end the whole table: the reader rejects the row.
    csv.field_size_limit(sys.maxsize)
    lines = listing.lines(_decoded(path, encoding))
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    found = _records(path, reader, delimiter)
    header = [column.strip() for column in next(found, [])]
    return header, filter(None, found)


def row(columns: list[str], cells: list[Any]) -> dict[str, Any]:
    """The cells of a row by column; those beyond the columns stand under ''."""
    found: dict[str, Any] = dict(zip(columns, cells, strict=False))
    if len(cells) > len(columns):
        found[""] = cells[len(columns) :]
    return found


def source(cells: list[Any]) -> str:
    """The cells as a text that no others have."""
    try:
        joined = "\0".join(["", *cells])
    except TypeError:  # numbers of a parquet table
        return repr(cells)
    return joined if joined.count("\0") == len(cells) else repr(cells)


def _records(path: Path, reader: Any, delimiter: str) -> Iterator[list[str]]:
    """The cells of each line, the heading first."""
    first, width = 1, 0
    try:
        for cells in reader:
            width = width or len(cells)
            # Most records are one line, and cannot.
            if reader.line_num > first and any(_holds_rows(c, delimiter, width) for c in cells):
                raise csv.Error("a cell holds whole rows")
            yield cells
            first = reader.line_num + 1
    except csv.Error as error:
        raise ConfigurationError(
            f"{path}, lines {first} to {reader.line_num}: a quote is not closed ({error}): "
            "close it, and write a quote inside a quoted cell twice"
        ) from None


def _holds_rows(cell: str, delimiter: str, columns: int) -> bool:
    """Whether a cell of several lines has one that looks like a row; in a sentence a
    space follows the comma.
    """
    if "\n" not in cell:
        return False
    lines = (line.split(delimiter) for line in cell.split("\n")[1:])
    return any(len(line) == columns and not any(c[:1] == " " for c in line) for line in lines)


def _decoded(path: Path, encoding: str | None) -> str:
    if encoding is None:
        return listing.read_text(path, legacy=None)
    try:
        text = path.read_bytes().decode(encoding)
    except UnicodeError as error:
        raise ConfigurationError(
            f"{path} cannot be decoded by reader.encoding {encoding!r} ({error}): name another"
        ) from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def text(row: Mapping[str, Any], column: str) -> str | None:
    """What a cell says, None where it is empty or the column is not there."""
    value = row.get(column)
    return None if value is None else str(value).strip() or None


def number(row: Mapping[str, Any], column: str) -> float | None:
    """The number of a cell, None where it is empty; ValueError for anything else."""
    cell = text(row, column)
    if cell is None:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{column} is {cell[:80]!r}, expected a number")
    return value
