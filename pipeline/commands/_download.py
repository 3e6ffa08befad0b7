"""Download of one file, resumed where an earlier attempt broke off."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from pipeline.commands._resources import Resource

CHUNK = 1 << 20
TIMEOUT = 60.0  # seconds without a byte
MOST_BYTES = 20 * 10**9  # of a file whose size is not published
ATTEMPTS = 5  # in a row without progress


class FetchError(Exception):
    """Why a resource could not be fetched, and which file to put where instead."""


def download(resource: Resource, target: Path, progress: bool) -> None:
    """Downloads a resource to `target`.

    A `.part` file of an earlier attempt is continued, and the server is asked again as
    long as bytes come. Raises FetchError after some attempts without progress.
    """
    part = target.with_name(target.name + ".part")
    attempt, most = 0, -1
    with bar(progress, resource.file, resource.size) as advance:
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
                    f"{resource.file} could not be downloaded from {resource.address} ({reason}): "
                    f"put the file at {target} by hand and run the command again"
                )
            time.sleep(min(2.0 ** (attempt - 1) - 1.0, 10.0))


def _receive(
    resource: Resource, part: Path, have: int, advance: Callable[[int, int | None], None]
) -> bool:
    """Asks once for the bytes from `have` on; True when the file is complete then."""
    stamp = part.with_name(part.name + ".etag")
    # The addresses are constants of `fetch`, none of them a file: or a user's word.
    request = urllib.request.Request(resource.address, headers={"User-Agent": "serflow"})  # noqa: S310
    if have:
        request.add_header("Range", f"bytes={have}-")
        if stamp.exists():
            # A server whose file has changed since then sends all of it.
            request.add_header("If-Range", stamp.read_text())
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310 # nosec B310
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
        most = MOST_BYTES if resource.size is None else resource.size
        with part.open("ab" if resumed else "wb") as file:
            advance(start, total)
            while chunk := response.read(CHUNK):
                file.write(chunk)
                advance(file.tell(), total)
                if file.tell() > most:
                    break
            size = file.tell()
    if size > most:
        part.unlink()
        stamp.unlink(missing_ok=True)
        raise FetchError(
            f"{resource.file} has more bytes, expected {most} at most: {resource.address} has "
            "another file now"
        )
    complete = (
        size == total if total is not None else resource.size is None or size == resource.size
    )
    if complete:
        stamp.unlink(missing_ok=True)
    return complete


@contextmanager
def bar(show: bool, title: str, total: int | None) -> Iterator[Callable[[int, int | None], None]]:
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
