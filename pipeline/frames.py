"""Framing, windows, deltas, and where each frame lies in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FrameTiming:
    """Where frames lie, in seconds: frame i is centred at first_center + i * frame_shift.

    A frame_shift of 0 says that one row describes the whole utterance.
    """

    frame_length: float
    frame_shift: float
    first_center: float
