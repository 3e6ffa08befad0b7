"""Draws docs/short_term_corrected.png: what the variant `corrected` of the short-term
features mends.

    python benchmarks/short_term_figure.py [FILE.png]

Above: where each mel filter listens against where it is drawn, and the filters' sum
over frequency, 25 ms at 16 kHz. Below: the chroma features of a chromatic scale of pure
tones from A3 (220 Hz) to A5, 0.5 s each, 200/100 ms frames.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.acoustic import _short_term_tables as short_term_tables
from pipeline.acoustic import short_term

ROOT = Path(__file__).resolve().parent.parent
RATE = 16000
NOTES = ["A", "A#", "B", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#"]
COLOURS = {"compatible": "#b5482f", "corrected": "#1f6f8b"}


def main() -> None:
    """Writes the figure to the given file, docs/short_term_corrected.png by default."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "short_term_corrected.png"
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    axes = figure.subplots(2, 2)
    for variant in ("compatible", "corrected"):
        draw_filters(axes[0, 0], axes[0, 1], variant)
    axes[0, 0].set(
        xlabel="filter's centre as drawn (Hz)",
        ylabel="frequency it listens to (Hz)",
        title="Mel filters",
    )
    axes[0, 1].set(
        xlabel="frequency (Hz)",
        ylabel="sum of the filters' weights",
        title="What the 40 filters hear",
    )
    for axis in axes[0]:
        axis.legend(frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    for axis, variant in zip(axes[1], ("compatible", "corrected"), strict=True):
        draw_scale(axis, variant)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Without the date and version that matplotlib adds, the same figure gives the same
    # file.
    figure.savefig(target, dpi=110, metadata={"Software": None})
    print(target)


def draw_filters(peaks: Axes, total: Axes, variant: short_term_tables.Variant) -> None:
    """The frequency of each filter's largest weight, from 0.2 s frames, and the summed
    weights of 25 ms frames.
    """
    drawn = short_term_tables.mel_filters(RATE, 1600, "corrected").argmax(axis=0) * RATE / 3200
    heard = short_term_tables.mel_filters(RATE, 1600, variant).argmax(axis=0) * RATE / 3200
    peaks.plot(
        drawn, heard, "o-", markersize=3.5, linewidth=1, color=COLOURS[variant], label=variant
    )
    weights = short_term_tables.mel_filters(RATE, 200, variant).sum(axis=1)
    total.plot(
        np.arange(200) * RATE / 400, weights, color=COLOURS[variant], linewidth=1.2, label=variant
    )


def draw_scale(axis: Axes, variant: short_term_tables.Variant) -> None:
    """Chroma of the scale, each frame divided by its largest class; the notes that
    sound as white dots.
    """
    pitches = 220 * 2 ** (np.arange(25) / 12)
    waveform = np.concatenate(
        [0.5 * np.sin(2 * np.pi * f * np.arange(RATE // 2) / RATE) for f in pitches]
    )
    config = short_term.Config(variant=variant, frame_length=0.2, frame_shift=0.1)
    chroma = short_term.features(waveform.astype(np.float32), RATE, config)[:, 21:33]
    timing = short_term.timing(config)
    centres = timing.first_center + np.arange(len(chroma)) * timing.frame_shift
    shown = chroma / np.maximum(chroma.max(axis=1, keepdims=True), 1e-12)
    axis.pcolormesh(centres, np.arange(12), shown.T, cmap="viridis", shading="nearest")
    sounding = (centres // 0.5).clip(max=24).astype(int) % 12
    axis.scatter(centres, sounding, s=3, color="white", label="note that sounds")
    starts = centres - timing.frame_length / 2
    inside = starts % 0.5 < 0.5 - timing.frame_length + 1e-9  # frames over one note only
    right = np.mean(shown.argmax(axis=1)[inside] == sounding[inside])
    axis.set(xlabel="time (s)", yticks=range(12), yticklabels=NOTES)
    axis.set_title(f"Chroma, {variant}: the note is named in {right:.0%} of frames")


if __name__ == "__main__":
    main()
