"""From recordings to a finished data set, and from there into batches: against what
people write by hand, in one run and on the same files.

    python -m benchmarks.run datasets

The recordings lie as FLAC at 16 kHz; as many utterances as RAVDESS has are made of
them. Building takes wall time, from a fresh process to its end: with two workers for
ours, alone for the reference. Reading takes processor time. Every result is compared.
All files lie in the page cache.
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
from benchmarks import building
from pipeline import audio
from pipeline.batch import collate
from pipeline.schema import Utterance
from pipeline.shards import Shards
from pipeline.training.dataset import Examples
from pipeline.training.fitted import Fitted
from pipeline.training.inputs import Inputs

RATE, BATCH = 16000, 32
UTTERANCES, MANY, OF_EGEMAPS, QUICK = 1440, 5760, 300, 64
TURNS = 5
CONFIG: dict[str, dict[str, Any]] = {"fbank": {"convention": "librosa"}, "egemaps": {}}
Array = np.ndarray
Batches = Iterator[tuple[Tensor, Tensor]]


def measure(folder: Path, paths: Sequence[Path], quick: bool) -> list[dict[str, Any]]:
    """All rows; `folder` is empty and takes what is written."""
    os.environ["SERFLOW_WORKERS"] = "2"
    many = write_flac(folder / "flac", paths, QUICK if quick else MANY)
    utterances, longer = many[:UTTERANCES], folder / "longer"
    longer.mkdir()
    features, arrays = folder / "fbank", folder / "by-hand-fbank"
    rows = [
        build(
            f"fbank of {len(utterances)}, FLAC to HDF5, 2 cores", "librosa, one .npy each", "fbank",
            building.librosa_arrays, utterances, folder,
        ),
        build(
            f"fbank of {len(many)}, FLAC to HDF5, 2 cores", "librosa, one .npy each", "fbank",
            building.librosa_arrays, many, longer,
        ),
        build(
            "egemaps, FLAC to HDF5, 2 cores", "opensmile, file by file", "egemaps",
            building.opensmile_arrays, utterances[: 8 if quick else OF_EGEMAPS], folder,
        ),
    ]  # fmt: skip
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


def build(
    component: str,
    reference: str,
    feature: str,
    by_hand: Callable[..., None],
    utterances: Sequence[Utterance],
    folder: Path,
) -> dict[str, Any]:
    """A feature of all utterances from FLAC to files: ours into `folder` / feature, the
    reference's arrays into `folder` / by-hand-feature; both compared.
    """  # fmt: skip
    named = [(item.utterance_id, str(item.audio_path)) for item in utterances]
    shards, arrays = folder / feature, folder / f"by-hand-{feature}"
    ours = building.fresh(building.serflow, feature, CONFIG[feature], named, shards)
    theirs = building.fresh(by_hand, named, arrays)
    read, began, samples = Shards(shards), time.perf_counter(), 0
    for _, path in named:
        samples += len(soundfile.read(path)[0])
    decoded = time.perf_counter() - began
    difference = max(
        float(np.abs(read.read(name) - np.load(arrays / f"{name}.npy")).max()) for name, _ in named
    )
    assert difference < 1e-2, f"{feature} differs by {difference}"
    return {
        "component": component,
        "reference": reference,
        "seconds": ours[0],
        "reference_seconds": theirs[0],
        "ratio": theirs[0] / ours[0],
        "processor_seconds": ours[1],
        "reference_processor_seconds": theirs[1],
        "processor_ratio": theirs[1] / ours[1],
        "floor": "decoding, on two cores",
        "floor_seconds": decoded / 2,
        "audio_seconds": samples / RATE,
        "real_time_factor": ours[0] * RATE / samples,
        "largest_difference": difference,
        "difference_in": "absolute",
    }


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
    read = Shards(shards)
    everything = torch.from_numpy(np.concatenate([read.read(name) for name in names]))
    room = torch.empty_like(everything)
    forms: dict[str, Callable[[Sequence[int]], Batches]] = {
        "first": lambda order: from_examples(examples())(order),
        "later": kept,
        "one .npy an utterance": padded(lambda name: np.load(arrays / f"{name}.npy")),
        "one HDF5 group an utterance": padded(lambda name: np.asarray(opened[name])),
        "the files read whole": lambda order: read_whole(shards, order),
        "the bytes copied": lambda order: iter([(room.copy_(everything), room)]),
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
    for which, floor in (("first", "the files read whole"), ("later", "the bytes copied")):
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
                    "floor": floor,
                    "floor_seconds": seconds[floor],
                    "largest_difference": 0.0,
                    "difference_in": "against ours from .npy",
                }
            )
    opened.close()
    return rows


def batches(order: Sequence[int]) -> Iterator[Sequence[int]]:
    """An epoch's order in pieces."""
    return (order[first : first + BATCH] for first in range(0, len(order), BATCH))


def read_whole(shards: Path, order: Sequence[int]) -> Batches:
    """Nothing but the bytes of all shards."""
    for path in shards.glob("*.h5"):
        path.read_bytes()
    yield from ()
