"""Archives from elsewhere, unpacked so that nothing is written outside a folder."""

import gzip
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Literal, TypeVar, cast

from pipeline import tables

_Open = Callable[[], IO[bytes]]
Entry = TypeVar("Entry")
# What an archive may hold: word vectors are packed to a third, silence to a hundredth.
MOST_BYTES, MOST_FILES = 64 * 10**9, 500_000
MOST_TIMES_ITS_SIZE, SMALL = 200, 100 * 10**6
ENCRYPTED = 1  # a flag of a zip file's member
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    EOFError,
    zlib.error,
    NotImplementedError,  # a compression that zipfile does not know
)


class UnpackError(Exception):
    """Why an archive was not unpacked; no file of it is left half-written."""


@dataclass(frozen=True)
class Member:
    """A file inside an archive, with the size in bytes that the archive states."""

    name: str
    size: int
    regular: bool
    open: _Open


def unpack(archive: Path, folder: Path, kind: Literal["zip", "tar", "gzip"]) -> list[Path]:
    """Unpacks the files of an archive into the folder; their paths, sorted.

    All members are checked before the first is written. Raises UnpackError for a link
    or device, for a name that leads out of the folder (by an existing link too), for
    more than an honest archive of its size holds and for a damaged one, and OSError
    where the disk has not enough space.
    """
    most = min(MOST_BYTES, max(SMALL, MOST_TIMES_ITS_SIZE * archive.stat().st_size))
    try:
        with _members(archive, kind) as members:
            targets = {_target(archive, folder, member): member for member in members}
            needed = sum(member.size for member in members)
            if needed > most:
                raise UnpackError(f"{archive.name} holds {needed} bytes, more than {most}")
            free = shutil.disk_usage(folder).free
            if needed > free:
                raise OSError(
                    f"{archive.name} needs {needed} bytes, {folder} has {free}: make space there"
                )
            written = 0
            for target, member in targets.items():
                with (
                    tables.replacing(target) as unfinished,
                    member.open() as source,
                    unfinished.open("wb") as destination,
                ):
                    while chunk := source.read(1 << 20):
                        # What an archive states of itself is not believed.
                        written += len(chunk)
                        if written > most:
                            raise UnpackError(f"{archive.name} holds more than {most} bytes")
                        destination.write(chunk)
    except DAMAGED as error:
        said = " ".join(str(error).split())
        raise UnpackError(f"{archive.name} is damaged ({said}): fetch it again") from error
    return sorted(targets)


@contextmanager
def _members(archive: Path, kind: Literal["zip", "tar", "gzip"]) -> Iterator[list[Member]]:
    if kind == "gzip":
        # A gzip file states the size of its content modulo 4 GiB only: 0 is no promise.
        open_content = partial(gzip.open, archive, "rb")
        yield [Member(archive.name.removesuffix(".gz"), 0, True, cast(_Open, open_content))]
    elif kind == "zip":
        with zipfile.ZipFile(archive) as zipped:
            locked = [info.filename for info in zipped.infolist() if info.flag_bits & ENCRYPTED]
            if locked:
                raise UnpackError(f"{archive.name}: {locked[0]!r} is encrypted")
            yield [
                Member(info.filename, info.file_size, _regular(info), partial(zipped.open, info))
                for info in _counted(archive, zipped.infolist())
                if not info.is_dir()
            ]
    else:
        with tarfile.open(archive) as tape:
            yield [
                Member(
                    entry.name,
                    entry.size,
                    entry.isreg(),
                    cast(_Open, partial(tape.extractfile, entry)),
                )
                for entry in _counted(archive, tape)
                if not entry.isdir()
            ]


def _counted(archive: Path, entries: Iterable[Entry]) -> Iterator[Entry]:
    for number, entry in enumerate(entries):
        if number == MOST_FILES:
            raise UnpackError(f"{archive.name} holds more than {MOST_FILES} files")
        yield entry


def _regular(info: zipfile.ZipInfo) -> bool:
    # Archives made outside Unix state no file type.
    return stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)


def _target(archive: Path, folder: Path, member: Member) -> Path:
    """Where a member is written; every kind obeys the data filter of tarfile."""
    if not member.regular:
        raise UnpackError(f"{archive.name}: {member.name!r} is a link or device, not a file")
    try:
        checked = tarfile.data_filter(tarfile.TarInfo(member.name), str(folder))
    except tarfile.FilterError as error:
        raise UnpackError(f"{archive.name} would write outside its folder: {error}") from error
    if checked.name != member.name:  # the filter takes away a leading slash
        raise UnpackError(f"{archive.name} would write outside its folder: {member.name!r}")
    return folder / member.name
