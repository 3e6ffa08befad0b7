import numpy as np
from PIL import Image

from pipeline.report import recording
from pipeline.schema import WordSpan

RATE = 16000


def voice():
    times = np.arange(int(1.8 * RATE)) / RATE
    tone = 0.4 * np.sin(2 * np.pi * 180 * times) * (np.sin(2 * np.pi * 1.4 * times) > 0)
    return tone.astype(np.float32)


def test_pictures_of_a_recording_are_drawn_and_twice_the_same(tmp_path):
    names = [
        "zcr",
        "energy",
        "spectral_flux",
        *(f"mfcc_{i}" for i in range(1, 14)),
        *(f"chroma_{i}" for i in range(1, 13)),
    ]
    features = np.random.default_rng(0).normal(size=(17, len(names)))
    spans = [
        WordSpan("u", i, word, 0.1 + 0.3 * i, 0.35 + 0.3 * i, None, "given")
        for i, word in enumerate(["kids", "are", "talking", "门", "by"])
    ]
    for folder in ("one", "two"):
        place = tmp_path / folder
        recording.feature_curves(place / "features.png", voice(), RATE, features, names, 0.1)
        recording.alignment(place / "alignment.png", voice(), RATE, spans)
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
    for name in ("features", "alignment"):
        with Image.open(tmp_path / "one" / f"{name}.png") as image:
            pixels = np.asarray(image.convert("L"))
        assert min(pixels.shape) > 200
        assert (pixels < 200).mean() > 0.01, f"{name} is nearly empty"
