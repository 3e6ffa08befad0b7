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

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Before NumPy is loaded: afterwards its linear algebra has its threads already.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from threadpoolctl import threadpool_limits

from pipeline import audio, frames
from pipeline.acoustic import egemaps, fbank, mfcc, short_term, spectrogram, ssl
from pipeline.acoustic import waveform as waveform_feature

Extractor = Callable[[np.ndarray, int], np.ndarray]
TURNS, SLOW_TURNS = 9, 3
SLOW = ("ssl",)  # seconds a turn
LENGTH, SHIFT, NUM_MEL_BINS = 0.025, 0.010, 40


def measure(waveform: np.ndarray, sampling_rate: int, turns: int = TURNS) -> list[dict[str, Any]]:
    """One row per component and reference, on a waveform (num_samples,) float32 in [-1,
    1].
    """
    with threadpool_limits(1):
        return [
            compare(
                waveform, sampling_rate, name, ours, reference_name, reference, difference_in, turns
            )
            for name, ours, reference_name, reference, difference_in in pairs()
        ]


def pairs() -> list[tuple[str, Extractor, str | None, Extractor | None, str]]:
    """Component, its extractor, reference, its extractor, and what their difference is
    measured in.
    """
    slow = {"frame_length": 0.2, "frame_shift": 0.1}
    kaldi = fbank.Config(num_mel_bins=NUM_MEL_BINS)
    centred = fbank.Config(num_mel_bins=NUM_MEL_BINS, convention="librosa")
    share = "share of the feature's largest value"
    return [
        (
            "short_term 25/10 ms",
            _short_term(),
            "pyAudioAnalysis",
            _short_term(backend="package"),
            share,
        ),
        (
            "short_term 200/100 ms",
            _short_term(**slow),
            "pyAudioAnalysis",
            _short_term(backend="package", **slow),
            share,
        ),
        (
            "fbank kaldi",
            _ours(fbank, kaldi),
            "kaldi-native-fbank",
            kaldi_native_fbank,
            "natural log",
        ),
        ("fbank kaldi", _ours(fbank, kaldi), "lhotse", lhotse_fbank(), "natural log"),
        ("fbank librosa", _ours(fbank, centred), "librosa", librosa_fbank, "natural log"),
        (
            "mfcc",
            _ours(mfcc, mfcc.Config(num_mel_bins=NUM_MEL_BINS)),
            "librosa",
            librosa_mfcc,
            "decibels",
        ),
        (
            "spectrogram",
            _ours(spectrogram, spectrogram.Config(scale="magnitude")),
            "librosa",
            librosa_spectrogram,
            "magnitude",
        ),
        ("egemaps", _ours(egemaps, egemaps.Config()), None, None, ""),
        ("waveform, halved rate", halved, "librosa", librosa_halved, "sample"),
        ("ssl", *speech_encoder(), "hidden state"),
    ]


def compare(
    waveform: np.ndarray,
    sampling_rate: int,
    name: str,
    ours: Extractor,
    reference_name: str | None,
    reference: Extractor | None,
    difference_in: str,
    turns: int,
) -> dict[str, Any]:
    """Both results compared, then both timed in turns."""
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
                f"{name}: shape {result.shape}, {reference_name} {expected.shape}, expected the same"
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
    if name in SLOW and reference is not None:
        row["peak_memory_mib"] = _growth(ours, waveform, sampling_rate)
        row["reference_peak_memory_mib"] = _growth(reference, waveform, sampling_rate)
    else:
        row["peak_memory_mib"] = _peak_memory(ours, waveform, sampling_rate)
    return row


def _seconds(extractor: Extractor, waveform: np.ndarray, sampling_rate: int) -> float:
    start = time.process_time()
    extractor(waveform, sampling_rate)
    return time.process_time() - start


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


def _ours(module: Any, config: Any) -> Extractor:
    return lambda waveform, sampling_rate: module.extract(waveform, sampling_rate, config)


def _short_term(**values: Any) -> Extractor:
    config = short_term.Config(**values)
    return lambda waveform, sampling_rate: short_term.features(waveform, sampling_rate, config)


def kaldi_native_fbank(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """Kaldi's filterbank in C++, without dither."""
    import kaldi_native_fbank as knf

    options = knf.FbankOptions()
    options.frame_opts.samp_freq = sampling_rate
    options.frame_opts.dither = 0
    options.frame_opts.window_type = "hamming"
    options.mel_opts.num_bins = NUM_MEL_BINS
    computer = knf.OnlineFbank(options)
    computer.accept_waveform(sampling_rate, waveform * 32768)
    computer.input_finished()
    return np.stack([computer.get_frame(i) for i in range(computer.num_frames_ready)])


def lhotse_fbank() -> Extractor:
    """lhotse's filterbank in PyTorch, set up as Kaldi's."""
    import torch
    from lhotse import Fbank, FbankConfig

    torch.set_num_threads(1)
    extractor = Fbank(
        FbankConfig(num_filters=NUM_MEL_BINS, window_type="hamming", snip_edges=True, high_freq=0.0)
    )
    return lambda waveform, sampling_rate: np.asarray(
        extractor.extract(waveform * 32768, sampling_rate)
    )


def _librosa_frames(sampling_rate: int) -> dict[str, int]:
    length, shift = frames.samples(LENGTH, sampling_rate), frames.samples(SHIFT, sampling_rate)
    return {"n_fft": 1 << (length - 1).bit_length(), "win_length": length, "hop_length": shift}


def librosa_fbank(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """librosa's mel spectrogram and its natural log."""
    import librosa

    energies = librosa.feature.melspectrogram(
        y=waveform,
        sr=sampling_rate,
        window="hamming",
        n_mels=NUM_MEL_BINS,
        **_librosa_frames(sampling_rate),
    )
    return np.log(np.maximum(energies, 1e-10)).T


def librosa_mfcc(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """librosa's MFCCs."""
    import librosa

    return librosa.feature.mfcc(
        y=waveform,
        sr=sampling_rate,
        n_mfcc=20,
        window="hamming",
        n_mels=NUM_MEL_BINS,
        **_librosa_frames(sampling_rate),
    ).T


def librosa_spectrogram(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """librosa's transform with frames from 0 on: the window's centring inside the
    transform undone by zeros before.
    """
    import librosa

    settings = _librosa_frames(sampling_rate)
    length, num_fft = settings["win_length"], settings["n_fft"]
    before = (num_fft - length) // 2
    padded = np.pad(waveform, (before, num_fft - length - before))
    return np.abs(
        librosa.stft(padded, window=frames.window("hamming", length), center=False, **settings)
    ).T


def halved(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """The samples at half their rate, as the stage makes them."""
    config = waveform_feature.Config(sampling_rate=sampling_rate // 2)
    return waveform_feature.extract(
        audio.resample(waveform, sampling_rate, config.sampling_rate), config.sampling_rate, config
    )


def librosa_halved(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """librosa's resampling."""
    import librosa

    return librosa.resample(waveform, orig_sr=sampling_rate, target_sr=sampling_rate // 2)[:, None]


def speech_encoder() -> tuple[Extractor, str, Extractor]:
    """ssl and transformers by hand, on a model of wav2vec2-base's sizes: its weights
    are random, nothing is fetched.
    """
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.set_num_threads(1)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        whole = Wav2Vec2Model(Wav2Vec2Config()).eval()
        whole.save_pretrained(folder)
        Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
        config = ssl.Config(model=folder)
        # Loads the model while the folder is there.
        ssl.extract(np.ones(16000, np.float32), config.sampling_rate, config)

    def reference(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
        normalised = (waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7)
        with torch.inference_mode():
            return whole(torch.from_numpy(normalised)[None]).last_hidden_state[0].numpy()

    return _ours(ssl, config), "transformers, all at once", reference


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
