"""Where each stage's output lies below the folders `data` and `models`, whether there
is room for it, and whether a file has changed.
"""

import errno
import os
import re
import resource
import shutil
import time
from pathlib import Path
from typing import NamedTuple

from pipeline.lookup import check_name

# The sections of params.yaml whose entries are built for a corpus.
ITEM_SECTIONS = ("acoustic", "alignment", "text", "splits")
UTTERANCES, REJECTS, METRICS = "utterances.parquet", "rejects.parquet", "metrics.json"
FILLED, ENVIRONMENT = "filled.parquet", "environment.json"
DETAILS = "details.json"  # of an experiment's metrics
SPANS, FOLDS, LABELS = "spans.parquet", "folds.parquet", "labels.parquet"
TRANSCRIPTS = "transcripts.parquet"
PLACED = "placed.parquet"  # beside the spans: what their aligners answered
SPARE = 64 * 2**20  # bytes, for what all workers hold back between two looks at the disk
PREDICTIONS, PROBABILITIES = "predictions.parquet", "probabilities.parquet"
REFUSALS = {
    errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EPERM, errno.EROFS,
}  # fmt: skip
SYSTEM_ERROR = re.compile(r"(?:[Ee]rrno(?: =)?|os error) (\d+)")
SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")
SETTLING = 2 * 10**9  # ns; the coarsest clock of a file system in use, FAT's, ticks so


class State(NamedTuple):
    """By which a file is known to be unchanged, as DVC knows it: the same inode of the
    same size, changed at the same nanosecond.
    """

    size: int
    changed: int
    inode: int

    @property
    def settled(self) -> bool:
        """Whether the next change will be seen: a clock that ticks slowly could not
        tell it from one of just now.
        """
        return self.changed <= time.time_ns() - SETTLING


def state(path: str | Path) -> State | None:
    """The state of a file, None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - many files, and a Path is dear
    except (OSError, ValueError):
        return None
    return State(found.st_size, found.st_mtime_ns, found.st_ino)


def utterances(data: Path, corpus: str) -> Path:
    """Folder of the prepare stage: utterances, rejects, metrics."""
    return _below(data / "utterances", corpus)


def transcripts(data: Path, corpus: str) -> Path:
    """Folder of the transcribe stage: what recognisers heard."""
    return _below(data / "transcripts", corpus)


def recordings(data: Path, corpus: str) -> Path:
    """What the prepare stage remembers of recordings: no output, beside the data."""
    return data.parent / ".scratch" / ".prepare" / f"{corpus}.parquet"


def seen(folder: Path) -> Path:
    """What is remembered of a folder of shards, `acoustic` or `text`: no output, beside
    the data.
    """
    kind, corpus, name = folder.parts[-3:]
    return folder.parents[3] / ".scratch" / ".shards" / kind / corpus / f"{name}.json"


def acoustic(data: Path, corpus: str, feature: str) -> Path:
    """Folder of the acoustic stage: shards of one feature."""
    return _below(data / "acoustic", corpus, feature)


def spans(data: Path, corpus: str, alignment: str) -> Path:
    """Folder of the align stage: the spans of one chain of aligners."""
    return _below(data / "spans", corpus, alignment)


def text(data: Path, corpus: str, embedding: str) -> Path:
    """Folder of the text stage: vocabulary, word ids and vectors of one embedding."""
    return _below(data / "text", corpus, embedding)


def split(data: Path, corpus: str, name: str) -> Path:
    """Folder of the split stage: folds without test labels, and labels."""
    return _below(data / "splits", corpus, name)


def _below(folder: Path, *names: str) -> Path:
    """A folder by names, none of which can lead out of it."""
    return folder.joinpath(*(check_name(name, folder.as_posix()) for name in names))


def metrics(folder: Path) -> Path:
    """The metrics of a stage's folder.

    They lie beside a folder that as a whole is an output of DVC, which declares no file
    twice; in the other folders they are metrics.json.
    """
    if folder.parents[1].name in ("acoustic", "text"):
        return folder.with_name(f"{folder.name}.metrics.json")
    return folder / METRICS


def trained(models: Path, experiment: str) -> Path:
    """Folder of an experiment's trained folds."""
    return models / experiment / "folds"


def fold(models: Path, experiment: str, seed: int, number: int) -> Path:
    """Folder of one trained fold: checkpoint, probabilities, history."""
    return trained(models, experiment) / f"seed-{seed}-fold-{number}"


def trained_folds(models: Path, experiment: str) -> list[Path]:
    """Folders of an experiment's trained folds that are there, sorted."""
    return sorted(trained(models, experiment).glob("seed-*-fold-*"))


def require_space(path: Path, size: int) -> None:
    """Raises OSError where a file cannot grow to `size` bytes.

    HDF5, which holds 8 MiB back, ends the process with a segmentation fault when a
    write fails: it has to be known before.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    refused = limit != resource.RLIM_INFINITY and size > limit
    missing = size - path.stat().st_size
    if refused or shutil.disk_usage(path.parent).free < missing + SPARE:
        number = errno.EFBIG if refused else errno.ENOSPC
        raise OSError(number, os.strerror(number), str(path))


def refusal(error: Exception) -> str | None:
    """What the system said when it refused to write a file, None for other errors.

    HDF5, Arrow and safetensors give its number in words; NumPy does not.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (said := SYSTEM_ERROR.search(str(error))):
        number = int(said[1])
    if number is None and isinstance(error, OSError) and SHORT_WRITE.search(str(error)):
        number = errno.ENOSPC
    return os.strerror(number) if number is not None and number in REFUSALS else None


def remove_unfinished(folder: Path) -> None:
    """Removes what a killed process had not finished; DVC lets no other write there."""
    for left in folder.glob(".*.tmp"):
        left.unlink()
