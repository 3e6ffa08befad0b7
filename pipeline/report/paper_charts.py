"""The kinds of chart that the papers' figures are, each drawn from numbers alone; wide
enough for a column, with one legend above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from pipeline.report.charts import scatter
from pipeline.report.drawing import COLOURS, GREY, INK, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = Mapping[str, Sequence[float | None]]
PUBLISHED = "published"
SUBSETS = {"train": "--", "valid": "-"}  # lines of the two
DARK = 3  # so many of the colours, the first ones, need white letters
COLUMN = 5.4  # inches: half of it is legible at the width of a printed column


def grouped_bars(
    path: Path,
    groups: Sequence[str],
    bars: Values,
    published: Values,
    published_label: str,
    label: str,
    title: str,
) -> None:
    """Bars in percent, one of each colour in every group, with the published value as a
    stroke over its bar.
    """
    panels = {"": (groups, bars, published)}
    bar_panels(path, panels, published_label, label, title, width=COLUMN)


def bar_panels(
    path: Path,
    panels: Mapping[str, tuple[Sequence[str], Values, Values]],
    published_label: str,
    label: str,
    title: str,
    width: float = COLUMN,
) -> None:
    """Groups of bars as `grouped_bars` draws them, one panel under the other, by their
    titles.
    """
    with sheet(path, width, 0.75 + 2.1 * len(panels)) as figure:
        rows = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axes, (name, (groups, bars, published)) in zip(rows, panels.items(), strict=True):
            _bars(axes, groups, bars, published, published_label)
            axes.set_ylabel(label)
            axes.set_title(name, size=9, loc="left")
        _head(figure, title)


def tsne_panels(
    path: Path,
    panels: Mapping[str, tuple[NDArray[Any], Sequence[str]]],
    classes: Sequence[str],
    title: str,
) -> None:
    """t-SNE points (num_utterances, 2) and their classes by panel, two in a row, four
    as a square.
    """
    columns = len(panels) if len(panels) < 4 else 2
    rows = -(-len(panels) // columns)
    with sheet(path, 0.2 + 2.4 * columns, 0.75 + 2.4 * rows) as figure:
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (name, (points, labels)) in zip(grid, panels.items(), strict=False):
            scatter(axes, points, labels, classes)
            axes.set_title(name, size=9)
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        _head(figure, title)


def training_curves(
    path: Path, curves: Mapping[str, Mapping[str, Sequence[float]]], title: str
) -> None:
    """Accuracy and loss by epoch: a colour for each system, dashed in training, solid
    in validation.

    curves: by system, any of train_wa, valid_wa (in [0, 1]), train_loss, valid_loss.
    """
    with sheet(path, COLUMN, 3.1) as figure:
        for axes, measure in zip(figure.subplots(1, 2), ("wa", "loss"), strict=True):
            scale = 100 if measure == "wa" else 1
            for (system, own), colour in zip(curves.items(), COLOURS, strict=False):
                axes.plot([], [], color=colour, linewidth=4, label=system)
                for subset, line in SUBSETS.items():
                    values = [scale * value for value in own.get(f"{subset}_{measure}", ())]
                    epochs = range(1, len(values) + 1)
                    axes.plot(epochs, values, color=colour, linestyle=line, linewidth=1.3)
            for name, line in zip(("training", "validation"), SUBSETS.values(), strict=True):
                axes.plot([], [], color=GREY, linestyle=line, label=name)
            axes.set_xlabel("epoch")
            axes.set_ylabel("accuracy (%)" if measure == "wa" else "loss (cross entropy)")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.set_ylim(bottom=0)
        _head(figure, title)


def _bars(
    axes: Axes, groups: Sequence[str], bars: Values, published: Values, published_label: str
) -> None:
    width = min(0.28, 0.84 / len(bars))
    numbered = len(groups) * len(bars) <= 20
    for index, (name, values) in enumerate(bars.items()):
        for group, value in enumerate(values):
            place = group + (index - (len(bars) - 1) / 2) * width
            stated = published[name][group] if name in published else None
            if value is not None:
                label = name if group == _first(values) else "_"
                axes.bar(place, value, 0.92 * width, color=COLOURS[index], label=label)
            if stated is not None:
                ends = [place - 0.46 * width, place + 0.46 * width]
                axes.plot(ends, [stated] * 2, color=INK, linewidth=1.6, label=published_label)
            if numbered and value is not None:
                # At the foot of the bar, where no stroke crosses it; over a short one.
                inside = value > 12
                look: dict[str, Any] = {"ha": "center", "size": 7}
                look["color"] = "white" if inside and index < DARK else INK
                axes.text(place, 2 if inside else value + 2, f"{value:.0f}", **look)
    axes.set_xticks(range(len(groups)), groups)
    # As wide as three groups at least: one group's bars would fill the panel.
    middle, half = (len(groups) - 1) / 2, max(len(groups), 3) / 2 + 0.1
    axes.set_xlim(middle - half, middle + half)
    axes.set_ylim(0, 108)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.grid(axis="x", visible=False)


def _first(values: Sequence[float | None]) -> int:
    return next(place for place, value in enumerate(values) if value is not None)


def _head(figure: Figure, title: str) -> None:
    """One legend for all panels, above them, and the title over it."""
    known: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            known.setdefault(name, handle)
    names = sorted(known, key=lambda name: name.startswith(PUBLISHED))
    room = figure.get_figwidth() - 0.3
    columns = next(n for n in range(len(names), 0, -1) if n == 1 or _width(names, n) < room)
    # A legend is filled column by column; names shall be read along the rows.
    order = [place for column in range(columns) for place in range(column, len(names), columns)]
    figure.legend(
        [known[names[place]] for place in order],
        [names[place] for place in order],
        loc="outside upper center",
        ncols=columns,
        fontsize=8,
        title=title,
        title_fontsize=10,
        handlelength=1.4,
        columnspacing=1.2,
    )


def _width(names: Sequence[str], columns: int) -> float:
    """Inches that a legend of so many columns takes, about."""
    return sum(0.5 + 0.07 * max(map(len, names[place::columns])) for place in range(columns))
