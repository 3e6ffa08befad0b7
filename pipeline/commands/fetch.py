"""`serflow fetch`: downloads a public resource, verifies it and unpacks it.

A resource that was downloaded by hand is verified and unpacked in the same way; the
error message of a failed download says where to put it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from pipeline import tables
from pipeline.commands import _unpack as unpack
from pipeline.commands._download import CHUNK, FetchError, bar, download
from pipeline.commands._resources import RESOURCES, Resource
from pipeline.lookup import ConfigurationError

LOOPBACK = ("127.0.0.1", "localhost", "::1")

__all__ = ["RESOURCES", "FetchError", "Resource", "fetch", "show"]


def fetch(
    name: str,
    data: Path = Path("data"),
    progress: bool = True,
    resources: Mapping[str, Resource] = RESOURCES,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Downloads, verifies and unpacks a resource below the data folder; its files.

    Files that are there already are not fetched again. Raises ConfigurationError for an
    unknown name, and FetchError where the download, the verification or the unpacking
    fails.
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
            _require_proof(name, resource, packed)
            download(resource, packed, progress)
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
        raise FetchError(f"{name} could not be put into {folder}: {error}") from error
    record = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    tables.write_json(note, {"resource": asdict(resource), "sha256": digest, "files": record})
    return files


def _require_proof(name: str, resource: Resource, packed: Path) -> None:
    """Raises FetchError where nothing would tell the file from another that somebody
    on the way puts in its place.
    """
    address = urlsplit(resource.address)
    if address.scheme != "https" and not resource.checksum and address.hostname not in LOOPBACK:
        raise FetchError(
            f"{name} is offered without encryption and without a checksum, so nothing proves what "
            f"arrives: get {resource.address} in a way that you trust, put it at {packed} and run "
            "the command again"
        )


def show(resources: Mapping[str, Resource] = RESOURCES) -> None:
    """Prints the resources: name, size, folder, what verifies the file, licence."""
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "MB", "goes to", "verified by", "licence")
    for name, item in sorted(resources.items()):
        megabytes = "?"
        if item.size:
            megabytes = f"{item.size / 1e6:,.0f}" if item.size > 1e6 else "< 1"
        by = "size" if item.size else "nothing published"
        if item.checksum:
            by = item.checksum.partition(":")[0]
        table.add_row(name, megabytes, item.folder, by, item.licence)
    Console().print(table)


def _complete(note: Path, resource: Resource) -> list[Path] | None:
    """The files of an earlier fetch of this resource; None unless all are there."""
    if not note.is_file():
        return None
    try:
        record = json.loads(note.read_text())
        files = {note.parent / name: size for name, size in record["files"].items()}
        if record["resource"] != asdict(resource):
            return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return (
        list(files)
        if all(path.is_file() and path.stat().st_size == size for path, size in files.items())
        else None
    )


def _verify(resource: Resource, path: Path, given: bool, progress: bool) -> str:
    """The file's sha256; raises FetchError where size or checksum differ.

    A download is then removed, a file that the user put there is left.
    """
    kind, _, expected = (resource.checksum or "sha256:").partition(":")
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in {"sha256", kind}}
    size = path.stat().st_size
    with path.open("rb") as file, bar(progress, f"verifying {resource.file}", size) as advance:
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
        outcome = "replace it or remove it"
        if not given:
            path.unlink()
            outcome = "the download was removed, run the command again"
        raise FetchError(f"{path} is not the file it should be ({reason}): {outcome}")
    return digests["sha256"].hexdigest()
