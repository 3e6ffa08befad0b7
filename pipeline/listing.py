"""Files of a published corpus tree, in one order on every file system."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from pipeline.lookup import ConfigurationError

AUDIO_SUFFIXES = (".flac", ".wav")


def files(folder: Path, suffixes: Collection[str], deep: bool = False) -> list[Path]:
    """The files in `folder` (and below it, when `deep`) whose suffix counts in any case, sorted by relative path.

    Files whose name starts with a dot are left out: `._x.wav` is macOS metadata with the suffix of a recording.
    """
    found = folder.rglob("*") if deep else folder.iterdir()
    kept = [
        path for path in found if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
    ]
    return sorted(kept, key=lambda path: path.relative_to(folder).parts)


def folders(folder: Path) -> list[Path]:
    """The visible folders in `folder`, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def require_folder(path: Path, expected: str) -> Path:
    """The folder `path`; ConfigurationError saying what was `expected` there when it is missing."""
    if not path.is_dir():
        raise ConfigurationError(f"{path} is not a folder, expected {expected}")
    return path


def require_file(path: Path, expected: str) -> Path:
    """The file `path`; ConfigurationError saying what was `expected` there when it is missing."""
    if not path.is_file():
        raise ConfigurationError(f"{path} is not a file, expected {expected}")
    return path


def hidden_metadata(root: Path) -> Iterator[Path]:
    """macOS `._*` files below `root`, sorted: left out by every reader, named by the corpus check."""
    yield from sorted(path for path in root.rglob("._*") if path.is_file())
