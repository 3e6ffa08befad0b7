"""eGeMAPS version 02 through openSMILE: 88 functionals of an utterance, or its 25
low-level descriptors per frame.

Eyben et al., "The Geneva minimalistic acoustic parameter set (GeMAPS) for voice
research and affective computing", IEEE Trans. Affective Computing 7(2), 2016. openSMILE
is free for research; its licence asks companies to buy one.
"""

import warnings
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline import audio
from pipeline.lookup import checked
from pipeline.schema import FrameTiming

Level = Literal["functionals", "low_level_descriptors"]
LONGEST_FRAME = 0.060  # seconds: the pitch frame; openSMILE gives nothing for less
FRAME_LENGTH, FRAME_SHIFT = (
    0.020,
    0.010,
)  # seconds: all but the pitch frame, which begins at the same time


@checked
class Config:
    """eGeMAPS; sampling_rate in Hz, frame lengths are the set's own (20 ms, pitch 60
    ms, every 10 ms).
    """

    sampling_rate: audio.SamplingRate = 16000
    level: Level = "functionals"
    max_frames: int | None = Field(default=None, ge=1)


def extract(
    waveform: NDArray[np.float32], sampling_rate: int, config: Config
) -> NDArray[np.float32]:
    """eGeMAPS of a waveform (num_samples,) in [-1, 1]: (1, 88) functionals or
    (num_frames, 25) descriptors.

    Raises AudioError when the waveform is shorter than 60 ms or openSMILE finds no
    finite value for a feature.
    """
    audio.require_samples(len(waveform), int(np.ceil(LONGEST_FRAME * sampling_rate)), sampling_rate)
    with warnings.catch_warnings():
        # It warns and fills with NaN where a segment is too short for it, which is
        # raised below.
        warnings.filterwarnings("ignore", message="Segment too short")
        table = _smile(config.level).process_signal(waveform, sampling_rate)
    features = table.to_numpy(dtype=np.float32)
    if not np.isfinite(features).all():
        bad = [
            name
            for name, good in zip(table.columns, np.isfinite(features).all(axis=0), strict=True)
            if not good
        ]
        raise audio.AudioError(
            "egemaps not finite", f"{', '.join(bad[:3])} .. ({len(bad)}), expected finite values"
        )
    return np.ascontiguousarray(features)


@lru_cache(maxsize=2)
def _smile(level: Level) -> Any:
    try:
        import opensmile
    except ImportError as error:
        raise ImportError(
            "acoustic feature 'egemaps' needs opensmile, expected `pip install 'serflow[egemaps]'`"
        ) from error

    levels = opensmile.FeatureLevel
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=levels.Functionals if level == "functionals" else levels.LowLevelDescriptors,
    )


def feature_names(config: Config) -> list[str]:
    """openSMILE's own names, e.g. `F0semitoneFrom27.5Hz_sma3nz_amean`."""
    return [str(name) for name in _smile(config.level).feature_names]


def timing(config: Config) -> FrameTiming:
    """Functionals describe the whole utterance; the descriptors' first frame begins at
    0.
    """
    if config.level == "functionals":
        return FrameTiming(0.0, 0.0, 0.0)
    return FrameTiming(FRAME_LENGTH, FRAME_SHIFT, FRAME_LENGTH / 2)
