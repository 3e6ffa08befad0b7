"""Files of a published corpus tree: listed in one order everywhere, decoded from
whatever encoding they have.
"""

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection

AUDIO_SUFFIXES = (".flac", ".wav")
BLANKS = " \t\r\n"  # str.strip() alone would also take U+0085, a badly encoded ellipsis


def files(folder: Path, suffixes: Collection[str], deep: bool = False) -> list[Path]:
    """The files in `folder` (and below it, when `deep`) whose suffix counts in any
    case, sorted by relative path.

    Files whose name starts with a dot are left out: `._x.wav` is macOS metadata with
    the suffix of a recording.
    """
    found = _below(folder) if deep else folder.iterdir()
    kept = [
        path
        for path in found
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and _stands_for(path)
    ]
    return sorted(kept, key=lambda path: path.relative_to(folder).parts)


def _below(folder: Path) -> Iterator[Path]:
    """Every file below a folder; Path.rglob would leave out what may not be read."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)
        else:
            yield path


def _stands_for(path: Path) -> bool:
    """Whether a path is a file, or a link without one, which reading it names."""
    return path.is_file() or (path.is_symlink() and not path.is_dir())


def folders(folder: Path) -> list[Path]:
    """The visible folders in `folder`, sorted by name."""
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def require_folder(path: Path, expected: str) -> Path:
    """The folder `path`; ConfigurationError saying what was `expected` there when it is
    missing.
    """
    if not path.is_dir():
        raise ConfigurationError(f"{path} is not a folder, expected {expected}")
    return path


def require_file(path: Path, expected: str) -> Path:
    """The file `path`; ConfigurationError saying what was `expected` there when it is
    missing.
    """
    if not path.is_file():
        raise ConfigurationError(f"{path} is not a file, expected {expected}")
    return path


def named(
    paths: Sequence[Path], folder: Path, names: re.Pattern[str], layout: str, example: str
) -> Iterator[tuple[Path, re.Match[str]] | Rejection]:
    """Recordings whose name says what they are, each with the match of its name, or why
    it is not used: a name that comes again, or one unlike `layout`.

    Raises ConfigurationError where there is none in `folder`.
    """
    if not paths:
        raise ConfigurationError(f"no recordings in {folder}, expected {example} and others")
    seen: dict[str, Path] = {}
    for path in paths:
        match = names.fullmatch(path.stem)
        if path.stem in seen:
            detail = f"{path} beside {seen[path.stem]}"
            yield Rejection(path.stem, "prepare", "listed twice", detail)
        elif match is None:
            detail = f"{path}: expected {layout}"
            yield Rejection(path.stem, "prepare", "unparsable file name", detail)
        else:
            yield path, match
        seen.setdefault(path.stem, path)


def hidden_metadata(root: Path) -> Iterator[Path]:
    """macOS `._*` files below `root`, sorted: left out by every reader, named by the
    corpus check.
    """
    yield from sorted(path for path in root.rglob("._*") if path.is_file())


def read_text(path: Path, legacy: str | None = "cp1252") -> str:
    """The text of a file in UTF-8 or UTF-16 (by its mark), otherwise in the `legacy`
    encoding of the corpus, if it is known to have one.

    Raises ConfigurationError where the file is none of them: a wrong guess would put
    wrong words into training.
    """
    content = require_file(path, "a text file of the corpus").read_bytes()
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", *filter(None, (legacy,))):
        try:
            return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
    otherwise = f"or {legacy}" if legacy else "or set reader.encoding, e.g. cp1252 or gbk"
    raise ConfigurationError(
        f"{path} cannot be decoded, expected UTF-8, UTF-16 with its mark, {otherwise}"
    )


def lines(text: str) -> io.StringIO:
    """The lines of a text for the csv module: str.splitlines would also break at
    U+0085, which MELD's cells hold.
    """
    return io.StringIO(text, newline="")


def read_csv(path: Path, columns: Collection[str], legacy: str = "cp1252") -> list[dict[str, str]]:
    """The rows of a CSV file with a header, cells as stripped strings (`0001` stays
    `0001`), '' where one is missing.

    Raises ConfigurationError where one of `columns` is missing.
    """
    rows = csv.DictReader(lines(read_text(path, legacy)))
    header = [name.strip() for name in rows.fieldnames or ()]
    missing = sorted(set(columns) - set(header))
    if missing:
        raise ConfigurationError(f"{path} has columns {header}, expected {missing} among them")
    return [
        {
            name.strip(): (value or "").strip(BLANKS)
            for name, value in row.items()
            if name is not None
        }
        for row in rows
    ]
