from pathlib import Path

import numpy as np
import pytest

from pipeline.report import plots
from pipeline.schema import WordSpan

CLASSES = ["angry", "happy", "neutral", "sad"]
RATE = 16000


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


def voice():
    times = np.arange(int(1.8 * RATE)) / RATE
    return (0.4 * np.sin(2 * np.pi * 180 * times) * (np.sin(2 * np.pi * 1.4 * times) > 0)).astype(
        np.float32
    )


def draw_all(folder: Path) -> dict[str, Path]:
    generator = np.random.default_rng(0)
    made = {
        name: folder / f"{name}.png"
        for name in (
            "confusion", "curves", "fold_bars", "tsne", "class_bars", "feature_curves", "alignment", "comparison"
        )
    }  # fmt: skip
    plots.confusion(
        made["confusion"],
        np.array([[80, 10, 5, 5], [12, 60, 20, 8], [0, 9, 90, 7], [0, 0, 0, 0]]),
        CLASSES,
    )
    plots.curves(
        made["curves"], {str(k): history(k) for k in range(5)}, {str(k): 6 + k for k in range(5)}
    )
    rows = [
        {"fold": k, "seed": s, "ua": 0.6 + 0.05 * k, "test_selected_ua": 0.7 + 0.04 * k}
        for k in range(5)
        for s in (0, 1)
    ]
    plots.fold_bars(made["fold_bars"], rows)
    labels = [CLASSES[i % 4] for i in range(120)]
    vectors = generator.normal(size=(120, 16)) + 3 * np.eye(16)[np.arange(120) % 4]
    plots.tsne(made["tsne"], vectors, labels, CLASSES)
    scores = {
        name: dict(zip(CLASSES, generator.random(4), strict=True))
        for name in ("FG_CME", "LSTM_Attn_a", "LSTM_Attn_s")
    }
    plots.class_bars(made["class_bars"], scores)
    names = [
        "zcr",
        "energy",
        "spectral_flux",
        *(f"mfcc_{i}" for i in range(1, 14)),
        *(f"chroma_{i}" for i in range(1, 13)),
    ]
    plots.feature_curves(
        made["feature_curves"], voice(), RATE, generator.normal(size=(17, len(names))), names, 0.1
    )
    words = ["kids", "are", "talking", "门", "by"]
    spans = [
        WordSpan("u", i, word, 0.1 + 0.3 * i, 0.35 + 0.3 * i, None, "given")
        for i, word in enumerate(words)
    ]
    plots.alignment(made["alignment"], voice(), RATE, spans)
    compared = {
        name: {"value": v, "low": v - 0.04, "high": v + 0.05, "test_selected": v + 0.07}
        for name, v in (("a", 0.6), ("b", 0.7))
    }
    plots.comparison(made["comparison"], compared)
    return made


def test_every_figure_is_drawn_and_twice_the_same(tmp_path):
    from PIL import Image

    first, second = draw_all(tmp_path / "one"), draw_all(tmp_path / "two")
    for name, path in first.items():
        assert path.read_bytes() == second[name].read_bytes(), name
        with Image.open(path) as image:
            assert image.info.get("Software") is None
            pixels = np.asarray(image.convert("L"))
        assert min(pixels.shape) > 200, name
        assert (pixels < 200).mean() > 0.003, f"{name} is nearly empty"
    assert {path.name for path in (tmp_path / "one").iterdir()} == {f"{name}.png" for name in first}


def test_a_figure_of_too_little_says_what_was_expected(tmp_path):
    with pytest.raises(ValueError, match="expected at least 5"):
        plots.tsne(tmp_path / "x.png", np.zeros((3, 2)), ["angry"] * 3, CLASSES)
    with pytest.raises(ValueError, match="expected zcr"):
        plots.feature_curves(tmp_path / "x.png", voice(), RATE, np.zeros((4, 1)), ["band_1"], 0.1)
