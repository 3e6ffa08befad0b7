"""Mel-frequency cepstral coefficients with librosa's conventions.

Centred frames, Slaney's mel scale with unit-area filters, decibels (10 log10) floored
at 1e-10 and at `top_decibels` below the utterance's maximum, orthonormal cosine
transform of type II: librosa.feature.mfcc of librosa 0.11, after Davis and Mermelstein,
IEEE Trans. ASSP 28(4), 1980. Deltas are those of librosa.feature.delta: Savitzky-Golay
derivatives over nine frames.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline import audio
from pipeline.acoustic import _frames as frames
from pipeline.acoustic import _mel as mel
from pipeline.lookup import checked
from pipeline.schema import FrameTiming

DELTA_WIDTH = 9  # frames


@checked
class Config:
    """MFCCs; frame_length and frame_shift in seconds, sampling_rate and frequencies in
    Hz.

    `deltas` appends the first (1) or the first and second (2) derivatives over frames.
    `high_frequency` of None stands for half the sampling rate, `top_decibels` of None
    for no floor relative to the maximum. `backend: package` runs librosa itself.
    """

    sampling_rate: audio.SamplingRate = 16000
    frame_length: frames.Seconds = 0.025
    frame_shift: frames.Seconds = 0.010
    num_coefficients: int = Field(default=20, ge=1)
    num_mel_bins: int = Field(default=40, ge=1)
    window: frames.Window = "hamming"
    low_frequency: float = Field(default=0.0, ge=0)
    high_frequency: float | None = Field(default=None, gt=0)
    top_decibels: float | None = Field(default=80.0, ge=0)
    deltas: Literal[0, 1, 2] = 0
    backend: Literal["serflow", "package"] = "serflow"
    max_frames: int | None = Field(default=None, ge=1)

    def __post_init__(self) -> None:
        if self.num_coefficients > self.num_mel_bins:
            raise ValueError(
                f"num_coefficients = {self.num_coefficients}, expected at most num_mel_bins = "
                f"{self.num_mel_bins}"
            )
        frames.require_samples(self.frame_length, self.frame_shift, self.sampling_rate)
        mel.filters(*_filters(self, self.sampling_rate))


def _filters(config: Config, sampling_rate: int) -> tuple[Any, ...]:
    """What `mel.filters` makes the filters from."""
    low, high = config.low_frequency, config.high_frequency
    high = sampling_rate / 2 if high is None else high
    num_fft = mel.fft_length(frames.samples(config.frame_length, sampling_rate))
    return "librosa", config.num_mel_bins, num_fft, sampling_rate, low, high


def extract(
    waveform: NDArray[np.float32], sampling_rate: int, config: Config
) -> NDArray[np.float32]:
    """MFCCs of a waveform (num_samples,) in [-1, 1]: (num_frames, num_coefficients * (1
    + deltas)), in decibels.

    Computed in float64. Raises AudioError when the waveform is shorter than one
    frame, ValueError when a mel filter would lie between two FFT bins.
    """
    length = frames.samples(config.frame_length, sampling_rate)
    shift = frames.samples(config.frame_shift, sampling_rate)
    audio.require_samples(len(waveform), length, sampling_rate)
    if config.backend == "package":
        return _package(waveform, sampling_rate, config, length, shift)
    from scipy.fft import dct

    num_fft = mel.fft_length(length)
    energies = mel.mel_energies(
        mel.centred(waveform, length, num_fft, shift),
        frames.window(config.window, length, periodic=True),
        shift,
        num_fft,
        mel.sparse_filters(*_filters(config, sampling_rate)),
    )
    # Twice as fast as log10, and right to the same digit but one.
    decibels = np.log(np.maximum(energies, mel.LIBROSA_FLOOR)) * (10 / np.log(10))
    if config.top_decibels is not None:
        np.maximum(decibels, decibels.max() - config.top_decibels, out=decibels)
    static = dct(decibels, type=2, norm="ortho", axis=1)[:, : config.num_coefficients]
    parts = [static, *(savitzky_golay(static, order) for order in range(1, config.deltas + 1))]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _package(
    waveform: NDArray[np.float32], sampling_rate: int, config: Config, length: int, shift: int
) -> NDArray[np.float32]:
    """The same by librosa, slower: for whom its own numbers are asked for."""
    import librosa

    energies = librosa.feature.melspectrogram(
        y=waveform.astype(np.float64),
        sr=sampling_rate,
        n_fft=mel.fft_length(length),
        win_length=length,
        hop_length=shift,
        window=config.window,
        n_mels=config.num_mel_bins,
        fmin=config.low_frequency,
        fmax=config.high_frequency,
        dtype=np.float64,
    )
    decibels = librosa.power_to_db(energies, top_db=config.top_decibels)
    static = librosa.feature.mfcc(S=decibels, n_mfcc=config.num_coefficients)
    mode = "interp" if static.shape[1] >= DELTA_WIDTH else "nearest"
    parts = [static]
    for order in range(1, config.deltas + 1):
        parts.append(librosa.feature.delta(static, width=DELTA_WIDTH, order=order, mode=mode))
    return np.ascontiguousarray(np.concatenate(parts).T, dtype=np.float32)


def savitzky_golay(features: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """The derivative of that order of a polynomial of that order fitted to nine frames,
    of the features' shape.

    At the ends it is taken from the polynomial of the outermost nine frames, or, in
    utterances of fewer than nine frames, of the utterance with its first and last frame
    repeated.
    """
    from scipy.signal import savgol_filter

    mode = "interp" if len(features) >= DELTA_WIDTH else "nearest"
    return np.asarray(
        savgol_filter(features, DELTA_WIDTH, deriv=order, polyorder=order, axis=0, mode=mode)
    )


def feature_names(config: Config) -> list[str]:
    """`mfcc_1` .. (the first is the mean level), then `delta mfcc_1` .., then `delta
    delta mfcc_1` .. as configured.
    """
    names = [f"mfcc_{i}" for i in range(1, config.num_coefficients + 1)]
    return frames.names_with_deltas(names, config.deltas)


def timing(config: Config) -> FrameTiming:
    """The first frame is centred at 0."""
    return FrameTiming(config.frame_length, config.frame_shift, 0.0)
