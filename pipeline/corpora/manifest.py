"""Your own corpus: a table (CSV, TSV or parquet) with one row per utterance.

Citation: yours.

Layout: `manifest.csv` in the corpus folder, or the file that `Config.file` names.
Columns, in any order:

- `utterance_id`, `emotion`: required. Labels are lower-cased.
- `audio_path`, `transcript`: at least one of the two columns. An empty cell says that
  this utterance lacks it: text-only and audio-only corpora are legal.
- `start`, `end`: seconds, where the utterance is a part of its recording.
- `speaker`, `sex` (female/male, or f/m), `session`, `dialogue`, `language`, `style`
  (improvised/scripted), `subset` (train/valid/test): optional.
- `alignment_path`: word times that you have already (TextGrid, CTM, CSV), read by the
  aligner `given`.
- `votes`: annotators' labels, separated by semicolons. `rating_<name>`: a number, as
  many such columns as you like.
- `x_<name>`: anything else; ignored.

Paths start at the table's folder, or at `Config.audio_root` where the recordings lie
elsewhere; no path may leave that folder.
"""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.audio import is_url
from pipeline.corpora import _listing as listing
from pipeline.corpora import _rows as rows_of
from pipeline.corpora._licence import Licence
from pipeline.corpora._places import PlaceError, Places, Store
from pipeline.lookup import ConfigurationError, checked
from pipeline.schema import Rejection, Utterance

REQUIRED = ("utterance_id", "emotion")
EITHER = ("audio_path", "transcript")
SEGMENT = ("start", "end")
OPTIONAL = (
    *SEGMENT,
    "speaker",
    "sex",
    "session",
    "dialogue",
    "language",
    "style",
    "subset",
    "alignment_path",
    "votes",
)
RATING_PREFIX, IGNORED_PREFIX = "rating_", "x_"
LONGEST_CELL = 131_072  # characters
SUBSETS = {
    "train": "train",
    "dev": "valid",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "test": "test",
}
SEXES = {"f": "female", "m": "male"}
# In doubt no; `redistribution: true` in params.yaml says otherwise.
LICENCE = Licence("yours", "", redistribution=False)
TOTALS = None


@checked
class Config:
    """Which table to read; `language` is for rows that name none.

    `encoding` is that of a text table which is neither UTF-8 nor UTF-16 with its mark:
    a guess could put wrong words into training. `audio_root` is the folder of the
    recordings and word times where they do not lie with the table, or a URL that fsspec
    reads (`s3://bucket/folder`), for recordings that do not change. `follow_links`
    allows a symbolic link inside the folder to lead out of it, for data that DVC links
    to its cache.
    """

    file: str = "manifest.csv"
    corpus: str = "manifest"
    language: str = "en"
    encoding: rows_of.Encoding | None = None
    follow_links: bool = False
    audio_root: Path | str | None = None


class _RowError(PlaceError):
    """Why a row cannot be used."""


def read(root: Path, config: Config) -> Iterator[Utterance | Rejection]:
    """Yields the rows of the table in `root` (or of the table `root` itself), in their
    order.

    A row that cannot be used becomes a Rejection; a missing or unknown column raises
    ConfigurationError.
    """
    for _, item in read_new(root, config, lambda _: ()):
        if item is not None:
            yield item


def read_new(
    root: Path, config: Config, known: Callable[[str], Container[str]]
) -> Iterator[tuple[str, Utterance | Rejection | None]]:
    """As `read`, each row with the text that it was read from; None for a row whose
    text is among those that are `known` for the table's heading.
    """
    path = root if root.is_file() else root / config.file
    listing.require_file(path, "a table with a row per utterance (CSV, TSV or parquet)")
    places = _places(path.parent, config)
    seen: set[str] = set()
    columns, records = rows_of.records(path, config.encoding)
    _require_columns(path, columns)
    former, ids = known(rows_of.source(columns)), columns.index("utterance_id")
    beside = columns.index("alignment_path") if "alignment_path" in columns else None
    for number, cells in enumerate(records, start=1):
        source = rows_of.source(cells)
        # A path out of the folder may be a link that was put there since.
        if source in former and (beside is None or not str(cells[beside] or "").strip()):
            name = str(cells[ids]).strip()
            if name not in seen:
                seen.add(name)
                yield source, None
                continue
        row, name = rows_of.row(columns, cells), f"row {number}"
        try:
            name = _id(row) or name
            _require_cells(row)
            if name in seen:
                raise _RowError("listed twice", f"row {number}")
            seen.add(name)
            yield source, _utterance(name, row, places, config)
        except PlaceError as error:
            yield source, Rejection(name, "prepare", error.reason, f"{path}: {error.detail}")


def table(path: Path, encoding: str | None = None) -> tuple[list[str], Iterator[dict[str, Any]]]:
    """The columns and rows of anybody's table, whatever its columns; ConfigurationError
    where it is none.
    """
    return rows_of.table(listing.require_file(path, "a table (CSV, TSV or parquet)"), encoding)


def _places(folder: Path, config: Config) -> Places | Store:
    if config.audio_root is None:
        return Places(folder, config.follow_links)
    if is_url(config.audio_root):
        return Store(str(config.audio_root))
    what = "the recordings (setting audio_root)"
    return Places(listing.require_folder(Path(config.audio_root), what), config.follow_links)


def _utterance(
    name: str, row: Mapping[str, Any], places: Places | Store, config: Config
) -> Utterance:
    if rows_of.text(row, "utterance_id") is None:
        raise _RowError("no utterance id", "expected a name that no other row has")
    if row.get("", None) is not None:
        raise _RowError(
            "unparsable row", f"{row['']!r} beyond the last column, expected quotes around commas"
        )
    emotion = rows_of.text(row, "emotion")
    if emotion is None:
        raise _RowError("no label", "expected a word in the column emotion")
    start, end = _seconds(row, "start"), _seconds(row, "end")
    if end is not None and end <= (start or 0.0):
        raise _RowError("impossible segment", f"{start}-{end} s, expected an end after the start")
    subset = rows_of.text(row, "subset")
    if subset is not None and subset.lower() not in SUBSETS:
        raise _RowError("unknown subset", f"{subset!r}, expected one of train, valid, test")
    ratings = {
        column.removeprefix(RATING_PREFIX): value
        for column in row
        if column.startswith(RATING_PREFIX) and (value := _number(row, column)) is not None
    }
    sex = rows_of.text(row, "sex")
    return Utterance(
        utterance_id=name,
        corpus=config.corpus,
        emotion=emotion.lower(),
        audio_path=_place(row, "audio_path", places),
        start=start,
        end=end,
        transcript=rows_of.text(row, "transcript"),
        speaker=rows_of.text(row, "speaker"),
        sex=None if sex is None else SEXES.get(sex.lower(), sex.lower()),
        session=rows_of.text(row, "session"),
        dialogue=rows_of.text(row, "dialogue"),
        style=rows_of.text(row, "style"),
        language=rows_of.text(row, "language") or config.language,
        subset=None if subset is None else SUBSETS[subset.lower()],
        alignment_path=_place(row, "alignment_path", places),
        ratings=ratings,
        votes=tuple(
            vote.strip() for vote in (rows_of.text(row, "votes") or "").split(";") if vote.strip()
        ),
    )


def _id(row: Mapping[str, Any]) -> str | None:
    _require_cells({"utterance_id": row.get("utterance_id")})
    name = rows_of.text(row, "utterance_id")
    if name is not None and not name.isprintable():
        raise _RowError("unprintable id", f"{name!r}, expected letters, digits and marks")
    return name


def _require_cells(row: Mapping[str, Any]) -> None:
    """Every cell is text or a number, of a length that somebody can have meant."""
    for column, value in row.items():
        if value is None or (isinstance(value, str) and len(value) <= LONGEST_CELL):
            continue
        if column.startswith(IGNORED_PREFIX) or not column:
            continue
        if not isinstance(value, str | int | float):
            raise _RowError("not text", f"{column} is {str(value)[:80]}, expected text or a number")
        if len(str(value)) > LONGEST_CELL:
            detail = f"{column} has {len(str(value))} characters, expected up to {LONGEST_CELL}"
            raise _RowError("cell too long", detail)


def _require_columns(table: Path, columns: Sequence[str]) -> None:
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        raise ConfigurationError(
            f"{table} lacks the column {', '.join(missing)}, expected {', '.join(REQUIRED)}"
        )
    if not set(EITHER) & set(columns):
        raise ConfigurationError(
            f"{table} has neither recordings nor words, expected a column {' or '.join(EITHER)}"
        )
    known = {*REQUIRED, *EITHER, *OPTIONAL}
    unknown = sorted(
        column
        for column in columns
        if column not in known and not column.startswith((RATING_PREFIX, IGNORED_PREFIX))
    )
    if unknown:
        expected = f"{sorted(known)}, {RATING_PREFIX}*, or {IGNORED_PREFIX}* for columns to ignore"
        raise ConfigurationError(
            f"{table}: unknown column {', '.join(map(repr, unknown))}, expected {expected}"
        )
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise ConfigurationError(
            f"{table}: column {', '.join(repeated)} stands twice, expected distinct columns"
        )


def _place(row: Mapping[str, Any], column: str, places: Places | Store) -> str | None:
    text = rows_of.text(row, column)
    return None if text is None else places.of(text, column)


def _number(row: Mapping[str, Any], column: str) -> float | None:
    try:
        return rows_of.number(row, column)
    except ValueError as error:
        raise _RowError("not a number", str(error)) from None


def _seconds(row: Mapping[str, Any], column: str) -> float | None:
    value = _number(row, column)
    if value is not None and value < 0:
        raise _RowError("impossible segment", f"{column} is {value} s, expected a time from 0")
    return value
