"""The samples themselves, for networks that learn their own filters: 160000 of them (10
s at 16 kHz) at most.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline import audio
from pipeline.lookup import checked
from pipeline.schema import FrameTiming

UNIT = "sample"  # a row is a sample, not a frame


@checked
class Config:
    """Raw samples at `sampling_rate` Hz; a frame is one sample, so that `max_frames`
    counts samples.
    """

    sampling_rate: audio.SamplingRate = 16000
    max_frames: int | None = Field(default=160000, ge=1)


def extract(
    waveform: NDArray[np.float32], sampling_rate: int, config: Config
) -> NDArray[np.float32]:
    """A waveform (num_samples,) in [-1, 1] as (num_samples, 1). Raises AudioError when
    it is empty.
    """
    audio.require_samples(len(waveform), 1, sampling_rate)
    return np.array(waveform, dtype=np.float32)[:, None]


def feature_names(config: Config) -> list[str]:
    """One column, `sample`."""
    return ["sample"]


def timing(config: Config) -> FrameTiming:
    """A sample stands for the time from its own to the next one's beginning."""
    return FrameTiming(
        1 / config.sampling_rate, 1 / config.sampling_rate, 0.5 / config.sampling_rate
    )
