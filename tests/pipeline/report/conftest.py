"""Evaluated experiments as the stages leave them, for every test of the report."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import folders, splits
from pipeline.evaluation import metrics, probabilities
from pipeline.schema import SUBSETS, Rejection, Utterance
from pipeline.tables import utterance_table, write_json, write_rejections, write_utterances

CLASSES = ["angry", "happy", "neutral", "sad"]
ALIGNED = {
    "utterances": 160, "used": 159, "rejected": 1, "placed": 159, "coverage": 0.994,
    "aligners": {
        "pocketsphinx": {
            "tried": 160, "placed": 159, "failures": {"no path": 1},
            "check": {
                "checked": 159, "failed": 0, "share_failed": 0.0,
                "first_start_median_s": 0.012, "first_start_within_100ms": 0.98,
            },
        }
    },
    "against_given": {"median_ms": 9.6, "within_50ms": 0.96, "n": 900},
}  # fmt: skip


def add_corpus(
    data: Path, corpus: str, protocol: str, known_speakers: bool = True, size: int = 160
) -> splits.Split:
    """Utterances, a split and an alignment of `size` utterances by eight speakers in
    four sessions.
    """
    utterances = [
        Utterance(
            f"u{i:04d}",
            corpus,
            CLASSES[i % 4] if i != 3 else "confused",
            speaker=f"s{i // 4 % 8}" if known_speakers else None,
            session=str(i // 4 % 4),
            transcript=f"sentence {i % 50}",
            words=("sentence", str(i % 50)),
            audio_sha256=str(i),
        )
        for i in range(size)
    ]
    folder = folders.utterances(data, corpus)
    write_utterances(folder / "utterances.parquet", utterances)
    write_rejections(
        folder / "rejects.parquet", [Rejection("broken", "prepare", "audio <truncated>")]
    )
    write_json(folder / folders.METRICS, {"utterances": size + 1, "used": size, "rejected": 1})
    values = {"labels": {name: name for name in CLASSES}, "allow": ["speaker", "session"]}
    settings = splits.settings(protocol, values)
    made = splits.split(protocol, utterance_table(utterances), settings)
    place = folders.split(data, corpus, protocol)
    splits.write(made, place / folders.FOLDS, place / folders.LABELS)
    write_rejections(place / "rejects.parquet", made.rejections)
    write_json(place / folders.METRICS, {**made.audit, "used": size - 1, "rejected": 1})
    write_json(folders.spans(data, corpus, "pocketsphinx") / folders.METRICS, ALIGNED)
    return made


def add_experiment(
    models: Path,
    name: str,
    corpus: str,
    protocol: str,
    made: splits.Split,
    network: str,
    skill: float,
    seeds: int = 1,
) -> None:
    """An evaluated experiment whose probabilities are right more often the greater the
    skill.
    """
    generator = np.random.default_rng(len(name))
    truth = dict(zip(made.utterance_ids, made.emotions, strict=True))
    folder, epochs, folds = models / name, 8, []
    for number, subsets in enumerate(made.folds):
        tested = np.flatnonzero(subsets == SUBSETS.index("test"))
        names = [made.utterance_ids[place] for place in tested]
        own = np.array([CLASSES.index(truth[item]) for item in names])
        for seed in range(seeds):
            raw = generator.normal(size=(epochs, len(names), 4))
            raw[:, np.arange(len(names)), own] += (
                skill * np.sqrt(np.arange(1, epochs + 1) / epochs)[:, None]
            )
            shares = np.exp(raw) / np.exp(raw).sum(axis=2, keepdims=True)
            epoch = 4 + number % 4
            folds.append(
                probabilities.Fold(seed, number, epoch, range(1, epochs + 1), names, shares)
            )
    for fold in folds:
        place = folder / "folds" / f"seed-{fold.seed}-fold-{fold.fold}"
        place.mkdir(parents=True)
        columns = {
            "epoch": np.repeat(fold.epochs, len(fold.utterance_ids)),
            "utterance_id": list(fold.utterance_ids) * epochs,
        }
        columns |= {
            f"p_{label}": fold.probabilities[..., i].ravel() for i, label in enumerate(CLASSES)
        }
        pq.write_table(pa.table(columns), place / "probabilities.parquet")
        recipe = {
            "optimizer": "adam",
            "learning_rate": 5e-4,
            "batch_size": 32,
            "epochs": epochs,
            "l2": 0.0,
        }
        described = {
            "epoch": fold.epoch, "recipe": recipe, "versions": {"serflow": "0.1.0"},
            "select": "ua", "measure": "wa", "validation": {"valid_loss": 1.0},
        }  # fmt: skip
        (place / "checkpoint.json").write_text(json.dumps(described))
        lines = ["epoch,train_loss,valid_loss,valid_wa,valid_ua"]
        for epoch in fold.epochs:
            level = 1 - 0.8**epoch
            valid_loss = 1.35 - 0.6 * level + 0.02 * fold.fold
            lines.append(f"{epoch},{1.4 - level},{valid_loss},{0.6 * level},{0.62 * level}")
        (place / "history.csv").write_text("\n".join(lines) + "\n")
    settings = {
        "corpus": corpus, "network": network, "split": protocol,
        "acoustic": "fbank", "alignment": "pocketsphinx", "text": "word2vec",
        "seeds": list(range(seeds)), "select": "ua", "hyperparameters": {},
        "training": {"epochs": epochs},
    }  # fmt: skip
    write_json(folder / "folds" / "experiment.json", {"name": name, "experiment": settings})
    write_rejections(
        folder / "folds" / "rejects.parquet", [Rejection("u0007", "dataset", "no word spans")]
    )
    read, classes = probabilities.read_folds(folder / "folds")
    speakers = {f"u{i:04d}": f"s{i // 4 % 8}" for i in range(200)}
    metrics.write(
        metrics.evaluate_experiment(read, truth, classes, speakers, resamples=200), folder
    )


@pytest.fixture
def workplace(tmp_path):
    """models/ and data/ with two experiments on the demo corpus, and one with shared
    speakers on another.
    """
    models, data = tmp_path / "models", tmp_path / "data"
    demo = add_corpus(data, "demo", "session")
    add_experiment(models, "fg_cme-demo", "demo", "session", demo, "FG_CME", 2.2)
    add_experiment(models, "voice-demo", "demo", "session", demo, "LSTM_Attn_a", 0.5, seeds=2)
    mine = add_corpus(data, "mine", "random")
    add_experiment(models, "<mine>", "mine", "random", mine, "UttConcat_m", 1.0)
    return models, data


@pytest.fixture
def aligned() -> dict[str, Any]:
    """metrics.json of an align stage where all went well but one utterance."""
    return ALIGNED


@pytest.fixture
def text_in_svg(monkeypatch: pytest.MonkeyPatch) -> None:
    """SVG files keep text as text and say which names were drawn."""
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParamsDefault, "svg.fonttype", "none")
