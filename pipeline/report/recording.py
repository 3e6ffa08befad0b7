"""Pictures of one recording: the spans of its words, its short-term features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.report.drawing import COLOURS, families, sheet
from pipeline.schema import WordSpan

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The first MFCC is the level alone, and is left out.
IMAGES = {
    "MFCC": [f"mfcc_{number}" for number in range(2, 14)],
    "chroma": [f"chroma_{number}" for number in range(1, 13)],
}


def feature_curves(
    path: Path,
    waveform: NDArray[Any],
    sampling_rate: int,
    features: NDArray[Any],
    names: Sequence[str],
    shift: float,
) -> None:
    """Short-term features of one utterance (CBLA's features): waveform, zcr, energy,
    flux, MFCC and chroma over time.

    waveform: (num_samples,); features: (num_frames, len(names)) as `short_term`
    extracts them; shift: seconds between frames.
    """
    column = {name: index for index, name in enumerate(names)}
    lines = ("zcr", "energy", "spectral_flux")
    ratios = [1.0] * (1 + len(lines)) + [1.7] * len(IMAGES)
    with sheet(path, 7.2, 1.1 * sum(ratios) + 0.5) as figure:
        panels = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
        _waveform(panels[0], waveform, sampling_rate)
        times = (np.arange(len(features)) + 0.5) * shift
        for axes, name, colour in zip(panels[1:], lines, COLOURS, strict=False):
            axes.plot(times, features[:, column[name]], color=colour, linewidth=1.3)
            axes.set_ylabel(name.replace("spectral_", ""))
        for axes, (title, rows) in zip(panels[1 + len(lines) :], IMAGES.items(), strict=True):
            image = features[:, [column[name] for name in rows]].T
            look: dict[str, Any] = {"cmap": "magma"}
            if title == "MFCC":
                # Each coefficient in its own units: the low ones are far larger.
                image = (image - image.mean(axis=1, keepdims=True)) / (
                    image.std(axis=1, keepdims=True) + 1e-9
                )
                span = float(np.abs(image).max()) or 1.0
                look = {"cmap": "RdBu_r", "vmin": -span, "vmax": span}
            first = int(rows[0].split("_")[1])
            extent = (0.0, len(features) * shift, first - 0.5, first + len(image) - 0.5)
            axes.imshow(
                image, aspect="auto", origin="lower", interpolation="nearest", extent=extent, **look
            )
            axes.set_ylabel(title)
            axes.grid(visible=False)
        panels[-1].set_xlabel("time (s)")
        panels[-1].set_xlim(0, len(waveform) / sampling_rate)
        figure.align_ylabels()


def alignment(
    path: Path, waveform: NDArray[Any], sampling_rate: int, spans: Sequence[WordSpan]
) -> None:
    """Waveform (num_samples,) and spectrogram of one utterance with the spans of its
    words.
    """
    from matplotlib.transforms import blended_transform_factory
    from scipy.signal import spectrogram

    length = max(16, min(len(waveform), round(0.025 * sampling_rate)))
    frequencies, times, power = spectrogram(
        waveform,
        sampling_rate,
        "hann",
        nperseg=length,
        noverlap=round(0.6 * length),
        nfft=max(512, length),
    )
    level = 10 * np.log10(power + 1e-12)
    duration = len(waveform) / sampling_rate
    with sheet(path, max(6.0, min(14.0, 2.4 * duration)), 3.8) as figure:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.6))
        _waveform(top, waveform, sampling_rate)
        bottom.pcolormesh(
            times,
            frequencies / 1000,
            level,
            cmap="magma",
            vmin=level.max() - 70,
            vmax=level.max(),
            rasterized=True,
        )
        bottom.set_ylabel("kHz")
        bottom.set_xlabel("time (s)")
        bottom.grid(visible=False)
        across = blended_transform_factory(top.transData, top.transAxes)
        for index, span in enumerate(spans):
            colour = COLOURS[index % 2]
            top.axvspan(span.start, span.end, color=colour, alpha=0.16, lw=0)
            # Two heights: neighbouring short words would print over each other.
            look = {"ha": "center", "transform": across, "size": 8, "color": colour}
            height = 1.04 if index % 2 == 0 else 1.2
            top.text((span.start + span.end) / 2, height, _drawable(span), **look)
            for at in (span.start, span.end):
                bottom.axvline(at, color="white", linewidth=0.7, alpha=0.8)
        bottom.set_xlim(0, duration)
        figure.align_ylabels()


def _waveform(axes: Axes, waveform: NDArray[Any], sampling_rate: int) -> None:
    """Drawn as the range of short pieces: a line through every sample is slow and looks
    the same.
    """
    pieces = np.array_split(waveform, min(len(waveform), 1500))
    times = np.linspace(0, len(waveform) / sampling_rate, len(pieces))
    lowest, highest = [piece.min() for piece in pieces], [piece.max() for piece in pieces]
    axes.fill_between(times, lowest, highest, color="#444444", lw=0.4)
    axes.set_ylabel("wave")
    axes.set_yticks([])


def _drawable(span: WordSpan) -> str:
    """The word, or its number where no installed font can draw it."""
    from matplotlib.font_manager import findfont, get_font

    fonts = [get_font(findfont(family)) for family in families()]
    drawable = all(any(font.get_char_index(ord(letter)) for font in fonts) for letter in span.word)
    return span.word if drawable else str(span.word_index + 1)
