"""Every experiment's figures as PNG files, from what the stages wrote; one that cannot
be drawn says why.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import audio, lookup, tables
from pipeline.lookup import ConfigurationError
from pipeline.report import plots
from pipeline.report.experiments import Experiment, experiments
from pipeline.report.results import groups
from pipeline.schema import Utterance, WordSpan

SHOWN_RATE = 16000  # Hz, of the waveform in the pictures of one utterance
SHORT_TERM = {
    "frame_length": 0.05,
    "frame_shift": 0.025,
}  # s: fine enough to see words, coarse enough to read


def draw_all(models_root: Path, data_root: Path, out: Path) -> list[str]:
    """Figures of every evaluated experiment into out/<experiment>/, comparisons into
    out/; returns what is missing.
    """
    found = experiments(models_root)
    missing: list[str] = []
    for item in found:
        missing += draw(item, data_root, out / item.name)
    for (corpus, split), group in groups(found).items():
        rows = {
            item.name: {
                "value": item.metrics["ua"],
                **item.metrics["ua_ci95"],
                "test_selected": item.metrics["test_selected"]["ua"],
            }
            for item in group
        }
        plots.comparison(out / f"comparison-{corpus}-{split}.png", rows)
        plots.class_bars(
            out / f"classes-{corpus}-{split}.png",
            {item.name: item.metrics["f1"] for item in group[:8]},
        )
    return missing


def draw(experiment: Experiment, data_root: Path, out: Path) -> list[str]:
    """confusion, curves, folds, classes, tsne, alignment and features .png; returns a
    line for each that is missing.
    """
    drawings: dict[str, Callable[[Experiment, Path, Path], None]] = {
        "confusion": _confusion,
        "curves": _curves,
        "folds": lambda item, _, path: plots.fold_bars(path, item.folds),
        "classes": lambda item, _, path: plots.class_bars(path, {item.name: item.metrics["f1"]}),
        "tsne": _tsne,
        "alignment": _alignment,
        "features": _features,
    }
    missing = []
    for name, drawing in drawings.items():
        try:
            drawing(experiment, data_root, out / f"{name}.png")
        except (FileNotFoundError, ConfigurationError, audio.AudioError) as error:
            missing.append(f"{experiment.name}: no {name}.png, {error}")
    return missing


def utterance_vectors(
    experiment: Experiment, data_root: Path
) -> tuple[list[str], NDArray[np.float32]]:
    """Utterance vectors before the classifier of the first fold's test part: ids and
    (num_utterances, dim).
    """
    import pyarrow.parquet as pq
    import torch

    from pipeline.batch import collate
    from pipeline.training import Experiment as Trained
    from pipeline.training import checkpoint, dataset
    from pipeline.training.loop import Folders

    folders = sorted(experiment.folder.glob("folds/seed-*-fold-*"))
    if not folders or not (folders[0] / checkpoint.WEIGHTS).is_file():
        raise FileNotFoundError(
            f"no checkpoint in {experiment.folder / 'folds'}, expected after training"
        )
    network, fitted, described = checkpoint.load(folders[0])
    places = Folders.of(Trained(**experiment.settings), data_root)
    inputs = dataset.open_inputs(places.acoustic, places.spans, places.text)
    tested = pq.read_table(folders[0] / "probabilities.parquet", columns=["utterance_id"])
    names = sorted(set(tested["utterance_id"].to_pylist()))
    examples = dataset.Examples(inputs, fitted, names, None, described["experiment"]["max_words"])
    vectors = []
    with torch.inference_mode():
        for first in range(0, len(names), 32):
            batch = collate([examples[i] for i in range(first, min(first + 32, len(names)))])
            vectors.append(network.embed(batch).float())  # type: ignore[operator]
    return names, np.asarray(torch.cat(vectors).numpy())


def _confusion(experiment: Experiment, data_root: Path, path: Path) -> None:
    classes = list(experiment.metrics["recall"])
    table = _predictions(experiment)
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    for label, predicted in zip(
        table["label"].to_pylist(), table["predicted"].to_pylist(), strict=True
    ):
        if predicted is not None:
            counts[classes.index(label), classes.index(predicted)] += 1
    plots.confusion(path, counts, classes)


def _curves(experiment: Experiment, data_root: Path, path: Path) -> None:
    histories = experiment.histories
    if not histories:
        raise FileNotFoundError(
            f"no history.csv in {experiment.folder / 'folds'}, expected after training"
        )
    chosen = {
        f"seed-{row['seed']:.0f}-fold-{row['fold']:.0f}": int(row["epoch"])
        for row in experiment.folds
    }
    plots.curves(path, histories, chosen)


def _tsne(experiment: Experiment, data_root: Path, path: Path) -> None:
    names, vectors = utterance_vectors(experiment, data_root)
    table = _predictions(experiment)
    labels = dict(zip(table["utterance_id"].to_pylist(), table["label"].to_pylist(), strict=True))
    if len(names) < 5:
        raise ConfigurationError(f"{len(names)} test utterances, expected at least 5 for t-SNE")
    plots.tsne(path, vectors, [labels[name] for name in names], list(experiment.metrics["recall"]))


def _alignment(experiment: Experiment, data_root: Path, path: Path) -> None:
    utterance = _typical(experiment, data_root)
    spans = _spans(experiment, data_root).get(utterance.utterance_id, [])
    if not spans:
        raise FileNotFoundError(
            f"no word spans of {utterance.utterance_id}, expected after the align stage"
        )
    plots.alignment(path, audio.load(utterance, SHOWN_RATE), SHOWN_RATE, spans)


def _features(experiment: Experiment, data_root: Path, path: Path) -> None:
    module = lookup.component("acoustic", "short_term")
    config = module.Config(**SHORT_TERM)
    waveform = audio.load(_typical(experiment, data_root), SHOWN_RATE)
    values = module.extract(waveform, SHOWN_RATE, config)
    plots.feature_curves(
        path, waveform, SHOWN_RATE, values, module.feature_names(config), config.frame_shift
    )


def _predictions(experiment: Experiment) -> Any:
    if not (experiment.folder / "predictions.parquet").is_file():
        raise FileNotFoundError(
            f"{experiment.folder / 'predictions.parquet'} is missing, expected after `dvc pull`"
        )
    return experiment.predictions


def _typical(experiment: Experiment, data_root: Path) -> Utterance:
    """The utterance of median duration: every experiment on a corpus and alignment
    shows the same one.
    """
    path = data_root / "utterances" / experiment.corpus / "utterances.parquet"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing, expected after the prepare stage")
    spoken = [
        item for item in tables.read_utterances(path) if item.audio_path is not None and item.duration
    ]
    aligned = _spans(experiment, data_root)
    known = [item for item in spoken if item.utterance_id in aligned] or spoken
    if not known:
        raise FileNotFoundError(f"no recording in {path}, expected a corpus with audio")
    return sorted(known, key=lambda item: (item.duration, item.utterance_id))[len(known) // 2]


def _spans(experiment: Experiment, data_root: Path) -> dict[str, list[WordSpan]]:
    path = (
        data_root
        / "spans"
        / experiment.corpus
        / str(experiment.settings["alignment"])
        / "spans.parquet"
    )
    return tables.read_spans(path) if path.is_file() else {}
