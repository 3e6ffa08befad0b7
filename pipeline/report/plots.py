"""The figures the papers show, as PNG files: same data, same bytes; colours that
colour-blind readers tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.schema import WordSpan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008), darkest first so that the first few are legible as lines.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
MARKERS = "os^DvP*X"
DOTS_PER_INCH = 144


def confusion(path: Path, counts: NDArray[Any], classes: Sequence[str]) -> None:
    """Confusion matrix (CBLA figs. 7-8): counts (C, C), true classes down; shades are
    shares of the row.
    """
    total = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(total, 1)
    size = len(classes)
    with _style():
        figure = _figure(1.6 + 0.95 * size, 1.3 + 0.85 * size)
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row in range(size):
            for column in range(size):
                dark = shares[row, column] > 0.5
                colour = "white" if dark else "#222222"
                axes.text(
                    column,
                    row - 0.08,
                    f"{100 * shares[row, column]:.0f} %",
                    ha="center",
                    va="center",
                    color=colour,
                )
                axes.text(
                    column,
                    row + 0.24,
                    str(int(counts[row, column])),
                    ha="center",
                    va="center",
                    color=colour,
                    size=7,
                )
        axes.set_xticks(range(size), classes)
        axes.set_yticks(
            range(size),
            [f"{name}\n({int(n)})" for name, n in zip(classes, total[:, 0], strict=True)],
        )
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        _save(figure, path)


def curves(
    path: Path, histories: Mapping[str, Sequence[Mapping[str, float]]], chosen: Mapping[str, int]
) -> None:
    """Learning curves (PBA fig. 7): thin lines are folds, the thick one their mean,
    dots the chosen epochs.

    histories: rows with epoch, train_loss, valid_loss, valid_wa, valid_ua by fold name;
    chosen: epoch by fold name.
    """
    panels = (
        ("loss", (("train_loss", "training"), ("valid_loss", "validation"))),
        ("UA", (("valid_ua", "validation"),)),
    )
    with _style():
        figure = _figure(8.6, 3.4)
        for axes, (label, lines) in zip(figure.subplots(1, 2), panels, strict=True):
            for key, name in lines:
                colour = COLOURS[name == "validation"]
                for fold, history in histories.items():
                    epochs = [row["epoch"] for row in history]
                    values = [row[key] for row in history]
                    axes.plot(epochs, values, color=colour, alpha=0.28, linewidth=0.9)
                    if key == lines[-1][0] and fold in chosen:
                        at = epochs.index(chosen[fold])
                        axes.plot(epochs[at], values[at], "o", color=colour, markersize=4)
                longest = max(histories.values(), key=len)
                means = [
                    np.mean([history[i][key] for history in histories.values() if i < len(history)])
                    for i in range(len(longest))
                ]
                axes.plot(
                    [row["epoch"] for row in longest], means, color=colour, linewidth=2, label=name
                )
            axes.set_xlabel("epoch")
            axes.set_ylabel(label)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.legend()
        _save(figure, path)


def fold_bars(path: Path, rows: Sequence[Mapping[str, Any]], key: str = "ua") -> None:
    """One bar per fold (TSIN table I), mean over seeds; rings: best test epochs; line:
    mean over folds.
    """
    folds = sorted({row["fold"] for row in rows})
    means = [100 * np.mean([row[key] for row in rows if row["fold"] == fold]) for fold in folds]
    selected = [
        100 * np.mean([row[f"test_selected_{key}"] for row in rows if row["fold"] == fold])
        for fold in folds
    ]
    with _style():
        figure = _figure(max(4.6, 2 + 0.55 * len(folds)), 3.2)
        axes = figure.subplots()
        axes.bar(
            range(len(folds)), means, color=COLOURS[0], width=0.66, label="validation-selected"
        )
        axes.plot(
            range(len(folds)),
            selected,
            "o",
            mfc="none",
            mec="#777777",
            linestyle="none",
            label="test-selected",
        )
        mean = float(np.mean(means))
        axes.axhline(mean, color="#222222", linewidth=1, linestyle="--", label=f"mean {mean:.1f}")
        axes.set_xticks(range(len(folds)), [f"{fold:.0f}" for fold in folds])
        axes.set_xlabel("test fold")
        axes.set_ylabel(f"{key.upper()} (%)")
        axes.set_ylim(0, 100)
        axes.grid(axis="x", visible=False)
        _legend_above(axes, 3)
        _save(figure, path)


def tsne(
    path: Path, vectors: NDArray[Any], labels: Sequence[str], classes: Sequence[str], seed: int = 0
) -> None:
    """t-SNE of utterance vectors (num_utterances, dim), coloured by true class (FG-CME
    fig. 2, TSIN figs. 5-7).
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if len(vectors) < 5:
        raise ValueError(f"{len(vectors)} utterance vectors, expected at least 5 for t-SNE")
    perplexity = min(30.0, (len(vectors) - 1) / 4)
    reduction = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
    # One thread: sums do not change with the number of cores, and small sets are faster
    # so.
    with threadpool_limits(1):
        points = reduction.fit_transform(np.asarray(vectors, dtype=np.float32))
    with _style():
        figure = _figure(4.8, 4.6)
        axes = figure.subplots()
        for index, name in enumerate(classes):
            mine = np.array([label == name for label in labels])
            marker = MARKERS[index % len(MARKERS)]
            axes.scatter(
                points[mine, 0],
                points[mine, 1],
                s=14,
                color=COLOURS[index % len(COLOURS)],
                marker=marker,
                alpha=0.75,
                lw=0,
                label=name,
            )
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(True)
        _legend_above(axes, len(classes))
        _save(figure, path)


def class_bars(path: Path, scores: Mapping[str, Mapping[str, float]], label: str = "F1") -> None:
    """A group of bars per class, a bar per experiment (PBA fig. 8); scores in [0, 1] by
    experiment and class.
    """
    classes = list(next(iter(scores.values())))
    width = 0.8 / len(scores)
    with _style():
        figure = _figure(max(4.6, 2.2 + 0.28 * len(classes) * (len(scores) + 1)), 3.3)
        axes = figure.subplots()
        for index, (name, values) in enumerate(scores.items()):
            places = np.arange(len(classes)) + (index - (len(scores) - 1) / 2) * width
            heights = [100 * values[item] for item in classes]
            axes.bar(
                places, heights, width=0.92 * width, color=COLOURS[index % len(COLOURS)], label=name
            )
            if len(scores) <= 3:
                for place, height in zip(places, heights, strict=True):
                    axes.text(
                        place, height + 1, f"{height:.0f}", ha="center", size=7, color="#444444"
                    )
        axes.set_xticks(range(len(classes)), classes)
        axes.set_ylabel(f"{label} (%)")
        axes.set_ylim(0, 104)
        axes.grid(axis="x", visible=False)
        _legend_above(axes, min(3, len(scores)))
        _save(figure, path)


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
    lines = [name for name in ("zcr", "energy", "spectral_flux") if name in column]
    maps = {
        "MFCC": [
            column[f"mfcc_{i}"] for i in range(2, 14) if f"mfcc_{i}" in column
        ],  # the first is the level alone
        "chroma": [column[f"chroma_{i}"] for i in range(1, 13) if f"chroma_{i}" in column],
    }
    shown = [title for title, columns in maps.items() if columns]
    if not lines and not shown:
        raise ValueError(
            f"no short-term features in {list(names)[:5]}, expected zcr, energy, mfcc_2 and so on"
        )
    duration = len(waveform) / sampling_rate
    with _style():
        ratios = [1.0] * (1 + len(lines)) + [1.7] * len(shown)
        figure = _figure(7.2, 1.1 * sum(ratios) + 0.5)
        panels = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios, squeeze=False)[
            :, 0
        ]
        _waveform(panels[0], waveform, sampling_rate)
        times = (np.arange(len(features)) + 0.5) * shift
        for axes, name, colour in zip(panels[1:], lines, COLOURS, strict=False):
            axes.plot(times, features[:, column[name]], color=colour, linewidth=1.3)
            axes.set_ylabel(name.replace("spectral_", ""))
        for axes, title in zip(panels[1 + len(lines) :], shown, strict=True):
            image = features[:, maps[title]].T
            if (
                title == "MFCC"
            ):  # each coefficient in its own units: the low ones are far larger than the rest
                image = (image - image.mean(axis=1, keepdims=True)) / (
                    image.std(axis=1, keepdims=True) + 1e-9
                )
            span = float(np.abs(image).max()) or 1.0
            limits = (
                {"cmap": "RdBu_r", "vmin": -span, "vmax": span}
                if title == "MFCC"
                else {"cmap": "magma"}
            )
            first = 2 if title == "MFCC" else 1
            extent = (0.0, len(features) * shift, first - 0.5, first + len(image) - 0.5)
            axes.imshow(
                image,
                aspect="auto",
                origin="lower",
                interpolation="nearest",
                extent=extent,
                **limits,
            )
            axes.set_ylabel(title)
            axes.grid(visible=False)
        panels[-1].set_xlabel("time (s)")
        panels[-1].set_xlim(0, duration)
        figure.align_ylabels()
        _save(figure, path)


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
    with _style():
        figure = _figure(max(6.0, min(14.0, 2.4 * duration)), 3.8)
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
            height = 1.04 if index % 2 == 0 else 1.2
            middle = (span.start + span.end) / 2
            top.text(
                middle, height, _drawable(span), ha="center", transform=across, size=8, color=colour
            )
            for at in (span.start, span.end):
                bottom.axvline(at, color="white", linewidth=0.7, alpha=0.8)
        bottom.set_xlim(0, duration)
        figure.align_ylabels()
        _save(figure, path)


def comparison(path: Path, rows: Mapping[str, Mapping[str, float]], label: str = "UA") -> None:
    """Experiments beside each other: dot and 95 % interval (validation-selected), grey
    ring the test-selected figure.

    rows: value, low, high and perhaps test_selected, all in [0, 1], by experiment.
    """
    with _style():
        figure = _figure(6.4, 1.1 + 0.36 * len(rows))
        axes = figure.subplots()
        for height, values in enumerate(reversed(list(rows.values()))):
            axes.plot(
                [100 * values["low"], 100 * values["high"]],
                [height, height],
                color=COLOURS[0],
                linewidth=2.2,
            )
            axes.plot(100 * values["value"], height, "o", color=COLOURS[0], markersize=6)
            if "test_selected" in values:
                axes.plot(
                    100 * values["test_selected"],
                    height,
                    "o",
                    mfc="none",
                    mec="#777777",
                    markersize=6,
                )
        axes.set_yticks(range(len(rows)), list(reversed(list(rows))))
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel(f"{label} (%), 95 % interval; ring: best test epoch")
        _save(figure, path)


def _waveform(axes: Axes, waveform: NDArray[Any], sampling_rate: int) -> None:
    """Drawn as the range of short pieces: a line through every sample is slow and looks
    the same.
    """
    pieces = np.array_split(waveform, min(len(waveform), 1500))
    times = np.linspace(0, len(waveform) / sampling_rate, len(pieces))
    axes.fill_between(
        times,
        [piece.min() for piece in pieces],
        [piece.max() for piece in pieces],
        color="#444444",
        lw=0.4,
    )
    axes.set_ylabel("wave")
    axes.set_yticks([])


def _drawable(span: WordSpan) -> str:
    """The word, or its number where no installed font can draw it."""
    from matplotlib.font_manager import findfont, get_font

    fonts = [get_font(findfont(family)) for family in _families()]
    drawable = all(any(font.get_char_index(ord(letter)) for font in fonts) for letter in span.word)
    return span.word if drawable else str(span.word_index + 1)


def _families() -> list[str]:
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    chinese = (
        "Noto Sans CJK SC",
        "Noto Sans SC",
        "WenQuanYi Zen Hei",
        "Source Han Sans SC",
        "PingFang SC",
        "SimHei",
    )
    return ["DejaVu Sans", *[name for name in chinese if name in installed][:1]]


def _legend_above(axes: Axes, columns: int) -> None:
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns)


def _figure(width: float, height: float) -> Figure:
    """A figure of its own, width and height in inches: no window, no global list of
    figures.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _style() -> AbstractContextManager[None]:
    import matplotlib

    return matplotlib.rc_context(
        {
            **matplotlib.rcParamsDefault,
            "font.family": _families(),
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e4e4e4",
            "axes.edgecolor": "#888888",
            "legend.frameon": False,
        }
    )


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part.png")
    figure.savefig(temporary, dpi=DOTS_PER_INCH, metadata={"Software": None})
    temporary.replace(path)
