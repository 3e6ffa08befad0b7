"""What features cost to keep: the size and time of every compression, and of every
feature an hour of speech.

Log mel energies of real recordings are written as shards are, chunk by chunk, and read
utterance by utterance in shuffled order; processor time. float16 loses what the column
of errors says.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np

from benchmarks import acoustic as sounds
from pipeline import audio
from pipeline.acoustic import egemaps, fbank, mfcc, short_term, spectrogram, waveform

RATE, CHUNK_BYTES = 16000, 256 * 1024
RECORDINGS, TURNS = 240, 5
Array = np.ndarray
SHUFFLED = hdf5plugin.Blosc.SHUFFLE
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "float32 (the shards)": ("<f4", {}),
    "float32, gzip 4": ("<f4", {"compression": "gzip", "compression_opts": 4, "shuffle": True}),
    "float32, Blosc zstd 5": ("<f4", dict(hdf5plugin.Blosc("zstd", 5, SHUFFLED))),
    "float32, zstd 3": ("<f4", {**hdf5plugin.Zstd(clevel=3), "shuffle": True}),
    "float16": ("<f2", {}),
    "float16, Blosc zstd 5": ("<f2", dict(hdf5plugin.Blosc("zstd", 5, SHUFFLED))),
}


def measure(folder: Path, paths: Sequence[Path], quick: bool) -> list[dict[str, Any]]:
    """The rows of both tables."""
    chosen = paths[:: max(1, len(paths) // (8 if quick else RECORDINGS))]
    waveforms = (
        [audio.resample(*audio.read(path), RATE) for path in chosen]
        if chosen
        else np.array_split(sounds.synthetic(seconds=120.0), 40)
    )
    return [
        *compress(folder, [fbank.extract(item, RATE, fbank.Config()) for item in waveforms]),
        *an_hour(np.concatenate(waveforms)[: RATE * 28], 1 if quick else TURNS),
    ]


def compress(folder: Path, arrays: Sequence[Array]) -> list[dict[str, Any]]:
    """One row per format: MB and seconds of writing an hour of speech, time of reading
    an utterance, largest error.
    """
    rows, width = np.concatenate(arrays), arrays[0].shape[1]
    hours = len(rows) * 0.010 / 3600
    ends = np.cumsum([len(item) for item in arrays])
    order = np.random.default_rng(0).permutation(len(arrays))
    found = []
    for name, (kind, settings) in FORMATS.items():
        path = folder / "rows.h5"
        began = time.thread_time()
        with h5py.File(path, "w") as file:
            size = CHUNK_BYTES // (4 * width)
            file.create_dataset("rows", data=rows, dtype=kind, chunks=(size, width), **settings)
        written = time.thread_time() - began
        with h5py.File(path, "r") as file:
            stored = file["rows"]
            times, error = [], 0.0
            for number in order:
                first = ends[number] - len(arrays[number])
                began = time.thread_time()
                values = stored[first : ends[number]].astype(np.float32)
                times.append(time.thread_time() - began)
                error = max(error, float(np.abs(values - arrays[number]).max()))
        assert kind == "<f2" or error == 0, f"{name} changes values by {error}"
        found.append(
            {
                "table": "Compression of 40-band log mel energies",
                "cells": {
                    "format": name,
                    "MB an hour": path.stat().st_size / 1e6 / hours,
                    "seconds to write an hour": written / hours,
                    "µs to read an utterance": 1e6 * statistics.median(times),
                    "largest error": error,
                },
            }
        )
    return found


def an_hour(speech: Array, turns: int) -> list[dict[str, Any]]:
    """One row per feature: real-time factor and MB of an hour of speech."""
    rows = []
    for name, module, values in (
        ("short_term", short_term, {}),
        ("short_term, deltas", short_term, {"deltas": True}),
        ("short_term 200/100 ms", short_term, {"frame_length": 0.2, "frame_shift": 0.1}),
        ("fbank", fbank, {}),
        ("mfcc", mfcc, {}),
        ("spectrogram", spectrogram, {}),
        ("egemaps", egemaps, {}),
        ("egemaps, descriptors", egemaps, {"level": "low_level_descriptors"}),
        ("waveform", waveform, {}),
    ):
        extract, config = _extract(module), module.Config(**values)
        found = extract(speech, RATE, config)
        times = []
        for _ in range(turns):
            began = time.thread_time()
            extract(speech, RATE, config)
            times.append(time.thread_time() - began)
        seconds = len(speech) / RATE
        per_hour = 0.0 if len(found) == 1 else found.nbytes / 1e6 * 3600 / seconds
        cells: dict[str, Any] = {
            "feature": name,
            "numbers a frame": found.shape[1],
            "real-time factor": statistics.median(times) / seconds,
            "MB an hour": per_hour or f"{found.nbytes} bytes an utterance",
        }
        rows.append({"table": "An hour of speech", "cells": cells})
    return rows


def _extract(module: Any) -> Callable[..., Array]:
    function: Callable[..., Array] = module.extract
    return function
