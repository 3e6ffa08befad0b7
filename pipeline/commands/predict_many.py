"""Emotions of many recordings: folders, tables, long ones and video, into one table.

What was answered is written down at once, so that a stopped command goes on where it
was and a grown folder costs what is new.
"""

import csv
import hashlib
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from pipeline import executor, lookup, tables, transcription
from pipeline.alignment import Pauses
from pipeline.commands import _answers as answers
from pipeline.commands import _journal as journal
from pipeline.commands import _sources as sources_of
from pipeline.commands import trained
from pipeline.commands._answers import COLUMNS, Row, Unit, Work
from pipeline.commands.predict import Chain, notes, recognisers
from pipeline.commands.trained import Model
from pipeline.lookup import ConfigurationError
from pipeline.schema import Rejection, Utterance
from pipeline.training import checkpoint

NUMBERS = ("start", "end", "confidence")
SECONDS_OF_WORK, UTTERANCES_OF_WORK = 60.0, 32
GPU_WORKERS = 4  # each holds the networks: more would not fill a device better


@dataclass
class Summary:
    """What came of a batch: rows with and without an answer, reasons, classes, words
    that the model was not trained on, seconds of audio, and what each step took.

    taken_over: rows that an earlier command had answered. elapsed: seconds by the
    clock, of which `steps` may hold more, as several processes work at a time.
    """

    out: Path
    answered: int = 0
    unanswered: Counter[str] = field(default_factory=Counter)
    emotions: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    words: int = 0
    taken_over: int = 0
    audio: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)
    elapsed: float = 0.0
    other_files: int = 0
    notes: list[str] = field(default_factory=list)


def predict_all(
    sources: Sequence[Path],
    model: Path,
    out: Path,
    language: str | None = None,
    chain: Chain | None = None,
    pauses: Pauses | None = None,
    device: str = "auto",
    transcript: str | None = None,
) -> Summary:
    """Answers for every recording of `sources` (files, folders, tables), written to
    `out`: .csv or .parquet, a row per utterance in the order of the recordings.

    language, chain: as in `predict`. A recording that is longer than `pauses.longest`
    is cut at its pauses. One without an answer has a reason in its row. Raises
    ConfigurationError where a source is missing or the model cannot be used.
    """
    begun = time.perf_counter()
    executor.prepare("pipeline.cli", answers.__name__, "pipeline.acoustic:fbank")
    if not out.parent.is_dir():
        raise ConfigurationError(f"{out.parent} is no folder: make it, or name another --out")
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise ConfigurationError(f"{out}: expected a name that ends in .csv or .parquet")
    pauses = pauses or Pauses()
    loaded = trained.load(model)
    device = trained.choose_device(device).type
    spoken_in = (language or loaded.language) if loaded.reads_words else trained.OLD_LANGUAGE
    found = sources_of.find(sources, spoken_in, transcript)
    if loaded.reads_words and any(item.transcript is None for item in found.utterances):
        chain = recognisers(loaded, spoken_in) if chain is None else chain
    summary = Summary(out, other_files=found.other)
    workers = min(GPU_WORKERS, executor.worker_count()) if device == "cuda" else None
    made_by = _made_by(loaded, chain, pauses, language)
    cache = out.with_name(f".{out.name}.sound")
    work = Work(model.resolve(), device, chain, cache)
    rows: list[Row] = [
        answers.row_of(Utterance(item.utterance_id, "", ""), item) for item in found.rejected
    ]
    with journal.opened(journal.place(out), made_by) as (known, file):
        items = list(_cut(found.utterances, pauses, cache, known, file, summary))
        units = [item for item in items if isinstance(item, Unit)]
        new = [unit for unit in units if unit.key not in known]
        summary.taken_over = len(units) - len(new)
        parts = list(_parts(new))
        do = partial(answers.answer, work=work)
        for done, seconds in (
            executor.run(do, parts, f"predict {model.name}", workers) if parts else ()
        ):
            for step, value in seconds.items():
                summary.steps[step] = summary.steps.get(step, 0.0) + value
            for key, row in done:
                journal.add(file, key, row)
                known[key] = row
        rows += [known[item.key] if isinstance(item, Unit) else item for item in items]
    _write(out, rows, loaded.description["classes"])
    _count(summary, rows)
    shutil.rmtree(cache, ignore_errors=True)
    summary.notes = notes(loaded)
    summary.elapsed = time.perf_counter() - begun
    return summary


def _cut(
    utterances: Sequence[Utterance],
    pauses: Pauses,
    cache: Path,
    known: dict[str, Any],
    file: Any,
    summary: Summary,
) -> Iterator[Unit | Row]:
    """The utterances of the recordings, or the row of one that cannot be used."""
    keys = [
        journal.key_of(item.audio_path or "", item.start, item.end, item.transcript, "cut")
        for item in utterances
    ]
    new = [(key, item) for key, item in zip(keys, utterances, strict=True) if key not in known]
    listen = partial(answers.listen, pauses=pauses, cache=cache)
    parts = [new[first : first + 16] for first in range(0, len(new), 16)]
    for heard in executor.run(listen, parts, "listen") if parts else ():
        for key, value, seconds in heard:
            journal.add(file, key, value)
            known[key] = value
            summary.steps["listen"] = summary.steps.get("listen", 0.0) + seconds
    for key, item in zip(keys, utterances, strict=True):
        value = known[key]
        if "reason" in value:
            yield answers.row_of(item, Rejection("", "predict", value["reason"], value["detail"]))
            continue
        summary.audio += value["duration"]
        for number, part in enumerate(value["parts"], start=1):
            if part is not None:
                name = f"{item.utterance_id}_{number:04d}"
                part_of = replace(item, utterance_id=name, start=part[0], end=part[1])
            else:
                part_of = item
            segment = part_of.start, part_of.end, item.transcript, item.language
            key_of_part = journal.key_of(item.audio_path or "", part_of.utterance_id, *segment)
            yield Unit(key_of_part, part_of, value["sound"])


def _parts(units: Sequence[Unit]) -> Iterator[list[Unit]]:
    """Work that keeps all processes busy and is lost in small pieces; a whole recording
    counts as five seconds.
    """
    part: list[Unit] = []
    seconds = 0.0
    for unit in units:
        part.append(unit)
        item = unit.utterance
        seconds += 5.0 if item.end is None else item.end - (item.start or 0.0)
        if seconds >= SECONDS_OF_WORK or len(part) == UTTERANCES_OF_WORK:
            yield part
            part, seconds = [], 0.0
    if part:
        yield part


def _made_by(model: Model, chain: Chain | None, pauses: Pauses, language: str | None) -> str:
    """Hash of all that the answers follow from, but for the recordings."""
    modules = ["pipeline.commands.predict_many", _system(model).__module__]
    for section, (name, config) in model.settings.items():
        if section in ("acoustic", "text"):
            modules.append(lookup.component(section, name).__name__)
        elif section == "alignment":
            modules += [lookup.component(section, each).__name__ for each in config.chain]
    modules += [lookup.component("transcription", name).__name__ for name in chain or ()]
    files = [
        hashlib.sha256((place / name).read_bytes()).hexdigest()
        for place, *_ in model.folds
        for name in (checkpoint.WEIGHTS, checkpoint.DESCRIPTION)
    ]
    heard_by = transcription.provenance(chain) if chain else {}
    code = lookup.fingerprint(*modules)
    return lookup.key_of(files, chain, heard_by, pauses, language, code, lookup.environment())


def _system(model: Model) -> Any:
    return lookup.system(model.description["experiment"]["network"])


def _write(out: Path, rows: Sequence[Row], classes: Sequence[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    shares = [f"p_{name}" for name in classes]
    place = COLUMNS.index("transcript")
    columns = [*COLUMNS[:place], *shares, *COLUMNS[place:]]
    with tables.replacing(out) as temporary:
        if out.suffix.lower() == ".parquet":
            kinds = {
                name: pa.float64() if name in (*NUMBERS, *shares) else pa.string()
                for name in columns
            }
            values = {
                name: pa.array([row.get(name) for row in rows], kind)
                for name, kind in kinds.items()
            }
            pq.write_table(pa.table(values), temporary, compression="zstd")
            return
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
            writer.writeheader()
            for row in rows:
                writer.writerow({name: _cell(row.get(name)) for name in columns})


def _cell(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def _count(summary: Summary, rows: Sequence[Row]) -> None:
    for row in rows:
        if row["emotion"] is None:
            summary.unanswered[row["reason"]] += 1
            continue
        summary.answered += 1
        summary.emotions[row["emotion"]] += 1
        summary.words += row["num_words"]
        summary.unknown.update(row["unknown_words"].split())
