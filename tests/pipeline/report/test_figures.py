import json
from pathlib import Path

import numpy as np

from pipeline import tables
from pipeline.evaluation import metrics
from pipeline.report import figures
from pipeline.report.experiments import experiments
from pipeline.schema import Utterance, WordSpan

CLASSES = ["angry", "sad"]


def workplace(root: Path) -> tuple[Path, Path]:
    """An evaluated experiment on a corpus of ten clips with word spans, no checkpoint."""
    import soundfile

    models, data = root / "models", root / "data"
    names = [f"u{i}" for i in range(10)]
    utterances = []
    for i, name in enumerate(names):
        seconds = 0.6 + 0.1 * i
        times = np.arange(int(16000 * seconds)) / 16000
        path = root / f"{name}.wav"
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * 220 * times), 16000)
        emotion = CLASSES[i % 2]
        utterances.append(
            Utterance(name, "mine", emotion, str(path), words=("so", "what"), duration=seconds)
        )
    tables.write_utterances(data / "utterances" / "mine" / "utterances.parquet", utterances)
    spans = [
        WordSpan(name, k, word, 0.1 + 0.2 * k, 0.3 + 0.2 * k, None, "given")
        for name in names
        for k, word in enumerate(("so", "what"))
    ]
    tables.write_spans(data / "spans" / "mine" / "given" / "spans.parquet", spans, {})
    truth = {name: CLASSES[i % 2] for i, name in enumerate(names)}
    shares = np.random.default_rng(0).dirichlet([1, 1], (3, 10))
    evaluation = metrics.evaluate_experiment(
        [metrics.Fold(0, 0, 2, [1, 2, 3], names, shares)], truth, CLASSES
    )
    folder = models / "one"
    place = folder / "folds" / "seed-0-fold-0"
    place.mkdir(parents=True)
    metrics.write(evaluation, folder)
    (place / "history.csv").write_text(
        "epoch,train_loss,valid_loss,valid_wa,valid_ua\n1,0.7,0.7,0.5,0.5\n2,0.6,0.6,0.6,0.6\n3,0.5,0.6,0.6,0.6\n"
    )
    settings = {
        "corpus": "mine",
        "network": "FG_CME",
        "acoustic": "fbank",
        "alignment": "given",
        "text": "glove",
        "split": "random",
    }
    (folder / "folds" / "experiment.json").write_text(
        json.dumps({"name": "one", "experiment": settings})
    )
    return models, data


def test_what_can_be_drawn_is_drawn_and_the_rest_is_named(tmp_path):
    models, data = workplace(tmp_path)
    missing = figures.draw_all(models, data, tmp_path / "plots")
    drawn = {path.stem for path in (tmp_path / "plots" / "one").iterdir()}
    assert drawn == {"confusion", "curves", "folds", "classes", "alignment", "features"}
    assert len(missing) == 1
    assert "no tsne.png" in missing[0]
    assert "no checkpoint" in missing[0]
    assert {path.name for path in (tmp_path / "plots").glob("*.png")} == {
        "comparison-mine-random.png",
        "classes-mine-random.png",
    }


def test_without_data_only_the_scores_are_drawn(tmp_path):
    models, _ = workplace(tmp_path)
    missing = figures.draw(experiments(models)[0], tmp_path / "nowhere", tmp_path / "plots")
    assert {path.stem for path in (tmp_path / "plots").iterdir()} == {
        "confusion",
        "curves",
        "folds",
        "classes",
    }
    assert len(missing) == 3
    assert all("expected" in line for line in missing)
