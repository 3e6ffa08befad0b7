"""Which shards were found to be as they were written, so that they are read again only
when something has touched them.

It lies beside the data and is no output: it can be deleted at any time. As for DVC, a
file is unchanged where its name leads to the same inode of the same size, changed at
the same nanosecond.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import tables
from pipeline.folders import State, state
from pipeline.lookup import ConfigurationError
from pipeline.shards import _files as files
from pipeline.shards._files import Stored


@dataclass(frozen=True)
class Seen:
    """The states in which the shards of a folder were compared with its index."""

    folder: Path
    states: Mapping[str, State] = field(default_factory=dict)

    def __contains__(self, stored: Stored) -> bool:
        known = self.states.get(stored.path.name)
        return known is not None and stored.path.parent == self.folder and known == stored.state


def recall(memory: Path | None, folder: Path, attributes: Mapping[str, Any]) -> Seen:
    """What a file says of the shards that the folder's index, as it is now, names."""
    index = folder / files.INDEX
    if memory is None or not memory.is_file() or not index.is_file():
        return Seen(folder)
    try:
        found = tables.read_json(memory)
        if found["compared"] != _compared(index, attributes):
            return Seen(folder)
        return Seen(folder, {name: State(*item) for name, item in found["states"].items()})
    except (ConfigurationError, KeyError, TypeError, AttributeError, OSError) as error:
        line = "%s cannot be used (%s): every shard is compared with its hash"
        logging.getLogger(__name__).warning(line, memory, error)
        return Seen(folder)


def remember(
    memory: Path | None, folder: Path, attributes: Mapping[str, Any], stored: Iterable[Stored]
) -> None:
    """Writes down the shards of a finished folder which nothing has touched since they
    were compared.
    """
    if memory is None:
        return
    states = {
        item.path.name: now
        for item in stored
        if (now := state(folder / item.path.name)) == item.state and now and now.settled
    }
    compared = _compared(folder / files.INDEX, attributes)
    tables.write_text(memory, json.dumps({"compared": compared, "states": states}) + "\n")


def _compared(index: Path, attributes: Mapping[str, Any]) -> list[str]:
    return [files.sha256(index), json.dumps(attributes, sort_keys=True)]
