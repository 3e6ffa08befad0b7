"""A miniature experiment made of random numbers: inputs of every kind, folds without
test labels, tasks to train.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import executor, shards, tables, text
from pipeline import folders as places
from pipeline.schema import Utterance, WordSpan
from pipeline.training import fold
from pipeline.training.experiment import Experiment
from pipeline.training.inputs import Folders
from pipeline.training.schedule import Task
from tests.resources import fold_rows

CLASSES = ("angry", "neutral", "sad")
WORDS = ("no", "yes", "go", "home", "late", "why", "rain", "tea")
NUM_UTTERANCES, NUM_FOLDS = 24, 2
SHIFT = 0.01  # s between frames

# Small sizes of one system of every paper, so that an epoch takes a blink.
SMALL: dict[str, dict[str, Any]] = {
    "FG_CME": {
        "channels": [4, 4],
        "kernel_sizes": [3, 2],
        "semantic_size": 4,
        "hidden_size": 4,
        "classifier_size": 4,
        "dropout": 0.3,
    },
    "M_CBLA_BLR": {
        "max_frames": 20,
        "max_words": 6,
        "channels": [2, 2, 4, 4],
        "kernel_size": 3,
        "hidden_size": 4,
        "dense_size": 4,
        "fusion_sizes": [8, 4],
    },
    "CMA_raw": {
        "max_samples": 1600,
        "max_words": 6,
        "channels": [4, 4, 4],
        "hidden_size": 4,
        "size": 4,
        "num_heads": 2,
        "num_blocks": 1,
        "feed_forward_size": 4,
    },
    "PBA_1_Pconv": {"channels": [4, 4, 4], "steps": 4, "units": 4},
    "TSIN": {"dim": 6, "fusion_dim": 4, "attention_dim": 4},
}


def run_serially(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the place of the worker processes: the same calls, in this process."""

    def run(
        function: Callable[[Any], Any],
        items: Iterable[Any],
        description: str,
        workers: int | None = None,
    ) -> Any:
        return iter([function(item) for item in items])

    monkeypatch.setattr(executor, "run", run)
    monkeypatch.setattr(executor, "prepare", lambda *_, **__: None)


def name(number: int) -> str:
    return f"u{number:02d}"


def label(number: int) -> str:
    return CLASSES[number % len(CLASSES)]


def utterances() -> list[Utterance]:
    """Word choice leans towards the class, as it would in speech."""
    generator = np.random.default_rng(5)
    made = []
    for number in range(NUM_UTTERANCES):
        favoured = WORDS[number % len(CLASSES)]
        count = int(generator.integers(1, 5))
        words = tuple(
            favoured if generator.random() < 0.5 else str(generator.choice(WORDS))
            for _ in range(count)
        )
        made.append(
            Utterance(name(number), "made", label(number), words=words, speaker=f"s{number % 4}")
        )
    return made


def state_again(folder: Path) -> None:
    """Makes info.json of an embedding state its files as they are, as if the stage had
    written them so.
    """
    info = tables.read_json(folder / "info.json")
    info["files"] = {name: shards.sha256(folder / name) for name in info["files"]}
    tables.write_json(folder / "info.json", info)


def embed_words(data: Path, chosen: Experiment) -> None:
    """Another embedding of the same words: 'glove' out of a file that lacks the last
    word of WORDS, or 'word2vec' fitted in the fold.
    """
    settings: dict[str, Any] = {"vector_size": 3, "epochs": 2}
    if chosen.text == "glove":
        rows = np.random.default_rng(7).standard_normal((len(WORDS) - 1, 3))
        lines = [
            " ".join([word, *(f"{value:.4f}" for value in row)])
            for word, row in zip(WORDS, rows, strict=False)
        ]
        (data / "vectors.txt").write_text("\n".join(lines) + "\n")
        settings = {"path": data / "vectors.txt"}
    assert chosen.text is not None
    folder = Folders.of(chosen, data).text
    text.embed_corpus(utterances(), chosen.text, text.settings(chosen.text, settings), folder)


def features(number: int, dim: int, raw: bool) -> np.ndarray:
    generator = np.random.default_rng(100 + number)
    frames = int(generator.integers(900, 1500)) if raw else int(generator.integers(12, 24))
    tilt = np.linspace(-1, 1, dim) * (number % len(CLASSES) - 1)
    return (generator.standard_normal((frames, dim)) + tilt).astype(np.float32)


def produce(dim: int, raw: bool) -> Callable[[Sequence[int]], Iterator[shards.Rows]]:
    return lambda numbers: (
        shards.Rows(name(number), features(number, dim, raw)) for number in numbers
    )


def write_folds(folder: Path) -> None:
    """Two folds: every other triple of utterances is tested, a quarter of the rest
    chooses the epoch.
    """
    rows = []
    for tested in range(NUM_FOLDS):
        for number in range(NUM_UTTERANCES):
            triple = number // 3
            subset = (
                "test"
                if triple % NUM_FOLDS == tested
                else "valid"
                if triple % 8 in (2, 3)
                else "train"
            )
            rows.append((tested, subset, name(number), None if subset == "test" else label(number)))
    fold_rows.write(folder / "folds.parquet", rows)
    write_labels(folder, [label(number) for number in range(NUM_UTTERANCES)])


def write_labels(folder: Path, labels: Sequence[str]) -> None:
    names = [name(number) for number in range(len(labels))]
    pq.write_table(
        pa.table({"utterance_id": names, "emotion": list(labels)}), folder / "labels.parquet"
    )


def write_inputs(data: Path, experiment: Experiment) -> Folders:
    """Shards, spans, words and folds under `data`; call it where `run_serially` is in
    place.
    """
    folders = Folders.of(experiment, data)
    raw = experiment.network == "CMA_raw"
    dim = 1 if raw else 4
    timing = {"frame_length": SHIFT, "frame_shift": SHIFT, "first_center": SHIFT / 2}
    attributes = {"feature_dim": dim, "timing": timing}
    numbers = {name(number): number for number in range(NUM_UTTERANCES)}
    shards.build(
        folders.acoustic,
        dict.fromkeys(numbers, "1"),
        lambda names: [numbers[item] for item in names],
        produce(dim, raw),
        attributes,
        "made",
    )
    made = utterances()
    spans = []
    for number, item in enumerate(made):
        bounds = np.linspace(0, len(features(number, dim, raw)) * SHIFT, len(item.words) + 1)
        spans += [
            WordSpan(item.utterance_id, place, word, bounds[place], bounds[place + 1], None, "made")
            for place, word in enumerate(item.words)
        ]
    tables.write_spans(folders.spans / "spans.parquet", tables.span_table(spans), {})
    text.embed_corpus(made, "one_hot", text.settings("one_hot", {}), folders.text)
    corpus = places.utterances(data, experiment.corpus)
    tables.write_utterances(corpus / places.UTTERANCES, made)
    write_folds(folders.split)
    return folders


def experiment(network: str = "FG_CME", **changes: Any) -> Experiment:
    training = {"epochs": 4, "batch_size": 5} | changes.pop("training", {})
    made = dict.fromkeys(("corpus", "acoustic", "alignment", "split"), "made")
    values = {**made, "text": "one_hot", "hyperparameters": SMALL[network], "training": training}
    return Experiment(network=network, **{**values, **changes})


def task(
    folder: Path, chosen: Experiment, folders: Folders, number: int = 0, seed: int = 0
) -> Task:
    """A task that writes to folder/out and keeps its state in folder/scratch."""
    description = {"name": "made", "experiment": asdict(chosen), "recipe": asdict(chosen.recipe)}
    return Task(
        chosen, folders, CLASSES, number, seed, folder / "out", folder / "scratch", description
    )


def files(folder: Path) -> dict[str, bytes]:
    """Contents of every file under a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def train(
    folder: Path, folders: Folders, network: str = "FG_CME", **changes: Any
) -> dict[str, bytes]:
    made = task(folder, experiment(network, **changes), folders)
    fold.train_fold(made)
    return files(made.out)
