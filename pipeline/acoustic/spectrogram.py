"""Short-time spectrum: 257 bins of 25 ms frames every 10 ms at 16 kHz, whole frames
only.

The frame is padded with zeros to the power of two at or above its length (400 samples
-> 512), so that bin k lies at k * sampling_rate / 512 Hz. The audio input of the row
CMA_spec.
"""

from typing import Literal

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
    """Short-time spectrum; frame_length and frame_shift in seconds, sampling_rate in
    Hz.

    `scale`: `magnitude` |DFT|, `power` |DFT|^2, or `log` ln max(|DFT|^2, 1e-10), of
    samples in [-1, 1].
    """

    sampling_rate: audio.SamplingRate = 16000
    frame_length: frames.Seconds = 0.025
    frame_shift: frames.Seconds = 0.010
    window: frames.Window = "hamming"
    scale: Literal["magnitude", "power", "log"] = "log"
    max_frames: int | None = Field(default=None, ge=1)

    def __post_init__(self) -> None:
        frames.require_samples(self.frame_length, self.frame_shift, self.sampling_rate)


def extract(
    waveform: NDArray[np.float32], sampling_rate: int, config: Config
) -> NDArray[np.float32]:
    """Spectrum of a waveform (num_samples,) in [-1, 1]: (num_frames, num_bins), 257
    bins for 25 ms at 16 kHz.

    Computed in float64, with a symmetric window. Raises AudioError when the waveform is
    shorter than one frame.
    """
    length = frames.samples(config.frame_length, sampling_rate)
    shift = frames.samples(config.frame_shift, sampling_rate)
    audio.require_samples(len(waveform), length, sampling_rate)
    num_fft = mel.fft_length(length)
    num_frames = frames.num_frames(len(waveform), length, shift)
    result = np.empty((num_frames, num_fft // 2 + 1), dtype=np.float32)
    for block, power in mel.powers(waveform, frames.window(config.window, length), shift, num_fft):
        if config.scale == "magnitude":
            np.sqrt(power, out=power)
        elif config.scale == "log":
            np.log(np.maximum(power, mel.LIBROSA_FLOOR, out=power), out=power)
        result[block] = power
    return result


def feature_names(config: Config) -> list[str]:
    """The frequency of each bin: `0 Hz`, `31.25 Hz`, .. `8000 Hz`."""
    num_fft = mel.fft_length(frames.samples(config.frame_length, config.sampling_rate))
    return [f"{k * config.sampling_rate / num_fft:.8g} Hz" for k in range(num_fft // 2 + 1)]


def timing(config: Config) -> FrameTiming:
    """The first frame begins at 0."""
    return FrameTiming(config.frame_length, config.frame_shift, config.frame_length / 2)
