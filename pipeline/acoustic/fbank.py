"""Log mel filterbank energies, with Kaldi's or librosa's conventions.

`kaldi` (the default): whole frames only, mean removed and pre-emphasis 0.97 inside each
frame, 1127 ln(1 + f / 700) from 20 Hz to the Nyquist frequency, natural log floored at
the float32 epsilon, samples on the scale of 16-bit integers; what `compute-fbank-feats
--dither=0` and kaldi-native-fbank compute. `librosa`: centred frames, no pre-emphasis,
Slaney's mel scale with unit-area filters, natural log floored at 1e-10, samples in [-1,
1]: log(max(librosa.feature.melspectrogram(...), 1e-10)).
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


@checked
class Config:
    """Log mel filterbank; frame_length and frame_shift in seconds, sampling_rate and
    frequencies in Hz.

    `low_frequency` and `preemphasis` of None stand for the convention's own (kaldi 20
    Hz and 0.97, librosa 0 Hz and 0); `high_frequency` of None for half the sampling
    rate; `sample_scale`, by which samples in [-1, 1] are multiplied, for the
    convention's own (kaldi 32768, librosa 1). `differences` appends that many orders of
    deltas (regression over two frames to each side).
    """

    sampling_rate: audio.SamplingRate = 16000
    frame_length: frames.Seconds = 0.025
    frame_shift: frames.Seconds = 0.010
    num_mel_bins: int = Field(default=40, ge=1)
    window: frames.Window = "hamming"
    convention: Literal["kaldi", "librosa"] = "kaldi"
    low_frequency: float | None = Field(default=None, ge=0)
    high_frequency: float | None = Field(default=None, gt=0)
    preemphasis: float | None = Field(default=None, ge=0, lt=1)
    sample_scale: float | None = Field(default=None, gt=0)
    differences: Literal[0, 1, 2] = 0
    max_frames: int | None = Field(default=None, ge=1)

    def __post_init__(self) -> None:
        frames.require_samples(self.frame_length, self.frame_shift, self.sampling_rate)
        mel.filters(*_filters(self, self.sampling_rate))


def _filters(config: Config, sampling_rate: int) -> tuple[Any, ...]:
    """What `mel.filters` makes the filters from."""
    low, high = config.low_frequency, config.high_frequency
    if low is None:
        low = 20.0 if config.convention == "kaldi" else 0.0
    num_fft = mel.fft_length(frames.samples(config.frame_length, sampling_rate))
    high = sampling_rate / 2 if high is None else high
    return config.convention, config.num_mel_bins, num_fft, sampling_rate, low, high


def extract(
    waveform: NDArray[np.float32], sampling_rate: int, config: Config
) -> NDArray[np.float32]:
    """Natural-log mel energies of a waveform (num_samples,) in [-1, 1].

    Returns (num_frames, num_mel_bins * (1 + differences)), computed in float64. Raises
    AudioError when the waveform is shorter than one frame, ValueError when a mel filter
    would lie between two FFT bins.
    """
    length = frames.samples(config.frame_length, sampling_rate)
    shift = frames.samples(config.frame_shift, sampling_rate)
    audio.require_samples(len(waveform), length, sampling_rate)
    kaldi, num_fft = config.convention == "kaldi", mel.fft_length(length)
    preemphasis = config.preemphasis if config.preemphasis is not None else (0.97 if kaldi else 0.0)
    scale = config.sample_scale if config.sample_scale is not None else (32768 if kaldi else 1)
    energies = mel.mel_energies(
        waveform if kaldi else mel.centred(waveform, length, num_fft, shift),
        frames.window(config.window, length, periodic=not kaldi),
        shift,
        num_fft,
        mel.sparse_filters(*_filters(config, sampling_rate)),
        scale=scale,
        preemphasis=preemphasis,
        remove_mean=kaldi,
    )
    np.maximum(energies, mel.KALDI_FLOOR if kaldi else mel.LIBROSA_FLOOR, out=energies)
    np.log(energies, out=energies)
    return np.ascontiguousarray(frames.with_deltas(energies, config.differences), np.float32)


def feature_names(config: Config) -> list[str]:
    """`mel_1` .. `mel_40`, then `delta mel_1` .., then `delta delta mel_1` .. as
    configured.
    """
    names = [f"mel_{i}" for i in range(1, config.num_mel_bins + 1)]
    return frames.names_with_deltas(names, config.differences)


def timing(config: Config) -> FrameTiming:
    """Kaldi's first frame begins at 0, librosa's is centred there."""
    first = config.frame_length / 2 if config.convention == "kaldi" else 0.0
    return FrameTiming(config.frame_length, config.frame_shift, first)
