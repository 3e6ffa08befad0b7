"""What `verify` compares: outputs of the pipeline, as they lie there and made again."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import acoustic, alignment, audio, executor, folders, lookup, tables, text
from pipeline.lookup import ConfigurationError
from pipeline.schema import AlignmentError, Utterance, WordSpan
from pipeline.shards import Shards
from pipeline.training.inputs import Text

# Two values are equal within the tolerance that differ by less than a thousandth of
# the deviation of their column in the utterance. The other two are for columns that
# hardly vary: single precision's rounding, and zero.
SHARE, ROUNDING, ZERO = 1e-3, 1e-5, 1e-6
SECONDS = 0.0101  # between word times: one frame of the aligners
Group = tuple[Utterance, ...]
FAILURES = (audio.AudioError, AlignmentError, ConfigurationError, OSError)


@dataclass(frozen=True)
class Output:
    """An output that params.yaml builds: section, corpus, name, checked settings."""

    section: str
    corpus: str
    name: str
    config: Any
    data: Path

    def __str__(self) -> str:
        return str(self.folder.relative_to(self.data))

    @property
    def folder(self) -> Path:
        """Where it lies."""
        kinds = {"acoustic": folders.acoustic, "alignment": folders.spans, "text": folders.text}
        return kinds[self.section](self.data, self.corpus, self.name)

    def utterances(self) -> dict[str, Utterance]:
        """Those of the corpus, by id."""
        place = folders.utterances(self.data, self.corpus) / folders.UTTERANCES
        return {item.utterance_id: item for item in tables.read_utterances(place)}

    def rejected(self) -> dict[str, str]:
        """Why its stage could not use an utterance, by id."""
        return {
            item.utterance_id: item.reason
            for item in tables.read_rejections(self.folder / folders.REJECTS)
        }


@dataclass(frozen=True)
class Inspected:
    """What the files of an output say.

    damaged: files that are not as they were written. stale: what does not follow from
    the settings, code and utterances of today. groups: what is made again together.
    made_by: environments.
    """

    damaged: tuple[str, ...]
    stale: tuple[str, ...]
    groups: tuple[Group, ...]
    made_by: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Compared:
    """One utterance made again: `apart` is the largest difference in tolerances, zero
    where every byte is the same; `fault` says why it could not be compared.
    """

    utterance_id: str
    apart: float = 0.0
    fault: str = ""


def inspect(work: tuple[Output, int | None, int]) -> Inspected:
    """Checks files, hashes, index, bounds and keys of an output, and draws `sample`
    utterances, None for all, with a seed.
    """
    output, sample, seed = work
    # It chooses utterances, the same for the same seed.
    draw = Random(f"{seed} {output}")  # noqa: S311
    try:
        utterances = output.utterances()
        return INSPECTIONS[output.section](output, utterances, sample, draw)
    except ConfigurationError as error:
        return Inspected((str(error),), (), (), ())


def compare(work: tuple[Output, Group]) -> list[Compared]:
    """Makes the rows of some utterances again."""
    output, group = work
    try:
        return list(COMPARISONS[output.section](output, group))
    except FAILURES as error:
        return [Compared(item.utterance_id, fault=str(error)) for item in group]


def apart(stored: NDArray[np.float32], made: NDArray[np.float32]) -> float:
    """The largest difference of two (length, dim) in tolerances; infinite where one
    has another shape or other values that are no numbers.
    """
    if stored.shape != made.shape:
        return float("inf")
    if stored.size == 0 or stored.tobytes() == made.tobytes():
        return 0.0
    if not (np.isfinite(stored).all() and np.isfinite(made).all()):
        return float("inf")
    values = stored.astype(np.float64)
    largest = np.abs(values).max(axis=0)
    spread = values.std(axis=0) if len(values) > 1 else largest
    tolerance = SHARE * spread + ROUNDING * largest + ZERO
    # Equal numbers of other bytes are zeros of another sign.
    return max(float((np.abs(made - values) / tolerance).max()), 1e-12)


def _of_shards(
    output: Output, keys: Mapping[str, str], others: Mapping[str, str]
) -> tuple[list[str], list[str], list[str], tuple[Mapping[str, str], ...]]:
    """What is damaged and what is stale, whose shards are whole, and who made them."""
    shards = Shards(output.folder)
    damaged = [str(fault) for fault in shards.faults()]
    files = {fault.split()[0] for fault in damaged}
    changed = [name for name in shards if name in keys and shards.key(name) != keys[name]]
    stale = _counted(changed, keys, "were made of other settings, code or input")
    stale += _unaccounted(list(shards), others, keys)
    whole = [name for name in shards if name in keys and shards.file_of(name) not in files]
    if any(not name.startswith("shard-") for name in files):
        whole = []
    return damaged, stale, whole, tuple(shards.made_by)


def _unaccounted(
    held: Sequence[str], rejected: Mapping[str, str], wanted: Mapping[str, Any]
) -> list[str]:
    gone = [name for name in held if name not in wanted]
    accounted = {*held, *rejected}
    absent = [name for name in wanted if name not in accounted]
    return _counted(gone, wanted, "are not among the corpus's any more") + _counted(
        absent, wanted, "are neither there nor rejected"
    )


def _counted(names: Sequence[str], of: Mapping[str, Any], what: str) -> list[str]:
    return [f"{len(names)} of {len(of)} utterances {what}, e.g. {names[0]}"] if names else []


def _acoustic(
    output: Output, utterances: Mapping[str, Utterance], sample: int | None, draw: Random
) -> Inspected:
    listed, others = tables.utterance_table(utterances.values()), output.rejected()
    keys = acoustic.feature_keys(listed, output.name, output.config)
    damaged, stale, whole, made_by = _of_shards(output, keys, others)
    names = [*whole, *(name for name in others if name in utterances)] if whole else []
    groups = _parts([utterances[name] for name in names], sample, draw)
    return Inspected(tuple(damaged), tuple(stale), groups, made_by)


def _text(
    output: Output, utterances: Mapping[str, Utterance], sample: int | None, draw: Random
) -> Inspected:
    held = Text(output.folder)
    spoken = {name: item for name, item in utterances.items() if item.words}
    others = output.rejected()
    stale = []
    settings = json.loads(json.dumps(asdict(output.config), default=str))
    if held.info["config"] != settings:
        stale.append("info.json states other settings")
    words = {name: list(item.words) for name, item in spoken.items() if name not in others}
    if held.words != words:
        stale.append("words.parquet has other words than the corpus")
    if held.info["kind"] != "contextual":
        fixed = held.info["kind"] == "static" and len(held.table) and not stale
        return Inspected((), tuple(stale), (tuple(spoken.values()),) if fixed else (), ())
    keys = text.vector_keys(list(spoken.values()), output.name, output.config)
    damaged, aged, whole, made_by = _of_shards(output, keys, others)
    groups = _shards_of(Shards(output.folder), [spoken[name] for name in whole], sample, draw)
    return Inspected(tuple(damaged), (*stale, *aged), groups, made_by)


def _spans(
    output: Output, utterances: Mapping[str, Utterance], sample: int | None, draw: Random
) -> Inspected:
    path = output.folder / folders.SPANS
    held, others = tables.read_spans(path), output.rejected()
    stale = _unaccounted(list(held), others, utterances)
    metadata = tables.read_parquet(path, ["utterance_id"]).schema.metadata or {}
    stated = {key.decode(): value.decode() for key, value in metadata.items()}
    here = {key: str(value) for key, value in alignment.provenance(output.config.chain).items()}
    differ = sorted(key for key in {*stated, *here} if stated.get(key) != here.get(key))
    stale += [f"{key} was {stated.get(key)}, here {here.get(key)}" for key in differ]
    if alignment.learns_from_all(output.config.chain):
        return Inspected((), tuple(stale), (), ())
    there = [item for name, item in utterances.items() if name in held or name in others]
    return Inspected((), tuple(stale), _parts(there, sample, draw), ())


def _again_acoustic(output: Output, utterances: Sequence[Utterance]) -> Iterator[Compared]:
    shards, rejected = Shards(output.folder), output.rejected()
    for item in utterances:
        name = item.utterance_id
        try:
            if item.audio_path is not None:
                heard = audio.content_hash(*audio.read(item.audio_path, item.start, item.end))
                if heard != item.audio_sha256:
                    yield Compared(name, fault="its recording is not the one that prepare read")
                    continue
            rows, lost = acoustic.features(item, output.name, output.config)
        except FAILURES as error:
            yield _failed(name, error, rejected)
            continue
        if name not in shards:
            yield Compared(name, fault=f"was rejected ({rejected[name]}), can be used here")
        elif lost != shards.lost(name):
            yield Compared(name, float("inf"))
        else:
            yield Compared(name, apart(shards.read(name), np.asarray(rows, np.float32)))


def _again_text(output: Output, utterances: Sequence[Utterance]) -> Iterator[Compared]:
    held = Text(output.folder)
    if held.info["kind"] == "contextual":
        embed = lookup.component("text", output.name).embed
        for name, rows in embed(utterances, output.config):
            yield Compared(name, apart(held.shards.read(name), np.asarray(rows, np.float32)))
        return
    table, _ = text.word_table(utterances, held.vocabulary, output.name, output.config)
    if table is None:
        raise ConfigurationError(f"{output.name} gives no table of words with these settings")
    difference = apart(np.asarray(held.table), np.asarray(table, np.float32))
    for item in utterances:
        yield Compared(item.utterance_id, difference)


def _again_spans(output: Output, utterances: Sequence[Utterance]) -> Iterator[Compared]:
    held, rejected = tables.read_spans(output.folder / folders.SPANS), output.rejected()
    for item in utterances:
        name = item.utterance_id
        try:
            placed = alignment.place(item, output.config.chain, output.config.check)
        except FAILURES as error:
            yield _failed(name, error, rejected)
            continue
        if name not in held:
            yield Compared(name, fault=f"was rejected ({rejected[name]}), can be placed here")
        else:
            yield Compared(name, _times_apart(held[name], placed))


def _times_apart(stored: Sequence[WordSpan], made: Sequence[WordSpan]) -> float:
    if list(stored) == list(made):
        return 0.0
    words = [[(item.word_index, item.word, item.aligner) for item in row] for row in (stored, made)]
    if words[0] != words[1]:
        return float("inf")
    times = [np.array([(item.start, item.end) for item in row]) for row in (stored, made)]
    return max(float(np.abs(times[0] - times[1]).max()) / SECONDS, 1e-12)


def _failed(name: str, error: Exception, rejected: Mapping[str, str]) -> Compared:
    """Rejected for the same reason is the same result."""
    if rejected.get(name) == getattr(error, "reason", None) is not None:
        return Compared(name)
    return Compared(name, fault=str(error))


def _parts(utterances: Sequence[Utterance], sample: int | None, draw: Random) -> tuple[Group, ...]:
    """The sample in parts, some for each worker: a part reads the index once."""
    count = len(utterances) if sample is None else min(sample, len(utterances))
    chosen = sorted(draw.sample(utterances, count), key=lambda item: item.utterance_id)
    size = -(-len(chosen) // (4 * executor.worker_count())) or 1
    return tuple(tuple(chosen[first : first + size]) for first in range(0, len(chosen), size))


def _shards_of(
    shards: Shards, utterances: Sequence[Utterance], sample: int | None, draw: Random
) -> tuple[Group, ...]:
    """Whole shards: vectors depend, by rounding, on what was embedded together."""
    files: dict[str, list[Utterance]] = {}
    for item in sorted(utterances, key=lambda item: item.utterance_id):
        files.setdefault(shards.file_of(item.utterance_id), []).append(item)
    groups: list[Group] = []
    for file in draw.sample(sorted(files), len(files)):
        if sample is None or sum(map(len, groups)) < sample:
            groups.append(tuple(files[file]))
    return tuple(groups)


INSPECTIONS = {"acoustic": _acoustic, "alignment": _spans, "text": _text}
COMPARISONS = {"acoustic": _again_acoustic, "alignment": _again_spans, "text": _again_text}
