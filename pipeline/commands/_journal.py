"""What a long prediction has answered so far: a line of JSON for each piece of work,
beside the output, so that an interrupted or repeated command answers what is new.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pipeline import lookup, tables
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
    known = _read(path, made_by)
    lines = [{"made_by": made_by}, *({"key": key, "value": known[key]} for key in known)]
    tables.write_text(path, "".join(f"{_line(line)}\n" for line in lines))
    with path.open("a", encoding="utf-8") as file:
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


def _read(path: Path, made_by: str) -> dict[str, Any]:
    known: dict[str, Any] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return known
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read ({error}): delete it") from None
    for number, line in enumerate(lines):
        try:
            values = json.loads(line)
            if number == 0:
                if values["made_by"] != made_by:
                    log.warning("%s is of another model, settings or version: begun anew", path)
                    return {}
                continue
            known[values["key"]] = values["value"]
        except (ValueError, KeyError, TypeError):
            if number + 1 < len(lines):
                log.warning("%s: line %d is damaged and left out", path, number + 1)
            if number == 0:
                return {}
    return known


def _line(values: Any) -> str:
    return json.dumps(values, ensure_ascii=False)
