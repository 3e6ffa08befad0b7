import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from pipeline import cli, folders, tables
from pipeline.batch import collate
from pipeline.lookup import ConfigurationError
from pipeline.report import explanation
from pipeline.schema import Rejection
from pipeline.training import Experiment, checkpoint, dataset, fold
from pipeline.training.inputs import Folders, open_inputs
from tests.resources import fabricated

TESTED = fabricated.name(1)  # by fold 0, which learns nothing of it; fold 1 trains on it
COMMON = {"corpus": "made", "split": "made", "seeds": (0, 1)}
EXPERIMENTS = {
    "gates": fabricated.experiment(training={"epochs": 2}),
    "attention": Experiment(
        **COMMON,
        network="UttConcat_m",
        acoustic="made",
        text="one_hot",
        hyperparameters={"hidden_size": 2},
        training={"epochs": 2, "batch_size": 5},
    ),
    "plain": Experiment(
        **COMMON,
        network="T_BL",
        text="one_hot",
        hyperparameters={"hidden_size": 2},
        training={"epochs": 1},
    ),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """data/ and models/ with two seeds of the fold that tests the utterance, and of one
    experiment the fold that trains on it.
    """
    root = tmp_path_factory.mktemp("explained")
    with pytest.MonkeyPatch.context() as monkeypatch:
        fabricated.run_serially(monkeypatch)
        fabricated.write_inputs(root / "data", EXPERIMENTS["gates"])
    for name, experiment in EXPERIMENTS.items():
        for number, seed in [(0, 0), (0, 1), *([(1, 0)] if name == "gates" else [])]:
            places = Folders.of(experiment, root / "data")
            task = fabricated.task(root, experiment, places, number, seed)
            out = folders.fold(root / "models", name, seed, number)
            fold.train_fold(replace(task, out=out, scratch=root / "scratch" / out.name / name))
        settings = {"corpus": "made", "network": experiment.network, "split": "made"}
        described = folders.trained(root / "models", name) / "experiment.json"
        tables.write_json(described, {"name": name, "experiment": settings})
    yield root


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "copied"))


def explain(root: Path, name: str, utterance_id: str = TESTED) -> dict[str, Any]:
    return explanation.explain(utterance_id, root / "models" / name, root / "data")


def recorded(root: Path, name: str, seed: int) -> dict[str, float]:
    """The probabilities that fold 0 wrote for the utterance at its chosen epoch."""
    place = folders.fold(root / "models", name, seed, 0)
    epoch = json.loads((place / "checkpoint.json").read_text())["epoch"]
    (row,) = [
        row
        for row in pq.read_table(place / "probabilities.parquet").to_pylist()
        if row["utterance_id"] == TESTED and row["epoch"] == epoch
    ]
    return {key: row[f"p_{key}"] for key in fabricated.CLASSES}


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_the_fold_that_tested_it_speaks_and_seeds_are_averaged(built: Path, name: str) -> None:
    found = explain(built, name)
    assert (found["folds"], found["seeds"]) == ([0], [0, 1])
    one, other = (recorded(built, name, seed) for seed in (0, 1))
    assert one != other
    expected = {key: (one[key] + other[key]) / 2 for key in one}
    assert found["probabilities"] == pytest.approx(expected, abs=2e-6)
    spoken = fabricated.utterances()[1].words
    assert tuple(item["word"] for item in found["words"]) == spoken
    assert found["network"] == EXPERIMENTS[name].network
    json.dumps(found)


def test_every_word_has_its_gates_and_its_time(built: Path) -> None:
    found = explain(built, "gates")
    assert found["alignment"] == "made"
    expected: dict[str, Any] = {}
    inputs = open_inputs(Folders.of(EXPERIMENTS["gates"], built / "data"))
    for seed in (0, 1):
        network, fitted, _ = checkpoint.load(folders.fold(built / "models", "gates", seed, 0))
        batch = collate([dataset.Examples(inputs, fitted, [TESTED], None)[0]])
        with torch.no_grad():
            for key, value in network.explain(batch).items():
                expected[key] = expected.get(key, 0) + value[0].numpy() / 2
    assert set(found["weights"]) == set(expected) == {"acoustic_gate/words", "semantic_gate/words"}
    for key, values in expected.items():
        told = [item["weights"][key] for item in found["words"]]
        assert told == pytest.approx(values.tolist(), abs=1e-6)
    spans = tables.read_spans(built / "data" / "spans" / "made" / "made" / "spans.parquet")[TESTED]
    assert [item["start"] for item in found["words"]] == [span.start for span in spans]
    assert "gates" in found["meaning"]


def test_attention_over_frames_is_told_over_time_and_by_word(built: Path) -> None:
    found = explain(built, "attention")
    curve = found["frames"]["attention/frames"]
    assert curve["shift"] == fabricated.SHIFT and sum(curve["values"]) == pytest.approx(1, abs=1e-4)
    assert len(curve["values"]) == len(fabricated.features(1, 4, False))
    # The system reads no word times; those that lie beside it tile the utterance.
    assert found["alignment"] == "made"
    by_word = [item["weights"]["attention/frames"] for item in found["words"]]
    assert sum(by_word) == pytest.approx(1, abs=1e-4)
    assert sum(item["weights"]["attention/words"] for item in found["words"]) == pytest.approx(
        1, abs=1e-5
    )


def test_without_word_times_frames_are_not_given_to_words(copied: Path) -> None:
    shutil.rmtree(copied / "data" / "spans")
    found = explain(copied, "attention")
    assert found["alignment"] is None and found["frames"]
    for item in found["words"]:
        assert item["start"] is None and set(item["weights"]) == {"attention/words"}


def test_an_input_fed_with_zeros_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fabricated.run_serially(monkeypatch)
    experiment = fabricated.experiment(missing="fill", training={"epochs": 1})
    places = fabricated.write_inputs(tmp_path / "data", experiment)
    path = tmp_path / "data" / "spans" / "made" / "made" / "spans.parquet"
    rows = [row for row in pq.read_table(path).to_pylist() if row["utterance_id"] != TESTED]
    pq.write_table(pa.Table.from_pylist(rows), path)
    task = fabricated.task(tmp_path, experiment, places)
    fold.train_fold(replace(task, out=folders.fold(tmp_path / "models", "gates", 0, 0)))
    found = explain(tmp_path, "gates")
    assert found["filled"] == "word alignment" and found["alignment"] is None
    assert all(len(item["weights"]) == 2 for item in found["words"])
    place = folders.fold(tmp_path / "models", "gates", 0, 0) / "checkpoint.json"
    described = json.loads(place.read_text())
    described["experiment"]["missing"] = "drop"
    place.write_text(json.dumps(described))
    with pytest.raises(ConfigurationError, match="has no word alignment any more"):
        explain(tmp_path, "gates")


def test_a_system_without_weights_says_so(built: Path) -> None:
    found = explain(built, "plain")
    assert found["weights"] is None
    assert found["reason"] == "T_BL has no attention, gates or alignment of its own"
    assert all(item["weights"] == {} for item in found["words"])


def test_mistakes_say_what_to_do(copied: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"has no utterance 'u1' .*near names: \['u"):
        explain(copied, "gates", "u1")
    with pytest.raises(ConfigurationError, match="holds no trained network"):
        explain(copied, "nothing")
    corpus = copied / "data" / "utterances" / "made" / "utterances.parquet"
    stranger = replace(fabricated.utterances()[0], utterance_id="stranger")
    tables.write_utterances(corpus, [*fabricated.utterances(), stranger])
    with pytest.raises(ConfigurationError, match="tested 'stranger': the split 'made' tests it"):
        explain(copied, "gates", "stranger")
    left_out = Rejection("stranger", "train", "input missing", "words")
    tables.write_rejections(copied / "models" / "gates" / "folds" / "rejects.parquet", [left_out])
    with pytest.raises(ConfigurationError, match="train left it out, input missing words"):
        explain(copied, "gates", "stranger")
    shutil.rmtree(copied / "data" / "acoustic")
    with pytest.raises(ConfigurationError, match="acoustic/made/made is missing: `dvc pull`"):
        explain(copied, "gates")
    corpus.unlink()
    with pytest.raises(ConfigurationError, match=r"utterances\.parquet is missing: `dvc pull`"):
        explain(copied, "gates")


def test_data_that_changed_since_the_test_are_noticed(copied: Path) -> None:
    path = folders.fold(copied / "models", "gates", 1, 0) / "probabilities.parquet"
    table = pq.read_table(path)
    numbers = [table.column_names.index(f"p_{name}") for name in fabricated.CLASSES]
    for number, share in zip(numbers, (0.9, 0.1, 0.0), strict=True):
        column = pa.array(np.full(len(table), share, np.float32))
        table = table.set_column(number, table.column_names[number], column)
    pq.write_table(table, path)
    with pytest.raises(ConfigurationError, match="seed-1-fold-0 gave u01 other probabilities"):
        explain(copied, "gates")


def test_the_command_prints_json(built: Path) -> None:
    words = ["explain", TESTED, "--model", str(built / "models" / "gates")]
    said = CliRunner().invoke(cli.app, [*words, "--data", str(built / "data")])
    assert said.exit_code == 0 and json.loads(said.stdout) == explain(built, "gates")
    wrong = CliRunner().invoke(cli.app, [*words, "--data", str(built / "nowhere")])
    assert wrong.exit_code == 2 and wrong.stderr.startswith("error: ")
