"""Acoustic features against the libraries that compute the same, in one run on the same
audio.

    python benchmarks/acoustic.py [RECORDING ...]

prints a table; `measure` returns it as rows. Without recordings the audio is 28 s of
synthetic speech-like sound. Every pair is timed in turns, in one thread, in seconds of
processor time, so that neighbours on the machine count as little as possible; `ratio`
is the median over the turns of reference / ours, `ratio_quartiles` tell its noise.
`real_time_factor` is seconds / audio_seconds. `peak_memory_mib` is what extraction
itself allocates beyond the waveform (tracemalloc; of ssl, whose tensors that does not
see, what the process grows by). `largest_difference` is in the unit of the row's
`difference_in`.
"""

import gc
import json
import os
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

if __name__ == "__main__":
    # Before NumPy is loaded: afterwards its linear algebra has its threads already.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import acoustic_references as references
from benchmarks.acoustic_references import NUM_MEL_BINS, Extractor
from pipeline import audio
from pipeline.acoustic import _frames as frames
from pipeline.acoustic import egemaps, fbank, mfcc, short_term, spectrogram

Floor = tuple[str, Callable[[np.ndarray], Callable[[], Any]]]
TURNS, SLOW_TURNS = 9, 3
SLOW = ("ssl",)  # seconds a turn


class Pair(NamedTuple):
    """A component, a reference (None where nothing else computes the same), their
    extractors, the unit of their difference, and the bare transform that is its floor.
    """

    component: str
    ours: Extractor
    reference: str | None
    theirs: Extractor | None
    difference_in: str
    floor: Floor | None = None


def measure(waveform: np.ndarray, sampling_rate: int, turns: int = TURNS) -> list[dict[str, Any]]:
    """One row per pair, on a waveform (num_samples,) float32 in [-1, 1]."""
    with threadpool_limits(1):
        return [compare(waveform, sampling_rate, pair, turns) for pair in pairs()]


def pairs() -> list[Pair]:
    """What is compared with what."""
    slow = {"frame_length": 0.2, "frame_shift": 0.1}
    kaldi = _ours(fbank, num_mel_bins=NUM_MEL_BINS)
    centred = _ours(fbank, num_mel_bins=NUM_MEL_BINS, convention="librosa")
    coefficients = _ours(mfcc, num_mel_bins=NUM_MEL_BINS)
    magnitudes = _ours(spectrogram, scale="magnitude")
    package, slow_package = _short_term(backend="package"), _short_term(backend="package", **slow)
    share, log = "share of the feature's largest value", "natural log"
    single = ("scipy's FFT alone, single precision", lambda x: transform(x, 400, 160, 512, "f4"))
    short = ("scipy's FFT alone, double", lambda x: transform(x, 400, 160, 400, "f8"))
    long = ("scipy's FFT alone, double", lambda x: transform(x, 3200, 1600, 3200, "f8"))
    name, native = "pyAudioAnalysis", references.kaldi_native_fbank
    return [
        Pair("short_term 25/10 ms", _short_term(), name, package, share, short),
        Pair("short_term 200/100 ms", _short_term(**slow), name, slow_package, share, long),
        Pair("fbank kaldi", kaldi, "kaldi-native-fbank", native, log, single),
        Pair("fbank kaldi", kaldi, "lhotse", references.lhotse_fbank(), log, single),
        Pair("fbank librosa", centred, "librosa", references.librosa_fbank, log, single),
        Pair("mfcc", coefficients, "librosa", references.librosa_mfcc, "decibels", single),
        Pair(
            "spectrogram",
            magnitudes,
            "librosa",
            references.librosa_spectrogram,
            "magnitude",
            single,
        ),
        Pair("egemaps", _ours(egemaps), None, None, ""),
        Pair(
            "waveform, halved rate",
            references.halved,
            "librosa",
            references.librosa_halved,
            "sample",
        ),
        Pair("ssl", *references.speech_encoder(), "hidden state"),
    ]


def compare(waveform: np.ndarray, sampling_rate: int, pair: Pair, turns: int) -> dict[str, Any]:
    """Both results compared, then both timed in turns."""
    name, ours, reference_name, reference, difference_in, floor = pair
    result = ours(waveform, sampling_rate)
    row: dict[str, Any] = {
        "component": name,
        "reference": reference_name,
        "audio_seconds": round(len(waveform) / sampling_rate, 3),
        "largest_difference": None,
        "difference_in": difference_in,
    }
    if reference is not None:
        expected = reference(waveform, sampling_rate)
        if result.shape != expected.shape:
            raise ValueError(
                f"{name}: our result is {result.shape}, that of {reference_name} {expected.shape}"
            )
        difference = np.abs(result.astype(np.float64) - expected)
        if difference_in.startswith("share"):
            difference /= np.maximum(np.abs(expected).max(axis=0), np.finfo(np.float64).tiny)
        row["largest_difference"] = float(difference.max())
    turns = min(turns, SLOW_TURNS) if name in SLOW else turns
    times = np.array(
        [
            [_seconds(side, waveform, sampling_rate) for side in (ours, reference) if side]
            for _ in range(turns)
        ]
    )
    row["seconds"] = float(np.median(times[:, 0]))
    row["real_time_factor"] = row["seconds"] / row["audio_seconds"]
    ratios = times[:, -1] / times[:, 0]
    row["reference_seconds"] = float(np.median(times[:, 1])) if reference else None
    row["ratio"] = float(np.median(ratios)) if reference else None
    row["ratio_quartiles"] = (
        [float(q) for q in np.quantile(ratios, [0.25, 0.75])] if reference else None
    )
    if floor is not None:
        bare = floor[1](waveform)
        row |= {
            "floor": floor[0],
            "floor_seconds": float(np.median([_timed(bare) for _ in range(turns)])),
        }
    if name in SLOW and reference is not None:
        row["peak_memory_mib"] = _growth(ours, waveform, sampling_rate)
        row["reference_peak_memory_mib"] = _growth(reference, waveform, sampling_rate)
    else:
        row["peak_memory_mib"] = _peak_memory(ours, waveform, sampling_rate)
    return row


def transform(
    waveform: np.ndarray, length: int, shift: int, num_fft: int, kind: str
) -> Callable[[], Any]:
    """Real transforms of the frames of a waveform, which are cut beforehand."""
    from scipy import fft

    cut = frames.frames(waveform, length, shift)
    framed = np.zeros((len(cut), num_fft), kind)
    framed[:, :length] = cut
    return lambda: fft.rfft(framed, axis=1)


def _timed(run: Callable[[], Any]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def _seconds(extractor: Extractor, waveform: np.ndarray, sampling_rate: int) -> float:
    return _timed(lambda: extractor(waveform, sampling_rate))


def _peak_memory(extractor: Extractor, waveform: np.ndarray, sampling_rate: int) -> float:
    tracemalloc.start()
    extractor(waveform, sampling_rate)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


def _growth(extractor: Extractor, waveform: np.ndarray, sampling_rate: int) -> float:
    """MiB by which the process grows meanwhile, at its peak (Linux)."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    extractor(waveform, sampling_rate)
    return _status("VmHWM") - before


def _status(name: str) -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) / 1024


def _ours(module: Any, **values: Any) -> Extractor:
    config = module.Config(**values)
    return lambda waveform, sampling_rate: module.extract(waveform, sampling_rate, config)


def _short_term(**values: Any) -> Extractor:
    config = short_term.Config(**values)
    return lambda waveform, sampling_rate: short_term.features(waveform, sampling_rate, config)


def synthetic(sampling_rate: int = 16000, seconds: float = 28.0) -> np.ndarray:
    """Voiced stretches of moving pitch, hiss and pauses, (num_samples,) float32 in [-1,
    1].
    """
    generator = np.random.default_rng(0)
    clock = np.arange(int(sampling_rate * seconds)) / sampling_rate
    pitch = 160 + 50 * np.sin(2 * np.pi * 0.35 * clock) + 10 * np.sin(2 * np.pi * 5 * clock)
    phase = 2 * np.pi * np.cumsum(pitch) / sampling_rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 24))
    loudness = np.maximum(
        np.sin(2 * np.pi * 1.9 * clock) * np.sin(2 * np.pi * 0.23 * clock) + 0.3, 0
    )
    hiss = generator.standard_normal(len(clock))
    return (0.15 * loudness * (voice + 0.2 * hiss) + 2e-4 * hiss).astype(np.float32)


def recordings(paths: list[str], sampling_rate: int = 16000, seconds: float = 28.0) -> np.ndarray:
    """Recordings one after the other, resampled, at most `seconds` of them:
    (num_samples,) float32.
    """
    parts = [audio.resample(*audio.read(path), sampling_rate) for path in paths]
    return np.concatenate(parts)[: int(seconds * sampling_rate)]


def main() -> None:
    """Prints the rows as JSON lines and as a table."""
    waveform = recordings(sys.argv[1:]) if len(sys.argv) > 1 else synthetic()
    rows = measure(waveform, 16000)
    for row in rows:
        print(json.dumps(row))
    heads = f"{'ms':>8} {'ref ms':>8} {'ratio':>7} {'quartiles':>13} {'difference':>10} MiB"
    print(f"\n{'component':22} {'reference':20} {heads}")
    for row in rows:
        timing = f"{row['component']:22} {row['reference'] or '-':20} {1e3 * row['seconds']:8.2f} "
        if row["reference"]:
            low, high = row["ratio_quartiles"]
            timing += (
                f"{1e3 * row['reference_seconds']:8.2f} {row['ratio']:7.1f} {low:6.1f}-{high:6.1f} "
            )
            timing += f"{row['largest_difference']:10.1e} "
        print(f"{timing}{row['peak_memory_mib']:.1f}")


if __name__ == "__main__":
    main()
