"""From recordings to a finished data set, and from there into batches: against what
people write by hand, in one run and on the same files.

    python -m benchmarks.run datasets

The recordings lie as FLAC at 16 kHz; as many utterances as RAVDESS has are made of
them. Building takes wall time, with two worker processes for ours, their start
included, and one process for the reference; reading takes processor time. Every
result is compared. All files lie in the page cache.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import soundfile
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from benchmarks import acoustic as sounds
from pipeline import audio
from pipeline.acoustic import _frames as frames
from pipeline.acoustic import egemaps, extract_corpus, fbank
from pipeline.batch import collate
from pipeline.schema import Utterance
from pipeline.shards import Shards
from pipeline.training.dataset import Examples
from pipeline.training.fitted import Fitted
from pipeline.training.inputs import Inputs

RATE, BATCH = 16000, 32
UTTERANCES, OF_EGEMAPS, QUICK = 1440, 120, 64
TURNS = 5
CONFIG = fbank.Config(convention="librosa")
Array = np.ndarray
Batches = Iterator[tuple[Tensor, Tensor]]


def measure(folder: Path, paths: Sequence[Path], quick: bool) -> list[dict[str, Any]]:
    """All rows; `folder` is empty and takes what is written."""
    os.environ["SERFLOW_WORKERS"] = "2"
    utterances = write_flac(folder / "flac", paths, QUICK if quick else UTTERANCES)
    features, arrays = folder / "shards", folder / "npy"
    rows = [
        build_fbank(utterances, features, arrays),
        build_egemaps(utterances[: 8 if quick else OF_EGEMAPS], folder),
    ]
    grouped = folder / "groups.h5"
    with h5py.File(grouped, "w") as file:
        for item in utterances:
            file[item.utterance_id] = np.load(arrays / f"{item.utterance_id}.npy")
    rows += read_epochs([item.utterance_id for item in utterances], features, arrays, grouped)
    return rows


def write_flac(folder: Path, paths: Sequence[Path], count: int) -> list[Utterance]:
    """Utterances, each of a recording as mono FLAC; a recording may be several."""
    folder.mkdir()
    waveforms = (
        [audio.resample(*audio.read(path), RATE) for path in paths]
        if paths
        else np.array_split(sounds.synthetic(seconds=120.0), 40)
    )
    written = [folder / f"{number:05d}.flac" for number in range(len(waveforms))]
    for path, waveform in zip(written, waveforms, strict=True):
        soundfile.write(path, waveform, RATE)
    return [
        Utterance(
            f"u{number:05d}",
            "bench",
            "any",
            str(written[number % len(written)]),
            audio_sha256=str(number),
        )
        for number in range(count)
    ]


def build_fbank(utterances: Sequence[Utterance], shards: Path, arrays: Path) -> dict[str, Any]:
    """Log mel energies of all utterances, from FLAC to files."""
    import librosa

    length, shift = frames.samples(0.025, RATE), frames.samples(0.010, RATE)
    settings = {"n_fft": 512, "win_length": length, "hop_length": shift, "window": "hamming"}
    arrays.mkdir()

    def reference() -> None:
        for item in utterances:
            waveform, rate = librosa.load(item.audio_path, sr=RATE)
            power = librosa.feature.melspectrogram(y=waveform, sr=rate, n_mels=40, **settings)
            np.save(arrays / f"{item.utterance_id}.npy", np.log(np.maximum(power, 1e-10)).T)

    def ours() -> None:
        extract_corpus(utterances, "fbank", CONFIG, shards)

    # librosa compiles and imports at its first call.
    librosa.feature.melspectrogram(y=np.zeros(RATE, np.float32), sr=RATE, n_mels=40, **settings)
    row = both("fbank, FLAC to HDF5, 2 cores", "librosa, one .npy each", ours, reference)
    began = time.perf_counter()
    samples = sum(len(soundfile.read(str(item.audio_path))[0]) for item in utterances)
    row |= {"floor": "decoding, on 2 cores", "floor_seconds": (time.perf_counter() - began) / 2}
    read = Shards(shards)
    difference = max(
        float(np.abs(read.read(name) - np.load(arrays / f"{name}.npy")).max())
        for name in (item.utterance_id for item in utterances)
    )
    assert difference < 1e-2, f"log energies differ by {difference}"
    return row | {
        "audio_seconds": samples / RATE,
        "real_time_factor": row["seconds"] * RATE / samples,
        "largest_difference": difference,
        "difference_in": "natural log",
    }


def build_egemaps(utterances: Sequence[Utterance], folder: Path) -> dict[str, Any]:
    """eGeMAPS functionals of some utterances, from FLAC to files."""
    import opensmile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    expected: dict[str, Array] = {}

    def reference() -> None:
        for item in utterances:
            values = smile.process_file(str(item.audio_path)).to_numpy(dtype=np.float32)
            np.save(folder / "egemaps.npy", values)
            expected[item.utterance_id] = values

    def ours() -> None:
        extract_corpus(utterances, "egemaps", egemaps.Config(), folder / "egemaps")

    row = both("egemaps, FLAC to HDF5, 2 cores", "opensmile, file by file", ours, reference)
    read = Shards(folder / "egemaps")
    difference = max(float(np.abs(read.read(name) - expected[name]).max()) for name in expected)
    samples = sum(soundfile.info(str(item.audio_path)).frames for item in utterances)
    return row | {
        "audio_seconds": samples / RATE,
        "real_time_factor": row["seconds"] * RATE / samples,
        "largest_difference": difference,
        "difference_in": "absolute",
    }


def both(
    component: str, name: str, ours: Callable[[], None], reference: Callable[[], None]
) -> dict[str, Any]:
    """Wall time of one run each; `processor_ratio` is that of the processor times, the
    ones of all processes.
    """
    seconds, processor = [], []
    for run in (ours, reference):
        began, worked = time.perf_counter(), _processor_time()
        run()
        seconds.append(time.perf_counter() - began)
        processor.append(_processor_time() - worked)
    return {
        "component": component,
        "reference": name,
        "seconds": seconds[0],
        "reference_seconds": seconds[1],
        "ratio": seconds[1] / seconds[0],
        "processor_seconds": processor[0],
        "reference_processor_seconds": processor[1],
        "processor_ratio": processor[1] / processor[0],
    }


def _processor_time() -> float:
    """Of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


def read_epochs(
    names: Sequence[str], shards: Path, arrays: Path, grouped: Path
) -> list[dict[str, Any]]:
    """A shuffled epoch in padded batches."""
    opened = h5py.File(grouped, "r")

    def examples() -> Examples:
        inputs = Inputs(Shards(shards), None, None)
        return Examples(inputs, Fitted(None, None, (), None), names, None)

    def from_examples(kept: Examples) -> Callable[[Sequence[int]], Batches]:
        def epoch(order: Sequence[int]) -> Batches:
            for part in batches(order):
                yield collate([kept[item] for item in part]).voice()

        return epoch

    def padded(load: Callable[[str], Array]) -> Callable[[Sequence[int]], Batches]:
        def epoch(order: Sequence[int]) -> Batches:
            for part in batches(order):
                loaded = [torch.from_numpy(load(names[item])) for item in part]
                yield pad_sequence(loaded, True), torch.tensor([len(item) for item in loaded])

        return epoch

    kept = from_examples(examples())
    forms: dict[str, Callable[[Sequence[int]], Batches]] = {
        "first": lambda order: from_examples(examples())(order),
        "later": kept,
        "one .npy an utterance": padded(lambda name: np.load(arrays / f"{name}.npy")),
        "one HDF5 group an utterance": padded(lambda name: np.asarray(opened[name])),
        "floor": lambda order: copied(shards, order),
    }
    generator = np.random.default_rng(0)
    orders = [list(map(int, generator.permutation(len(names)))) for _ in range(TURNS + 1)]
    for (x, lengths), (y, others) in zip(
        kept(orders[0]), forms["one .npy an utterance"](orders[0]), strict=True
    ):
        assert torch.equal(lengths, others) and (x - y).abs().max() < 1e-2
    times: dict[str, list[float]] = {name: [] for name in forms}
    for order in orders[1:]:
        for name, epoch in forms.items():
            began = time.thread_time()
            for _ in epoch(order):
                pass
            times[name].append(time.thread_time() - began)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    rows = []
    for which in ("first", "later"):
        for name in ("one .npy an utterance", "one HDF5 group an utterance"):
            ratios = [other / own for own, other in zip(times[which], times[name], strict=True)]
            rows.append(
                {
                    "component": f"shuffled epoch of {len(names)} in batches, {which}",
                    "reference": name,
                    "seconds": seconds[which],
                    "reference_seconds": seconds[name],
                    "ratio": statistics.median(ratios),
                    "ratio_lowest": min(ratios),
                    "ratio_highest": max(ratios),
                    "floor": "the files read whole",
                    "floor_seconds": seconds["floor"],
                    "largest_difference": 0.0,
                    "difference_in": "against ours from .npy",
                }
            )
    opened.close()
    return rows


def batches(order: Sequence[int]) -> Iterator[Sequence[int]]:
    """An epoch's order in pieces."""
    return (order[first : first + BATCH] for first in range(0, len(order), BATCH))


def copied(shards: Path, order: Sequence[int]) -> Batches:
    """Nothing but the bytes of all shards."""
    for path in shards.glob("*.h5"):
        path.read_bytes()
    yield from ()
