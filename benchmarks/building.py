"""From FLAC to finished features: by SERflow and by the scripts that people write.

Each runs in a fresh process, which `fresh` starts: nothing is imported that it does not
need itself.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

RATE = 16000
Named = Sequence[tuple[str, str]]  # utterance ids and their recordings


def fresh(function: Callable[..., None], *given: Any) -> tuple[float, float]:
    """Wall and processor seconds of a call in a process of its own, its start and end
    among them.
    """
    began, worked = time.perf_counter(), sum(os.times()[:4])
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(function, *given).result()
    return time.perf_counter() - began, sum(os.times()[:4]) - worked


def serflow(feature: str, values: dict[str, Any], named: Named, folder: Path) -> None:
    """Shards of a feature, as the stage builds them."""
    from pipeline import acoustic, executor, tables
    from pipeline.schema import Utterance

    executor.spare_pandas()
    utterances = [Utterance(name, "bench", "any", path, audio_sha256=name) for name, path in named]
    table = tables.utterance_table(utterances)
    acoustic.extract_corpus(table, feature, acoustic.settings(feature, values), folder)


def librosa_arrays(named: Named, folder: Path) -> None:
    """Log mel energies by librosa, one .npy each."""
    import librosa
    import numpy as np

    folder.mkdir()
    for name, path in named:
        waveform, rate = librosa.load(path, sr=RATE)
        power = librosa.feature.melspectrogram(
            y=waveform, sr=rate, n_mels=40, n_fft=512, win_length=400, hop_length=160,
            window="hamming",
        )  # fmt: skip
        np.save(folder / f"{name}.npy", np.log(np.maximum(power, 1e-10)).T)


def opensmile_arrays(named: Named, folder: Path) -> None:
    """eGeMAPS functionals by opensmile, one .npy each."""
    import numpy as np
    import opensmile

    folder.mkdir()
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    for name, path in named:
        np.save(folder / f"{name}.npy", smile.process_file(path).to_numpy(dtype=np.float32))
