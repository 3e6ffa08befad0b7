import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pipeline import lookup, tables
from pipeline.batch import Sizes
from pipeline.evaluation import metrics, probabilities
from pipeline.report import figures
from pipeline.report.experiments import experiments
from pipeline.schema import Utterance, WordSpan
from pipeline.training import Experiment, checkpoint
from pipeline.training.dataset import Fitted
from tests.resources import own_network

CLASSES = ["angry", "sad"]


def workplace(root: Path) -> tuple[Path, Path]:
    """An evaluated experiment on ten utterances with word spans, no checkpoint."""
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
    tables.write_spans(
        data / "spans" / "mine" / "given" / "spans.parquet", tables.span_table(spans), {}
    )
    truth = {name: CLASSES[i % 2] for i, name in enumerate(names)}
    shares = np.random.default_rng(0).dirichlet([1, 1], (3, 10))
    evaluation = metrics.evaluate_experiment(
        [probabilities.Fold(0, 0, 2, [1, 2, 3], names, shares)], truth, CLASSES
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


def drawn(folder: Path) -> set[str]:
    assert {path.suffix for path in folder.iterdir()} == {".png", ".svg"}
    return {path.stem for path in folder.glob("*.png")}


def test_what_can_be_drawn_is_drawn_and_the_rest_is_named(tmp_path):
    models, data = workplace(tmp_path)
    missing = figures.draw_all(experiments(models), data, tmp_path / "plots")
    names = {"confusion", "curves", "folds", "classes", "calibration", "alignment", "features"}
    assert drawn(tmp_path / "plots" / "one") == names
    assert len(missing["one"]) == 1
    assert missing["one"][0].startswith("no tsne.png: no checkpoint")
    assert {path.name for path in (tmp_path / "plots").glob("*.png")} == {
        "comparison-mine-random.png",
        "classes-mine-random.png",
    }


def test_without_data_only_the_scores_are_drawn(tmp_path):
    models, _ = workplace(tmp_path)
    missing = figures.draw(experiments(models)[0], tmp_path / "nowhere", tmp_path / "plots")
    assert drawn(tmp_path / "plots") == {"confusion", "curves", "folds", "classes", "calibration"}
    assert [line.split(":")[0] for line in missing] == [
        "no tsne.png",
        "no alignment.png",
        "no features.png",
    ]


def test_what_a_system_does_not_read_is_neither_drawn_nor_missed(tmp_path):
    models, data = workplace(tmp_path)
    item = experiments(models)[0]
    item.settings["acoustic"] = item.settings["alignment"] = None
    missing = figures.draw(item, data, tmp_path / "plots")
    assert drawn(tmp_path / "plots") == {"confusion", "curves", "folds", "classes", "calibration"}
    assert [line.split(":")[0] for line in missing] == ["no tsne.png"]


def test_a_network_without_embed_has_no_tsne_and_a_line_that_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(lookup, "system", {"MeanPool": own_network.MeanPool}.__getitem__)
    models, data = workplace(tmp_path)
    sizes = Sizes(feature_dim=3, num_classes=2)
    experiment = Experiment(
        corpus="demo",
        network="MeanPool",
        acoustic="fbank",
        text="one_hot",
        split="session",
        normalization="none",
    )
    checkpoint.save(
        models / "one" / "folds" / "seed-0-fold-0",
        own_network.MeanPool(sizes),
        Fitted(None, None, (), None),
        sizes,
        {"experiment": asdict(experiment), "classes": ["angry", "sad"]},
    )
    item = experiments(models)[0]
    item.settings["network"] = "MeanPool"
    missing = figures.draw(item, data, tmp_path / "plots")
    assert missing == [
        "no tsne.png: the network of MeanPool has no method `embed(batch)` that gives the "
        "vectors before its classifier, Tensor[B, dim]"
    ]
    assert "confusion" in drawn(tmp_path / "plots")
