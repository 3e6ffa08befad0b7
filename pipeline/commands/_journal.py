"""What a long prediction has answered so far: a line of JSON for each piece of work,
beside the output, so that an interrupted or repeated command answers what is new.
"""

import fcntl
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pipeline import lookup
from pipeline.lookup import ConfigurationError

log = logging.getLogger(__name__)


def place(out: Path) -> Path:
    """The journal of an output."""
    return out.with_name(f".{out.name}.journal")


@contextmanager
def opened(path: Path, made_by: str) -> Iterator[tuple[dict[str, Any], IO[str]]]:
    """What the journal holds that the same model, settings and code answered, by key,
    and the file that takes further lines.

    A journal of other settings is begun anew. What a killed process wrote in part is
    left out.
    """
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"another command is writing what {path} is about: wait for it, or name another "
                "--out"
            ) from None
        known = _read(path, file, made_by)
        if known is None:
            known = {}
            file.truncate(0)
            file.write(_line({"made_by": made_by}) + "\n")
            file.flush()
        yield known, file


def add(file: IO[str], key: str, value: Any) -> None:
    """Writes down one answer, at once."""
    file.write(_line({"key": key, "value": value}) + "\n")
    file.flush()


def key_of(path: str, *parts: object) -> str:
    """The key of a piece of work on a recording, which is another one where the file
    changed.
    """
    try:
        state = Path(path).stat()
    except (OSError, ValueError):
        return lookup.key_of(path, *parts)
    return lookup.key_of(path, state.st_size, state.st_mtime_ns, *parts)


def _read(path: Path, file: IO[str], made_by: str) -> dict[str, Any] | None:
    """The answers of a journal, None where it is empty or of other settings."""
    known: dict[str, Any] = {}
    try:
        file.seek(0)
        text = file.read()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} cannot be read ({error}): delete it") from None
    lines = text.splitlines()
    if text and not text.endswith("\n"):
        file.write("\n")  # after what a killed process wrote in part
    for number, line in enumerate(lines):
        try:
            values = json.loads(line)
            if number == 0 and values["made_by"] != made_by:
                log.warning("%s is of another model, settings or version: begun anew", path)
                return None
            if number > 0:
                known[values["key"]] = values["value"]
        except (ValueError, KeyError, TypeError):
            if number == 0:
                return None
            if number + 1 < len(lines):
                log.warning("%s: line %d is damaged and left out", path, number + 1)
    return known if lines else None


def _line(values: Any) -> str:
    return json.dumps(values, ensure_ascii=False)
