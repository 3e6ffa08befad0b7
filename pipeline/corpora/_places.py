"""Where the paths of a table lead: below a folder, or below a place of a store."""

import os
from functools import cache
from pathlib import Path

from pipeline.audio import is_url


class PlaceError(Exception):
    """Why a path cannot be used, as a Rejection says it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


class Places:
    """Paths below a folder; the links of a folder are followed once for all rows that
    name something in it.
    """

    def __init__(self, folder: Path, follow_links: bool) -> None:
        self.folder, self.follow_links = folder, follow_links
        self.root = self._spelled("") if follow_links else str(folder.resolve())
        self._parent = cache(lambda parent: str((folder / parent).resolve()))

    def of(self, text: str, column: str) -> str:
        """The path in a column; PlaceError for one that leads out of the folder."""
        if "\0" in text:
            raise PlaceError("unparsable path", f"{column} {text!r} holds a null character")
        try:
            # An unresolved path is judged by its spelling alone: its links may lead
            # anywhere.
            place = self._spelled(text) if self.follow_links else self._resolved(text)
        except (OSError, RuntimeError) as error:  # links in a circle, by version of Python
            raise PlaceError("unparsable path", f"{column} {text[:80]!r}: {error}") from None
        if place != self.root and not place.startswith(self.root.rstrip("/") + "/"):
            raise PlaceError(
                "path leaves the corpus folder",
                f"{column} {text!r} lies outside {self.folder}: set the reader's audio_root to the "
                "folder that holds the recordings",
            )
        return (self.folder / text).as_posix()

    def _spelled(self, text: str) -> str:
        return os.path.normpath((self.folder / text).absolute())

    def _resolved(self, text: str) -> str:
        parent, slash, name = text.rpartition("/")
        if name in ("", os.curdir, os.pardir):
            return str((self.folder / text).resolve())
        place = f"{self._parent(parent + slash).rstrip('/')}/{name}"
        # `Path.is_symlink` raises for a name that is too long: who reads it reports it.
        return str(Path(place).resolve()) if os.path.islink(place) else place  # noqa: PTH114


class Store:
    """URLs below a place of a store."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")

    def of(self, text: str, column: str) -> str:
        """The URL of a path in a column; PlaceError for one that leads elsewhere."""
        if column != "audio_path":
            raise PlaceError("not in a store", f"{column} is read from folders: leave audio_root")
        if is_url(text) or text.startswith("/") or os.pardir in text.split("/"):
            detail = f"{column} {text!r} lies outside {self.root}"
            raise PlaceError("path leaves the corpus folder", detail)
        return f"{self.root}/{text}"
