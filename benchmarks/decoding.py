"""What the way from a file to samples at 16 kHz costs, by format: `python -m
benchmarks.decoding` prints processor seconds per hour of sound.

`prepare` decodes a recording once until it changes, `acoustic` and `align` once for
each of their items. Beside it stands what a feature takes, and what reading the same
samples from a shard of the feature `waveform` would. Recordings as of `benchmarks.run`,
else synthetic.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks import run, scale
from pipeline import audio, lookup, shards
from pipeline.corpora import _video as video
from pipeline.schema import Utterance

RATE = 16000
FORMATS = {
    "wav 16 kHz": ("wav", RATE),
    "wav 48 kHz": ("wav", 48000),
    "flac 16 kHz": ("flac", RATE),
    "flac 48 kHz": ("flac", 48000),
    "ogg 48 kHz": ("ogg", 48000),
    "mp3 44.1 kHz": ("mp3", 44100),
    "mp4 44.1 kHz": ("mp4", 44100),
}
FEATURES = ("fbank", "short_term", "mfcc", "spectrogram")


def sounds(seconds: float) -> list[np.ndarray]:
    """Waveforms at 16 kHz, about `seconds` long together."""
    paths = run.recordings()
    if not paths:
        return [scale.sound(n, 3.0).astype(np.float32) / 32768 for n in range(round(seconds / 3))]
    found = [audio.resample(*audio.read(path), RATE) for path in paths]
    return found * max(1, round(seconds * RATE / sum(map(len, found))))


def write(path: Path, waveform: np.ndarray, rate: int) -> None:
    """The waveform, given at 16 kHz, in the format of the path's ending at `rate`."""
    samples = np.clip(audio.resample(waveform, RATE, rate), -1, 1)
    if path.suffix != ".mp4":
        soundfile.write(path, samples, rate)
        return
    av = video.require_decoder()
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=25, width=320, height=240)
        track = container.add_stream("aac", rate=rate, layout="mono")
        drawn = np.random.default_rng(0)
        for _ in range(round(25 * len(samples) / rate)):
            picture = drawn.integers(0, 255, (240, 320, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(pictures.encode(frame))
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        for packets in (pictures.encode(None), track.encode(frame), track.encode(None)):
            container.mux(packets)


def taken(work: Callable[[], object]) -> float:
    """Processor seconds, the best of three turns."""
    turns = []
    for _ in range(3):
        began = time.process_time()
        work()
        turns.append(time.process_time() - began)
    return min(turns)


def measure(folder: Path, seconds: float) -> list[tuple[str, float, float]]:
    """What, processor seconds per hour of sound, MB per hour."""
    waveforms = sounds(seconds)
    hours = sum(map(len, waveforms)) / RATE / 3600
    rows = []
    for name, (ending, rate) in FORMATS.items():
        paths = [folder / f"{number}-{rate}.{ending}" for number in range(len(waveforms))]
        for path, waveform in zip(paths, waveforms, strict=True):
            write(path, waveform, rate)

        def decode(paths: list[Path] = paths) -> None:
            for path in paths:
                if path.suffix == ".mp4":
                    video._decode(video.require_decoder(), path)
                else:
                    audio.load(Utterance("", "", "", audio_path=str(path)), RATE)

        size = sum(path.stat().st_size for path in paths) / 1e6
        rows.append((f"decode {name}", taken(decode) / hours, size / hours))
    items = {f"{n:04d}": (f"{n:04d}", waveform) for n, waveform in enumerate(waveforms)}
    keys = dict.fromkeys(items, "key")

    def given(names: Sequence[str]) -> list[tuple[str, Any]]:
        return [items[name] for name in names]

    shards.build(folder / "shards", keys, given, _produce, {"feature_dim": 1}, "waveform")
    stored = shards.Shards(folder / "shards")
    size = sum(path.stat().st_size for path in (folder / "shards").glob("*.h5")) / 1e6
    row = taken(lambda: [stored.read(name) for name in stored])
    rows.append(("read a shard of samples", row / hours, size / hours))
    rows.append(
        ("hash samples", taken(lambda: [audio.content_hash(w, RATE) for w in waveforms]) / hours, 0)
    )
    for name in FEATURES:
        module = lookup.component("acoustic", name)
        config = module.Config()

        def extract(module: Any = module, config: Any = config) -> int:
            return sum(module.extract(w, RATE, config).nbytes for w in waveforms)

        rows.append((f"extract {name}", taken(extract) / hours, extract() / 1e6 / hours))
    return rows


def _produce(items: Sequence[tuple[str, np.ndarray]]) -> Iterator[shards.Rows]:
    for name, waveform in items:
        yield shards.Rows(name, waveform[:, None])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as where:
        found = measure(Path(where), given.seconds)
    print("| work | processor s per hour of sound | MB per hour |\n|---|---:|---:|")
    for what, cost, size in found:
        print(f"| {what} | {cost:.2f} | {size:.0f} |")
