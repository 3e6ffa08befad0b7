"""Every experiment's figures from what the stages wrote; one that cannot be drawn says
why.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import audio, folders, lookup
from pipeline.lookup import ConfigurationError
from pipeline.report import accounts, charts, recording
from pipeline.report.audit import declared
from pipeline.report.drawing import noted
from pipeline.report.experiments import Experiment
from pipeline.report.results import groups
from pipeline.report.scrutiny import scrutiny
from pipeline.schema import Utterance, WordSpan
from pipeline.tables import read_spans, read_table, read_utterances

SHOWN_RATE = 16000  # Hz, of the waveform in the pictures of one utterance
# Seconds: fine enough to see words, coarse enough to read.
SHORT_TERM = {"frame_length": 0.05, "frame_shift": 0.025}
BATCH = 32  # utterances that a network reads at a time


def draw_all(found: Sequence[Experiment], data_root: Path, out: Path) -> dict[str, list[str]]:
    """Figures of every experiment into out/<experiment>/, those of a corpus and split
    into out/; returns by experiment why one is missing.
    """
    missing = {}
    for item in found:
        with noted(_declaration(item, data_root)):
            missing[item.name] = draw(item, data_root, out / item.name)
    for (corpus, split), group in groups(found).items():
        rows = {
            item.name: {
                "value": item.metrics["ua"],
                **item.metrics["ua_ci95"],
                "test_selected": item.metrics["test_selected"]["ua"],
            }
            for item in group
        }
        scores = {item.name: item.metrics["f1"] for item in group}
        with noted(_declaration(group[0], data_root)):
            charts.comparison(out / f"comparison-{corpus}-{split}.png", rows)
            charts.class_bars(out / f"classes-{corpus}-{split}.png", scores)
    return missing


def _declaration(experiment: Experiment, data_root: Path) -> str:
    shared = declared(accounts.split_metrics(experiment, data_root))
    return f"test and training {shared}" if shared else ""


def draw(experiment: Experiment, data_root: Path, out: Path) -> list[str]:
    """confusion, curves, folds, classes and tsne; features for systems that read audio,
    alignment for those that read word times. Returns a line for each that is missing.
    """
    drawings: dict[str, Callable[[Experiment, Path, Path], None]] = {
        "confusion": lambda item, _, path: charts.confusion(path, item.confusion, item.classes),
        "curves": _curves,
        "folds": lambda item, _, path: charts.fold_bars(path, item.folds),
        "classes": lambda item, _, path: charts.class_bars(path, {item.name: item.metrics["f1"]}),
        "calibration": _calibration,
        "tsne": _tsne,
    }
    if experiment.settings.get("alignment") is not None:
        drawings["alignment"] = _alignment
    if experiment.settings.get("acoustic") is not None:
        drawings["features"] = _features
    missing = []
    for name, drawing in drawings.items():
        try:
            drawing(experiment, data_root, out / f"{name}.png")
        except (FileNotFoundError, ConfigurationError, audio.AudioError) as error:
            missing.append(f"no {name}.png: {error}")
    return missing


def utterance_vectors(
    experiment: Experiment, data_root: Path
) -> tuple[list[str], NDArray[np.float32]]:
    """Utterance vectors before the classifier of the first fold's test part: ids and
    (num_utterances, dim).

    Raises FileNotFoundError without a checkpoint, ConfigurationError for a network that
    has no method `embed(batch)`.
    """
    import torch

    from pipeline.batch import collate
    from pipeline.training import Experiment as Trained
    from pipeline.training import checkpoint, dataset
    from pipeline.training.inputs import Folders, open_inputs

    if not experiment.trained or not (experiment.trained[0] / checkpoint.WEIGHTS).is_file():
        raise FileNotFoundError(
            f"no checkpoint in {experiment.folder / 'folds'}: `dvc pull` fetches it"
        )
    network, fitted, described = checkpoint.load(experiment.trained[0])
    embed = getattr(network, "embed", None)
    if embed is None:
        raise ConfigurationError(
            f"the network of {experiment.network} has no method `embed(batch)` that gives the "
            "vectors before its classifier, Tensor[B, dim]"
        )
    inputs = open_inputs(Folders.of(Trained(**experiment.settings), data_root))
    path = experiment.trained[0] / folders.PROBABILITIES
    tested = read_table(path, columns=["utterance_id"])
    names = sorted(set(tested["utterance_id"].to_pylist()))
    examples = dataset.Examples(inputs, fitted, names, None, described["experiment"]["max_words"])
    vectors = []
    with torch.inference_mode():
        for first in range(0, len(names), BATCH):
            last = min(first + BATCH, len(names))
            batch = collate([examples[index] for index in range(first, last)])
            vectors.append(embed(batch).float())
    return names, np.asarray(torch.cat(vectors).numpy())


def _curves(experiment: Experiment, data_root: Path, path: Path) -> None:
    histories = experiment.histories
    if not histories:
        raise FileNotFoundError(
            f"no history.csv in {experiment.folder / 'folds'}: `dvc pull` fetches them"
        )
    root, name = experiment.folder.parent, experiment.name
    chosen = {
        folders.fold(root, name, int(row["seed"]), int(row["fold"])).name: int(row["epoch"])
        for row in experiment.folds
    }
    charts.curves(path, histories, chosen)


def _calibration(experiment: Experiment, data_root: Path, path: Path) -> None:
    found = scrutiny(experiment, data_root)
    if found is None:
        raise FileNotFoundError(f"{experiment.folder / folders.PREDICTIONS} is missing")
    charts.reliability(path, found.tenths)


def _tsne(experiment: Experiment, data_root: Path, path: Path) -> None:
    names, vectors = utterance_vectors(experiment, data_root)
    table = experiment.predictions
    labels = dict(zip(table["utterance_id"].to_pylist(), table["label"].to_pylist(), strict=True))
    charts.tsne(path, vectors, [labels[name] for name in names], experiment.classes)


def _alignment(experiment: Experiment, data_root: Path, path: Path) -> None:
    utterance = _typical(experiment, data_root)
    spans = _spans(experiment, data_root).get(utterance.utterance_id)
    if not spans:
        raise FileNotFoundError(f"{utterance.utterance_id} has no word spans in {data_root}")
    recording.alignment(path, audio.load(utterance, SHOWN_RATE), SHOWN_RATE, spans)


def _features(experiment: Experiment, data_root: Path, path: Path) -> None:
    module = lookup.component("acoustic", "short_term")
    config = module.Config(**SHORT_TERM)
    waveform = audio.load(_typical(experiment, data_root), SHOWN_RATE)
    values = module.extract(waveform, SHOWN_RATE, config)
    names = module.feature_names(config)
    recording.feature_curves(path, waveform, SHOWN_RATE, values, names, config.frame_shift)


def _typical(experiment: Experiment, data_root: Path) -> Utterance:
    """The utterance of median duration: every experiment on a corpus and alignment
    shows the same one.
    """
    path = folders.utterances(data_root, experiment.corpus) / folders.UTTERANCES
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: `dvc pull` fetches it")
    spoken = [item for item in read_utterances(path) if item.audio_path and item.duration]
    aligned = _spans(experiment, data_root)
    known = [item for item in spoken if item.utterance_id in aligned] or spoken
    if not known:
        raise FileNotFoundError(f"no utterance of {path} has a recording")
    return sorted(known, key=lambda item: (item.duration, item.utterance_id))[len(known) // 2]


def _spans(experiment: Experiment, data_root: Path) -> dict[str, list[WordSpan]]:
    alignment = experiment.settings.get("alignment")
    if alignment is None:
        return {}
    path = folders.spans(data_root, experiment.corpus, alignment) / folders.SPANS
    return read_spans(path) if path.is_file() else {}
