"""Archives from elsewhere, unpacked so that nothing is written outside the target
folder.
"""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Literal, cast


class UnpackError(Exception):
    """Why an archive was not unpacked; nothing of it was written unless it is damaged
    inside.
    """


@dataclass(frozen=True)
class Member:
    """A regular file inside an archive: where it goes, how many bytes it declares, how
    it is opened.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path, kind: Literal["zip", "tar", "gzip"]) -> list[Path]:
    """Unpacks the archive's regular files into the folder; their paths, sorted.

    All names are checked before anything is written: absolute paths, `..`, links,
    devices and names that an existing link would lead elsewhere raise UnpackError, as
    do damaged archives; a disk too small raises OSError.
    """
    try:
        with _members(archive, kind) as members:
            targets = {_inside(folder, member.name): member for member in members}
            needed = sum(member.size for member in members)
            if needed > shutil.disk_usage(folder).free:
                raise OSError(
                    f"{archive.name} needs {needed} bytes, expected as much free space in {folder}"
                )
            for target, member in targets.items():
                target.parent.mkdir(parents=True, exist_ok=True)
                unfinished = target.with_name(target.name + ".part")
                try:
                    with member.open() as source, unfinished.open("wb") as destination:
                        shutil.copyfileobj(source, destination, 1 << 20)
                    unfinished.replace(target)
                finally:
                    unfinished.unlink(missing_ok=True)
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        gzip.BadGzipFile,
        EOFError,
        zlib.error,
        NotImplementedError,
    ) as error:
        raise UnpackError(
            f"{archive.name} is damaged ({error}), expected a complete {kind} file"
        ) from error
    return sorted(targets)


@contextmanager
def _members(archive: Path, kind: Literal["zip", "tar", "gzip"]) -> Iterator[list[Member]]:
    if kind == "gzip":
        # A gzip file knows its content's size modulo 4 GiB only, so nothing is
        # declared.
        yield [Member(archive.name.removesuffix(".gz"), 0, partial(_gunzip, archive))]
    elif kind == "zip":
        with zipfile.ZipFile(archive) as zipped:
            infos = [info for info in zipped.infolist() if not info.is_dir()]
            odd = [
                info.filename
                for info in infos
                if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG)
            ]
            _refuse(archive, odd)
            yield [
                Member(info.filename, info.file_size, partial(zipped.open, info)) for info in infos
            ]
    else:
        with tarfile.open(archive) as tape:
            entries = [entry for entry in tape.getmembers() if not entry.isdir()]
            _refuse(archive, [entry.name for entry in entries if not entry.isreg()])
            yield [
                Member(entry.name, entry.size, partial(_extract, tape, entry)) for entry in entries
            ]


def _refuse(archive: Path, odd: list[str]) -> None:
    if odd:
        raise UnpackError(
            f"{archive.name}: {odd[0]!r} is a link or device, expected files and folders only"
        )


def _gunzip(archive: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(archive, "rb"))


def _extract(tape: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    return cast(IO[bytes], tape.extractfile(entry))


def _inside(folder: Path, name: str) -> Path:
    """Where a member goes; raises UnpackError if that is not inside the folder, be it
    through a link that is there.
    """
    parts = PurePosixPath(name).parts
    # A backslash or a colon separates folders or drives on Windows; no resource has one
    # in its names.
    if (
        not parts
        or name.startswith("/")
        or ".." in parts
        or "\\" in name
        or ":" in name
        or "\0" in name
    ):
        raise UnpackError(
            f"{name!r} would leave the target folder, expected a relative path inside it"
        )
    target = folder.joinpath(*parts)
    if not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(folder)):
        raise UnpackError(
            f"{name!r} would follow a link out of the target folder, expected a path inside it"
        )
    return target
