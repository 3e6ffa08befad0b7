from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.lookup import ConfigurationError
from pipeline.report import charts

CLASSES = ["angry", "happy", "neutral", "sad"]


def history(seed, epochs=12):
    generator = np.random.default_rng(seed)
    return [
        {
            "epoch": epoch,
            "train_loss": 1.4 * 0.85**epoch,
            "valid_loss": 0.6 + 0.8 * 0.8**epoch + 0.03 * generator.random(),
            "valid_wa": 0.7 - 0.4 * 0.8**epoch,
            "valid_ua": 0.72 - 0.45 * 0.8**epoch + 0.05 * generator.random(),
        }
        for epoch in range(1, epochs + 1)
    ]


def draw_all(folder: Path) -> list[Path]:
    generator = np.random.default_rng(0)
    names = ("confusion", "curves", "folds", "tsne", "classes", "many", "comparison")
    made = {name: folder / f"{name}.png" for name in names}
    counts = np.array([[80, 10, 5, 5], [12, 60, 20, 8], [0, 9, 90, 7], [0, 0, 0, 0]])
    charts.confusion(made["confusion"], counts, CLASSES)
    histories = {str(k): history(k) for k in range(5)}
    charts.curves(made["curves"], histories, {str(k): 6 + k for k in range(5)})
    rows = [
        {"fold": k, "seed": s, "ua": 0.6 + 0.05 * k, "test_selected_ua": 0.7 + 0.04 * k}
        for k in range(5)
        for s in (0, 1)
    ]
    charts.fold_bars(made["folds"], rows)
    vectors = generator.normal(size=(120, 16)) + 3 * np.eye(16)[np.arange(120) % 4]
    charts.tsne(made["tsne"], vectors, [CLASSES[i % 4] for i in range(120)], CLASSES)
    charts.class_bars(made["classes"], scores(3))
    charts.class_bars(made["many"], scores(20))
    compared = {
        name: {"value": v, "low": v - 0.04, "high": v + 0.05, "test_selected": v + 0.07}
        for name, v in (("a", 0.6), ("b", 0.7))
    }
    charts.comparison(made["comparison"], compared)
    return list(made.values())


def scores(number: int) -> dict[str, dict[str, float]]:
    generator = np.random.default_rng(number)
    return {
        f"experiment-{index}": dict(zip(CLASSES, generator.random(4), strict=True))
        for index in range(number)
    }


def test_every_figure_is_drawn_and_twice_the_same(tmp_path):
    first, second = draw_all(tmp_path / "one"), draw_all(tmp_path / "two")
    for path, other in zip(first, second, strict=True):
        assert path.read_bytes() == other.read_bytes(), path.stem
        assert path.with_suffix(".svg").read_bytes() == other.with_suffix(".svg").read_bytes()
        with Image.open(path) as image:
            assert image.info.get("Software") is None
            pixels = np.asarray(image.convert("L"))
        assert min(pixels.shape) > 200, path.stem
        assert (pixels < 200).mean() > 0.003, f"{path.stem} is nearly empty"
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert names == {f"{path.stem}.{ending}" for path in first for ending in ("png", "svg")}


@pytest.mark.parametrize("number", [1, 8, 9, 20])
@pytest.mark.usefixtures("text_in_svg")
def test_class_bars_show_every_experiment(tmp_path, number):
    charts.class_bars(tmp_path / "classes.png", scores(number))
    drawn = (tmp_path / "classes.svg").read_text(encoding="utf-8")
    assert all(f">experiment-{index}<" in drawn for index in range(number))
    with Image.open(tmp_path / "classes.png") as image:
        assert max(image.size) < 2000, "a page shows it whole"


def test_too_few_utterances_for_tsne(tmp_path):
    with pytest.raises(ConfigurationError, match="needs 5 test utterances, the first fold has 3"):
        charts.tsne(tmp_path / "x.png", np.zeros((3, 2)), ["angry"] * 3, CLASSES)
