"""What an experiment reads of the stages before it: features, word times, words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import folders, tables
from pipeline.lookup import ConfigurationError
from pipeline.schema import FrameTiming, Rejection
from pipeline.shards import Shards, sha256
from pipeline.training.experiment import Experiment

Spans = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Folders:
    """Where the inputs of an experiment lie; None for what its system does not read."""

    acoustic: Path | None
    spans: Path | None
    text: Path | None
    split: Path

    @staticmethod
    def of(experiment: Experiment, data: Path) -> "Folders":
        """The folders under `data` of what an experiment names."""
        corpus = experiment.corpus
        acoustic, alignment, text = experiment.acoustic, experiment.alignment, experiment.text
        return Folders(
            None if acoustic is None else folders.acoustic(data, corpus, acoustic),
            None if alignment is None else folders.spans(data, corpus, alignment),
            None if text is None else folders.text(data, corpus, text),
            folders.split(data, corpus, experiment.split),
        )


@dataclass(frozen=True)
class Text:
    """An embedding folder: word ids into a vocabulary, and its vectors where they do
    not depend on the fold.

    kind: 'static' (table), 'fitted' (table comes from `fit`), 'contextual' (vectors per
    utterance in shards).
    """

    folder: Path

    @cached_property
    def info(self) -> dict[str, Any]:
        """Kind, width, configuration and counts, as the text stage wrote them."""
        path = self.folder / "info.json"
        info = tables.read_json(path)
        known = ("static", "fitted", "contextual")
        if info.get("kind") not in known or not {"name", "config", "language"} <= set(info):
            raise _damaged(path, f"kind {info.get('kind')!r}, expected one of {list(known)}")
        if info["kind"] != "fitted" and not isinstance(info.get("word_dim"), int):
            raise _damaged(path, f"word_dim {info.get('word_dim')!r}, expected a whole number")
        for name, written in dict(info.get("files", {})).items():
            made = self.folder / name
            if made.is_file() and sha256(made) != written:
                raise _damaged(made, f"it is not the file that {path.name} was written with")
        return info

    @cached_property
    def vocabulary(self) -> list[str]:
        """The corpus's words; a word's position is its id in `words`."""
        path = self.folder / "vocabulary.parquet"
        return list(tables.read_table(path, ["word"])["word"].to_pylist())

    @cached_property
    def words(self) -> dict[str, list[str]]:
        """Words of each usable utterance."""
        path = self.folder / "words.parquet"
        table = tables.read_table(path, ["utterance_id", "word_ids"])
        names, ids = table["utterance_id"].to_pylist(), table["word_ids"].to_pylist()
        size = len(self.vocabulary)
        if not all(items and all(0 <= item < size for item in items) for items in ids):
            raise _damaged(path, f"an utterance without words or a word id beyond {size} words")
        return {
            utterance_id: [self.vocabulary[item] for item in items]
            for utterance_id, items in zip(names, ids, strict=True)
        }

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """(V, word_dim) vectors of the vocabulary of a static embedding."""
        path, expected = self.folder / "table.npy", (len(self.vocabulary), self.info["word_dim"])
        try:
            table = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise _damaged(path, str(error)) from None
        if table.shape != expected or table.dtype != np.float32:
            raise _damaged(path, f"{table.dtype} {table.shape}, expected float32 {expected}")
        return table

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row of the table by word."""
        return {word: row for row, word in enumerate(self.vocabulary)}

    @cached_property
    def shards(self) -> Shards:
        """Vectors of a contextual embedding."""
        return Shards(self.folder)


@dataclass(frozen=True)
class Inputs:
    """What a system reads of a corpus; an input that it does not read is None.

    spans: starts and ends (num_words,) of the words in seconds, by utterance.
    """

    acoustic: Shards | None
    spans: Mapping[str, Spans] | None
    text: Text | None

    @property
    def timing(self) -> FrameTiming | None:
        """Where the frames of the acoustic feature lie."""
        if self.acoustic is None:
            return None
        return FrameTiming(**self.acoustic.attributes["timing"])


def open_inputs(places: Folders) -> Inputs:
    """Opens the folders of an experiment's inputs; raises ConfigurationError, one line
    that names the file, where one is missing or damaged.
    """
    return Inputs(
        None if places.acoustic is None else Shards(places.acoustic),
        None if places.spans is None else _read_spans(places.spans / folders.SPANS),
        None if places.text is None else _open_text(places.text),
    )


def lacking(inputs: Inputs, utterance_ids: Sequence[str]) -> dict[str, Rejection]:
    """The utterances that do not have every input, each with what it lacks."""
    found = {}
    for utterance_id in utterance_ids:
        missing = []
        if inputs.acoustic is not None and utterance_id not in inputs.acoustic:
            missing.append("acoustic features")
        if inputs.spans is not None and utterance_id not in inputs.spans:
            missing.append("word alignment")
        if inputs.text is not None and utterance_id not in inputs.text.words:
            missing.append("words")
        reason, detail = "input missing", ", ".join(missing)
        if not missing and inputs.spans is not None and inputs.text is not None:
            timed = len(inputs.spans[utterance_id][0])
            spoken = len(inputs.text.words[utterance_id])
            if timed != spoken:
                reason, detail = "alignment incomplete", f"{timed} of {spoken} words have times"
        if detail:
            found[utterance_id] = Rejection(utterance_id, "train", reason, detail)
    return found


def _open_text(folder: Path) -> Text:
    text = Text(folder)
    # Read now: a damaged file is found before anything is trained.
    read = ["words", *{"static": ["table"], "contextual": ["shards"]}.get(text.info["kind"], [])]
    for name in read:
        getattr(text, name)
    return text


def _read_spans(path: Path) -> dict[str, Spans]:
    found = {}
    for name, spans in tables.read_spans(path).items():
        times = np.array([(span.start, span.end) for span in spans], dtype=np.float64)
        start, end = times[:, 0], times[:, 1]
        if not (np.isfinite(times).all() and (start <= end).all()):
            raise _damaged(
                path, f"{name}: a word time is no number or a word ends before it starts"
            )
        found[name] = start, end
    return found


def _damaged(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path} is damaged ({' '.join(reason.split())}): delete it and run `dvc repro`"
    )
