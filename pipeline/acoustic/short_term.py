"""The 34 short-term features of pyAudioAnalysis (68 with deltas), computed for a whole
utterance at once.

Zero crossing rate, energy and its entropy, spectral centroid, spread, entropy, flux and
rolloff, 13 MFCCs, 12 chroma energies and their standard deviation, over rectangular
windows. Source: Giannakopoulos, PLoS ONE 10(12), 2015, and the package's version
0.3.14.

`compatible` gives the package's numbers, two faults included: its mel filters lie at
half their frequency, and its chroma keeps one spectral bin per semitone, wrongly
weighted. `corrected` mends these two and nothing else: the mel filters lie where they
are drawn (those above half the sampling rate are left out) and each semitone counts
with the mean power of all its bins. docs/short_term_corrected.png shows both.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline import audio
from pipeline.acoustic import _frames as frames
from pipeline.acoustic import _short_term_kernel as short_term_kernel
from pipeline.acoustic import _short_term_tables as short_term_tables
from pipeline.lookup import checked
from pipeline.schema import FrameTiming


@checked
class Config:
    """Short-term features; frame_length and frame_shift in seconds, sampling_rate in
    Hz.

    `deltas` appends x[t] - x[t-1] of each feature, zero in the first frame. `backend:
    package` runs pyAudioAnalysis.
    """

    sampling_rate: audio.SamplingRate = 16000
    frame_length: frames.Seconds = 0.025
    frame_shift: frames.Seconds = 0.010
    deltas: bool = False
    variant: short_term_tables.Variant = "compatible"
    backend: Literal["serflow", "package"] = "serflow"
    max_frames: int | None = Field(default=None, ge=1)

    def __post_init__(self) -> None:
        frames.require_samples(self.frame_length, self.frame_shift, self.sampling_rate)
        length = frames.samples(self.frame_length, self.sampling_rate)
        short_term_tables.tables(self.sampling_rate, length, self.variant)
        if self.backend == "package" and self.variant == "corrected":
            raise ValueError(
                "backend 'package' computes variant 'compatible' only: set backend: serflow"
            )


def extract(
    waveform: NDArray[np.float32], sampling_rate: int, config: Config
) -> NDArray[np.float32]:
    """Short-term features of a waveform (num_samples,) in [-1, 1]: (num_frames, 34), or
    68 with deltas.

    Raises AudioError when the waveform is shorter than one frame, ValueError when the
    frames are too short for the features (10 ms at 16 kHz for the compatible variant).
    """
    return features(waveform, sampling_rate, config).astype(np.float32)


def features(
    waveform: NDArray[np.float32] | NDArray[np.float64], sampling_rate: int, config: Config
) -> NDArray[np.float64]:
    """The same as `extract`, in float64."""
    length = frames.samples(config.frame_length, sampling_rate)
    shift = frames.samples(config.frame_shift, sampling_rate)
    audio.require_samples(len(waveform), length, sampling_rate)
    if config.backend == "package":
        return _package(waveform.astype(np.float64), sampling_rate, length, shift, config.deltas)
    static = short_term_kernel.features(waveform, sampling_rate, length, shift, config.variant)
    if not config.deltas:
        return static
    return np.concatenate([static, np.diff(static, axis=0, prepend=static[:1])], axis=1)


def _package(
    signal: NDArray[np.float64], sampling_rate: int, length: int, shift: int, deltas: bool
) -> NDArray[np.float64]:
    try:
        from pyAudioAnalysis import ShortTermFeatures
    except ImportError as error:
        raise ImportError(
            f"backend 'package' needs pyAudioAnalysis and what it imports ({error}), "
            "run `pip install pyAudioAnalysis matplotlib tqdm scipy`"
        ) from error

    # The package expects 16-bit integers and divides by 32768; the product is exact.
    values, _ = ShortTermFeatures.feature_extraction(
        signal * 32768, sampling_rate, length, shift, deltas=deltas
    )
    return np.ascontiguousarray(values.T)


def feature_names(config: Config) -> list[str]:
    """The package's names in its order, then `delta ` of each where `deltas` is set."""
    names = ["zcr", "energy", "energy_entropy"]
    names += [f"spectral_{part}" for part in ("centroid", "spread", "entropy", "flux", "rolloff")]
    names += [f"mfcc_{i}" for i in range(1, 14)]
    names += [*(f"chroma_{i}" for i in range(1, 13)), "chroma_std"]
    return frames.names_with_deltas(names, int(config.deltas))


def timing(config: Config) -> FrameTiming:
    """The first frame begins at 0."""
    return FrameTiming(config.frame_length, config.frame_shift, config.frame_length / 2)
