"""Models of the small corpus, and what prediction must say by them."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.commands import predict as prediction
from stages import text, train
from tests.resources import fabricated, small_corpus


def train_with(
    built: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, embedding: str, **changes: object
) -> Path:
    """Another experiment on the same corpus; returns its model."""
    fabricated.run_serially(monkeypatch)
    shutil.copytree(built / "data", folder / "data")
    changes = {"text": embedding, **changes}
    params_file = small_corpus.write_params(folder, built / "corpus", **changes)
    text.main("manifest", embedding, params_file, folder / "data")
    train.main("small", params_file, folder / "data", folder / "models", folder / "scratch")
    return folder / "models" / "small"


def single(model: Path, fold: int, folder: Path) -> Path:
    """A model of one fold alone."""
    shutil.copytree(
        model / "folds" / f"seed-0-fold-{fold}", folder / f"fold-{fold}" / "folds" / "only"
    )
    return folder / f"fold-{fold}"


def assert_as_trained(model: Path, corpus: Path, folder: Path) -> None:
    """`predict` gives a test utterance the probabilities that training wrote for it in
    the chosen epoch.
    """
    for fold in (0, 1):
        alone = single(model, fold, folder)
        epoch = json.loads((alone / "folds/only/checkpoint.json").read_text())["epoch"]
        written = pq.read_table(alone / "folds/only/probabilities.parquet").to_pylist()
        rows = [
            row for row in written if row["epoch"] == epoch and row["utterance_id"].startswith("u")
        ][:4]
        assert len(rows) == 4
        for row in rows:
            number = int(row["utterance_id"][1:])
            recording = corpus / "wav" / f"u{number:02d}.wav"
            said = prediction.predict(recording, small_corpus.SENTENCES[number % 4], alone)
            expected = {name: row[f"p_{name}"] for name in small_corpus.LABELS}
            assert said.probabilities == pytest.approx(expected, abs=1e-5)
            assert said.networks == 1
