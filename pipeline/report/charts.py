"""The charts of an experiment's scores, each drawn from numbers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.lookup import ConfigurationError
from pipeline.report.drawing import COLOURS, GREY, INK, MARKERS, legend_above, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEIGHBOURS = 5  # t-SNE needs at least this many points
BARS = 8  # as many as there are colours; more experiments have a panel for each class


def confusion(path: Path, counts: NDArray[Any], classes: Sequence[str]) -> None:
    """Confusion matrix (CBLA figs. 7-8): counts (C, C), true classes down; shades are
    shares of each true class.
    """
    total = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(total, 1)
    size = len(classes)
    with sheet(path, 1.6 + 0.95 * size, 1.3 + 0.85 * size) as figure:
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > 0.5 else INK
            look: dict[str, Any] = {"ha": "center", "va": "center", "color": colour}
            axes.text(column, row - 0.08, f"{100 * share:.0f} %", **look)
            axes.text(column, row + 0.24, str(int(counts[row, column])), size=7, **look)
        names = [f"{name}\n({int(n)})" for name, n in zip(classes, total[:, 0], strict=True)]
        axes.set_xticks(range(size), classes)
        axes.set_yticks(range(size), names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)


def curves(
    path: Path, histories: Mapping[str, Sequence[Mapping[str, float]]], chosen: Mapping[str, int]
) -> None:
    """Learning curves (PBA fig. 7): thin lines are folds, the thick one their mean,
    dots the chosen epochs.

    histories: rows with epoch, train_loss, valid_loss, valid_wa, valid_ua by fold name,
    the last three only where there is validation; chosen: epoch by fold name.
    """
    panels: list[tuple[str, list[tuple[str, str]]]] = [
        ("loss", [("train_loss", "training"), ("valid_loss", "validation")]),
        ("UA", [("valid_ua", "validation")]),
    ]
    longest = max(histories.values(), key=len)
    if "valid_loss" not in longest[0]:
        panels = [("loss, no validation", [("train_loss", "training")])]
    with sheet(path, 4.3 * len(panels), 3.4) as figure:
        drawn = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (label, lines) in zip(drawn, panels, strict=True):
            for key, name in lines:
                colour = COLOURS[name == "validation"]
                for fold, history in histories.items():
                    epochs = [row["epoch"] for row in history]
                    values = [row[key] for row in history]
                    axes.plot(epochs, values, color=colour, alpha=0.28, linewidth=0.9)
                    if key == lines[-1][0] and fold in chosen:
                        at = epochs.index(chosen[fold])
                        axes.plot(epochs[at], values[at], "o", color=colour, markersize=4)
                means = [
                    np.mean([history[i][key] for history in histories.values() if i < len(history)])
                    for i in range(len(longest))
                ]
                epochs = [row["epoch"] for row in longest]
                axes.plot(epochs, means, color=colour, linewidth=2, label=name)
            axes.set_xlabel("epoch")
            axes.set_ylabel(label)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.legend()


def fold_bars(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """One bar per fold (TSIN table I), mean over seeds; rings: best test epochs; line:
    mean over folds.
    """
    folds = sorted({row["fold"] for row in rows})
    means, selected = (
        [100 * np.mean([row[key] for row in rows if row["fold"] == fold]) for fold in folds]
        for key in ("ua", "test_selected_ua")
    )
    mean = float(np.mean(means))
    places = range(len(folds))
    with sheet(path, max(4.6, 2 + 0.55 * len(folds)), 3.2) as figure:
        axes = figure.subplots()
        axes.bar(places, means, color=COLOURS[0], width=0.66, label="headline")
        axes.plot(places, selected, "o", mfc="none", mec=GREY, label="best test epoch")
        axes.axhline(mean, color=INK, linewidth=1, linestyle="--", label=f"mean {mean:.1f}")
        axes.set_xticks(places, [f"{fold:.0f}" for fold in folds])
        axes.set_xlabel("test fold")
        axes.set_ylabel("UA (%)")
        axes.set_ylim(0, 100)
        axes.grid(axis="x", visible=False)
        legend_above(axes, 3)


def tsne(
    path: Path, vectors: NDArray[Any], labels: Sequence[str], classes: Sequence[str], seed: int = 0
) -> None:
    """t-SNE of utterance vectors (num_utterances, dim), coloured by true class."""
    points = tsne_points(vectors, seed)
    with sheet(path, 4.8, 4.6) as figure:
        axes = figure.subplots()
        scatter(axes, points, labels, classes)
        legend_above(axes, len(classes))


def tsne_points(vectors: NDArray[Any], seed: int = 0) -> NDArray[np.float32]:
    """Utterance vectors (num_utterances, dim) in the plane, (num_utterances, 2)."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if len(vectors) < NEIGHBOURS:
        raise ConfigurationError(
            f"t-SNE needs {NEIGHBOURS} test utterances, the first fold has {len(vectors)}"
        )
    perplexity = min(30.0, (len(vectors) - 1) / 4)
    reduction = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
    # One thread: sums do not change with the number of cores, small sets are faster.
    with threadpool_limits(1):
        return np.asarray(reduction.fit_transform(np.asarray(vectors, dtype=np.float32)))


def scatter(
    axes: Axes, points: NDArray[Any], labels: Sequence[str], classes: Sequence[str]
) -> None:
    """Points (num_utterances, 2) in the colour and the shape of their class."""
    for index, name in enumerate(classes):
        mine = points[np.array([label == name for label in labels])]
        look: dict[str, Any] = {
            "color": COLOURS[index % len(COLOURS)],
            "marker": MARKERS[index % len(MARKERS)],
            "label": name,
        }
        axes.scatter(mine[:, 0], mine[:, 1], s=14, alpha=0.75, lw=0, **look)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)


def class_bars(path: Path, scores: Mapping[str, Mapping[str, float]], label: str = "F1") -> None:
    """The score of each class by experiment (PBA fig. 8), in [0, 1].

    Up to eight experiments stand in a group of bars for each class; more have a line
    each, in a panel for each class.
    """
    if len(scores) > BARS:
        _class_panels(path, scores, label)
        return
    classes = list(next(iter(scores.values())))
    width = 0.8 / len(scores)
    with sheet(path, max(4.6, 2.2 + 0.28 * len(classes) * (len(scores) + 1)), 3.3) as figure:
        axes = figure.subplots()
        for index, (name, values) in enumerate(scores.items()):
            places = np.arange(len(classes)) + (index - (len(scores) - 1) / 2) * width
            heights = [100 * values[item] for item in classes]
            axes.bar(places, heights, width=0.92 * width, color=COLOURS[index], label=name)
            if len(scores) <= 3:
                for place, height in zip(places, heights, strict=True):
                    text = f"{height:.0f}"
                    axes.text(place, height + 1, text, ha="center", size=7, color="#444444")
        axes.set_xticks(range(len(classes)), classes)
        axes.set_ylabel(f"{label} (%)")
        axes.set_ylim(0, 104)
        axes.grid(axis="x", visible=False)
        legend_above(axes, min(3, len(scores)))


def comparison(path: Path, rows: Mapping[str, Mapping[str, float]]) -> None:
    """UA of each experiment: dot and 95 % interval (the headline), grey ring the best
    test epoch.

    rows: value, low, high and test_selected, all in [0, 1], by experiment.
    """
    with sheet(path, 6.4, 1.1 + 0.36 * len(rows)) as figure:
        axes = figure.subplots()
        for height, values in enumerate(reversed(list(rows.values()))):
            value, low, high, selected = (
                100 * values[key] for key in ("value", "low", "high", "test_selected")
            )
            axes.plot([low, high], [height, height], color=COLOURS[0], linewidth=2.2)
            axes.plot(value, height, "o", color=COLOURS[0], markersize=6)
            axes.plot(selected, height, "o", mfc="none", mec=GREY, markersize=6)
        axes.set_yticks(range(len(rows)), list(reversed(list(rows))))
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel("UA (%), 95 % interval; ring: best test epoch")


def reliability(path: Path, tenths: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """The share that is right by the probability of the answer (Guo et al. 2017, fig.
    1), for each list of tenths from `calibration.reliability`; larger dots are more
    utterances.
    """
    names = {"stated": "as stated", "softened": "with validation's temperature"}
    with sheet(path, 4.6, 4.0) as figure:
        axes = figure.subplots()
        axes.plot([0, 100], [0, 100], color=GREY, linewidth=1, linestyle="--")
        for number, (key, points) in enumerate(tenths.items()):
            look: dict[str, Any] = {"color": COLOURS[number], "marker": MARKERS[number]}
            said, right = ([100 * point[name] for point in points] for name in ("said", "right"))
            total = sum(point["n"] for point in points)
            axes.plot(said, right, color=COLOURS[number], linewidth=1.2)
            sizes = [12 + 240 * point["n"] / total for point in points]
            axes.scatter(said, right, s=sizes, alpha=0.8, label=names[key], **look)
        axes.set_xlabel("probability of the answer (%)")
        axes.set_ylabel("right (%)")
        axes.set_xlim(0, 103)
        axes.set_ylim(0, 103)
        legend_above(axes, len(tenths))


def _class_panels(path: Path, scores: Mapping[str, Mapping[str, float]], label: str) -> None:
    classes = list(next(iter(scores.values())))
    lines = range(len(scores))
    with sheet(path, 2.2 + 1.5 * len(classes), 0.9 + 0.24 * len(scores)) as figure:
        panels = figure.subplots(1, len(classes), sharey=True, squeeze=False)[0]
        for axes, name in zip(panels, classes, strict=True):
            values = [100 * each[name] for each in scores.values()]
            axes.barh(lines, values, height=0.7, color=COLOURS[0])
            for line, value in zip(lines, values, strict=True):
                axes.text(value + 2, line, f"{value:.0f}", va="center", size=7, color="#444444")
            axes.set_title(name, size=9)
            axes.set_xlim(0, 112)
            axes.set_xticks([0, 50, 100])
            axes.grid(axis="y", visible=False)
            axes.set_xlabel(f"{label} (%)")
        panels[0].set_yticks(lines, list(scores))
        panels[0].set_ylim(len(scores) - 0.4, -0.6)
