"""Public resources: where they are, what they should weigh, and how they get into the
data folder.

Downloads resume where they broke off, are verified, and are unpacked so that no path
leaves the target folder. A resource that was fetched by hand is verified and unpacked
in the same way when it is put where the error says.
"""

from __future__ import annotations

import hashlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Literal

from pipeline.commands import _unpack as unpack
from pipeline.lookup import ConfigurationError

CHUNK = 1 << 20
TIMEOUT = 60.0  # seconds without a byte
ATTEMPTS = 5  # in a row without progress


class FetchError(Exception):
    """Why a resource could not be fetched, and which file to put where instead."""


@dataclass(frozen=True)
class Resource:
    """A public file: `checksum` "sha256:..." or "md5:..." as published, None where it
    is not; `size` in bytes.

    `folder` is relative to the data folder.
    """

    address: str
    file: str
    folder: str
    size: int | None
    checksum: str | None
    unpacking: Literal["zip", "tar", "gzip"] | None
    licence: str


# Sizes and checksums are published ones: the Zenodo record (RAVDESS), the download
# tables of GluonNLP and Embeddings.jl (GloVe, GoogleNews), servers' answers quoted in
# public logs (EMO-DB, fastText en). None: not found published.
RESOURCES: dict[str, Resource] = {
    "glove-6b": Resource(
        "https://nlp.stanford.edu/data/glove.6B.zip",
        "glove.6B.zip",
        "vectors",
        862_182_613,
        "sha256:617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb",
        "zip",
        "PDDL 1.0",
    ),
    "glove-42b": Resource(
        "https://nlp.stanford.edu/data/glove.42B.300d.zip",
        "glove.42B.300d.zip",
        "vectors",
        1_877_800_501,
        "sha256:03d5d7fa28e58762ace4b85fb71fe86a345ef0b5ff39f5390c14869da0fc1970",
        "zip",
        "PDDL 1.0",
    ),
    "glove-840b": Resource(
        "https://nlp.stanford.edu/data/glove.840B.300d.zip",
        "glove.840B.300d.zip",
        "vectors",
        2_176_768_927,
        "sha256:c06db255e65095393609f19a4cfca20bf3a71e20cc53e892aafa490347e3849f",
        "zip",
        "PDDL 1.0",
    ),
    "fasttext-en": Resource(
        "https://dl.fbaipublicfiles.com/fasttext/vectors-crawl/cc.en.300.bin.gz",
        "cc.en.300.bin.gz",
        "vectors",
        4_503_593_528,
        None,
        "gzip",
        "CC BY-SA 3.0",
    ),
    "fasttext-zh": Resource(
        "https://dl.fbaipublicfiles.com/fasttext/vectors-crawl/cc.zh.300.bin.gz",
        "cc.zh.300.bin.gz",
        "vectors",
        None,
        None,
        "gzip",
        "CC BY-SA 3.0",
    ),
    "googlenews": Resource(
        "https://huggingface.co/LoganKilpatrick/GoogleNews-vectors-negative300/resolve/main/"
        "GoogleNews-vectors-negative300.bin.gz",
        "GoogleNews-vectors-negative300.bin.gz",
        "vectors",
        1_647_046_227,
        "sha256:21c05ae916a67a4da59b1d006903355cced7de7da1e42bff9f0504198c748da8",
        None,
        "not stated by its authors",
    ),
    "baidu-stopwords": Resource(
        "https://raw.githubusercontent.com/goto456/stopwords/1de4e063cdc6b50d1b94392bcd2a5063b468b0be/baidu_stopwords.txt",
        "baidu_stopwords.txt",
        "stopwords",
        9_131,
        None,
        None,
        "not stated by its collector",
    ),
    "ravdess": Resource(
        "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1",
        "Audio_Speech_Actors_01-24.zip",
        "raw/ravdess",
        208_468_073,
        "md5:bc696df654c87fed845eb13823edef8a",
        "zip",
        "CC BY-NC-SA 4.0",
    ),
    "emodb": Resource(
        "http://emodb.bilderbar.info/download/download.zip",
        "download.zip",
        "raw/emodb",
        40_567_066,
        None,
        "zip",
        "free for research",
    ),
}


def fetch(
    name: str,
    data: Path = Path("data"),
    progress: bool = True,
    resources: Mapping[str, Resource] = RESOURCES,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Downloads, verifies and unpacks a resource under the data folder; the files it
    consists of.

    Files that are there already are not fetched again. Raises ConfigurationError for an
    unknown name and FetchError, which says what to put where, if the download, the
    verification or the unpacking fails.
    """
    if name not in resources:
        raise ConfigurationError(f"unknown resource {name!r}, expected one of {sorted(resources)}")
    resource = resources[name]
    folder = Path(data) / resource.folder
    note = folder / f".{name}.json"
    files = _complete(note, resource)
    if files is not None:
        return files
    packed = folder / resource.file
    given = packed.is_file()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not given:
            _download(resource, packed, progress)
        digest = _verify(resource, packed, given, progress)
        if resource.checksum is None:
            say(f"{resource.file}: no checksum is published; its sha256 is {digest}")
        files = [packed]
        if resource.unpacking is not None:
            files = unpack.unpack(packed, folder, resource.unpacking)
            if not given:
                packed.unlink()
    except (OSError, unpack.UnpackError) as error:
        if isinstance(error, unpack.UnpackError) and not given:
            packed.unlink()
        raise FetchError(
            f"{name}: {error}, expected {resource.file} to unpack into {folder}"
        ) from error
    record = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    note.write_text(
        json.dumps({"resource": asdict(resource), "sha256": digest, "files": record}, indent=1)
        + "\n"
    )
    return files


def show(resources: Mapping[str, Resource] = RESOURCES) -> None:
    """Prints what can be fetched: name, size, where under the data folder, what it is
    verified by, licence.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "MB", "goes to", "verified by", "licence")
    for name, item in sorted(resources.items()):
        megabytes = (
            f"{item.size / 1e6:,.0f}"
            if item.size and item.size > 1e6
            else "< 1"
            if item.size
            else "?"
        )
        by = (
            item.checksum.partition(":")[0]
            if item.checksum
            else "size"
            if item.size
            else "nothing published"
        )
        table.add_row(name, megabytes, item.folder, by, item.licence)
    Console().print(table)


def _complete(note: Path, resource: Resource) -> list[Path] | None:
    """The files of an earlier, complete fetch of this very resource that are all still
    there.
    """
    if not note.is_file():
        return None
    try:
        record = json.loads(note.read_text())
        files = {note.parent / name: size for name, size in record["files"].items()}
    except (ValueError, KeyError, AttributeError):
        return None
    if record["resource"] != asdict(resource):
        return None
    return (
        list(files)
        if all(path.is_file() and path.stat().st_size == size for path, size in files.items())
        else None
    )


def _download(resource: Resource, target: Path, progress: bool) -> None:
    """The address into the target; what is missing of a `.part` file is asked for,
    again and again while bytes come.
    """
    part = target.with_name(target.name + ".part")
    attempt, most = 0, -1
    with _bar(progress, resource.file, resource.size) as advance:
        while True:
            have = part.stat().st_size if part.exists() else 0
            attempt = 1 if have > most else attempt + 1
            most = max(most, have)
            try:
                if _receive(resource, part, have, advance):
                    part.replace(target)
                    return
                reason = "the connection ended early"
            except urllib.error.HTTPError as error:
                reason = f"the server answered {error.code} {error.reason}"
                if error.code < 500 and error.code not in (408, 429):
                    attempt = ATTEMPTS
            except (urllib.error.URLError, TimeoutError, ConnectionError, HTTPException) as error:
                reason = str(getattr(error, "reason", error)) or type(error).__name__
            if attempt >= ATTEMPTS:
                raise FetchError(
                    f"{resource.file} could not be downloaded from {resource.address} ({reason}); "
                    f"expected the file at {target}: put it there by hand and run the command again"
                )
            time.sleep(min(2.0 ** (attempt - 1) - 1.0, 10.0))


def _receive(
    resource: Resource, part: Path, have: int, advance: Callable[[int, int | None], None]
) -> bool:
    """One request for the bytes from `have` on; whether the file is complete after it."""
    stamp = part.with_name(part.name + ".etag")
    request = urllib.request.Request(resource.address, headers={"User-Agent": "serflow"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        if stamp.exists():
            # A server whose file has changed since then sends all of it.
            request.add_header("If-Range", stamp.read_text())
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        if error.headers.get("Content-Range", "") == f"bytes */{have}":
            return True
        part.unlink()
        return False
    with response:
        resumed = response.status == 206 and response.headers.get("Content-Range", "").startswith(
            f"bytes {have}-"
        )
        if response.status == 206 and not resumed:
            part.unlink()
            return False
        mark = response.headers.get("ETag") or response.headers.get("Last-Modified")
        if mark and not mark.startswith("W/"):
            stamp.write_text(mark)
        else:
            stamp.unlink(missing_ok=True)
        length = response.headers.get("Content-Length")
        start = have if resumed else 0
        total = start + int(length) if length is not None else None
        with part.open("ab" if resumed else "wb") as file:
            advance(start, total)
            while chunk := response.read(CHUNK):
                file.write(chunk)
                advance(file.tell(), total)
            size = file.tell()
    complete = (
        size == total if total is not None else resource.size is None or size == resource.size
    )
    if complete:
        stamp.unlink(missing_ok=True)
    return complete


def _verify(resource: Resource, path: Path, given: bool, progress: bool) -> str:
    """The file's sha256; raises FetchError if size or checksum differ, and removes a
    download that is of no use.
    """
    kind, _, expected = (resource.checksum or "sha256:").partition(":")
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in {"sha256", kind}}
    size = path.stat().st_size
    with path.open("rb") as file, _bar(progress, f"verifying {resource.file}", size) as advance:
        while chunk := file.read(CHUNK):
            for digest in digests.values():
                digest.update(chunk)
            advance(file.tell(), size)
    reason = ""
    if resource.size is not None and size != resource.size:
        reason = f"{size} bytes, expected {resource.size}"
    elif expected and digests[kind].hexdigest() != expected:
        reason = f"{kind} {digests[kind].hexdigest()}, expected {expected}"
    if reason:
        if not given:
            path.unlink()
        outcome = (
            "replace it or remove it"
            if given
            else "the download was removed; run the command again"
        )
        raise FetchError(f"{path} is not the file it should be ({reason}): {outcome}")
    return digests["sha256"].hexdigest()


@contextmanager
def _bar(show: bool, title: str, total: int | None) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar on a terminal's standard error; elsewhere nothing is drawn."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not (show and console.is_terminal)
    ) as bars:
        task = bars.add_task(title, total=total)
        yield lambda done, size: bars.update(task, completed=done, total=size or total)
