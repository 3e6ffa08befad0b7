"""Small drawings as inline SVG; colours are the page's own (style.css), so that they
follow light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape


def interval(
    value: float, low: float, high: float, other: float, bounds: tuple[float, float]
) -> str:
    """Dot and 95 % interval of a score, and a ring for the test-selected one; all in
    [0, 1], drawn within `bounds`.
    """
    width, height = 180, 18

    def x(share: float) -> float:
        return 6 + (width - 12) * (share - bounds[0]) / max(bounds[1] - bounds[0], 1e-9)

    return (
        f'<svg class="interval" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{100 * value:.1f} percent, interval {100 * low:.1f} to {100 * high:.1f}">'
        f'<line class="rail" x1="0" x2="{width}" y1="9" y2="9"/>'
        f'<line class="bar" x1="{x(low):.1f}" x2="{x(high):.1f}" y1="9" y2="9"/>'
        f'<circle class="ring" cx="{x(other):.1f}" cy="9" r="4.5"/>'
        f'<circle class="dot" cx="{x(value):.1f}" cy="9" r="4.5"/></svg>'
    )


def confusion(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    """Confusion matrix, true classes down; shades and percentages are shares of a row."""
    cell, left, top = 62, 84, 26
    size = len(classes)
    parts = []
    for column, name in enumerate(classes):
        parts.append(_text(left + (column + 0.5) * cell, 16, name, "middle"))
    for row, name in enumerate(classes):
        total = sum(counts[row])
        middle = top + (row + 0.5) * cell
        parts.append(_text(left - 8, middle - 2, name, "end"))
        parts.append(_text(left - 8, middle + 13, f"{total}", "end", "faint"))
        for column, count in enumerate(counts[row]):
            share = count / total if total else 0.0
            x, y = left + column * cell, top + row * cell
            tip = f"{name} taken for {classes[column]}: {count} of {total}"
            parts.append(
                f'<g><title>{escape(tip)}</title><rect class="cell" x="{x}" y="{y}" width="{cell - 2}" '
                f'height="{cell - 2}" rx="3" style="fill-opacity:{0.04 + 0.96 * share:.3f}"/>'
                + _text(
                    x + cell / 2 - 1,
                    middle + 4,
                    f"{100 * share:.0f}",
                    "middle",
                    "on" if share > 0.55 else "value",
                )
                + "</g>"
            )
    return _drawing(
        left + size * cell,
        top + size * cell,
        "".join(parts),
        "confusion matrix in percent of each row",
    )


def curves(
    lines: Mapping[str, Sequence[Sequence[tuple[float, float]]]],
    label: str,
    marks: Sequence[tuple[float, float]] = (),
) -> str:
    """Curves over epochs by name: thin ones for folds, a thick one for their mean;
    `marks` are the chosen epochs.
    """
    width, height, left, bottom, top = 340, 210, 40, 30, 12
    points = [point for curves_ in lines.values() for curve in curves_ for point in curve]
    if not points:
        return ""
    last = max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    spread = max(high - low, 1e-6)
    low, high = low - 0.05 * spread, high + 0.05 * spread

    def place(x: float, y: float) -> str:
        return (
            f"{left + (width - left - 8) * (x - 1) / max(last - 1, 1):.1f},"
            f"{top + (height - top - bottom) * (high - y) / (high - low):.1f}"
        )

    parts = []
    for tick in _ticks(low, high):
        level = place(1, tick).split(",")[1]
        parts.append(f'<line class="grid" x1="{left}" x2="{width - 8}" y1="{level}" y2="{level}"/>')
        parts.append(_text(left - 5, float(level) + 4, f"{tick:g}", "end", "faint"))
    for number, (name, folds) in enumerate(lines.items()):
        parts += [
            f'<polyline class="thin s{number}" points="{" ".join(place(x, y) for x, y in curve)}"/>'
            for curve in (folds if len(folds) > 1 else [])
        ]
        steps = sorted({x for curve in folds for x, _ in curve})
        held = [[y for curve in folds for at, y in curve if at == step] for step in steps]
        mean = " ".join(
            place(step, sum(values) / len(values)) for step, values in zip(steps, held, strict=True)
        )
        parts.append(f'<polyline class="line s{number}" points="{mean}"/>')
        parts.append(
            f'<rect class="fill s{number}" x="{left + 6 + 92 * number}" y="{height - 11}" width="9" height="9"/>'
        )
        parts.append(_text(left + 20 + 92 * number, height - 3, name, "start", "faint"))
    for x, y in marks:
        cx, cy = place(x, y).split(",")
        parts.append(
            f'<circle class="fill s{len(lines) - 1}" cx="{cx}" cy="{cy}" r="3"><title>epoch {x:g}</title></circle>'
        )
    parts.append(_text(width - 8, height - 3, f"epoch {last:g}", "end", "faint"))
    return _drawing(width, height, "".join(parts), label)


def bars(
    values: Sequence[tuple[str, float, float | None]], label: str, mean: float | None = None
) -> str:
    """Horizontal bars of shares in [0, 1]: name, value, and perhaps a ring for the
    test-selected value.
    """
    row, left, width = 24, 96, 340
    scale = width - left - 52
    height = row * len(values) + 6
    parts = []
    for number, (name, value, other) in enumerate(values):
        y = 4 + row * number
        parts.append(_text(left - 8, y + 14, name, "end"))
        parts.append(
            f'<rect class="fill s0" x="{left}" y="{y + 2}" width="{scale * value:.1f}" height="{row - 8}" rx="2"/>'
        )
        parts.append(_text(left + scale + 10, y + 14, f"{100 * value:.1f}", "start", "value"))
        if other is not None:
            parts.append(
                f'<circle class="ring" cx="{left + scale * other:.1f}" cy="{y + row / 2 - 2:.1f}" r="4.5">'
                f"<title>best test epoch: {100 * other:.1f}</title></circle>"
            )
    if mean is not None:
        x = f"{left + scale * mean:.1f}"
        parts.append(
            f'<line class="mean" x1="{x}" x2="{x}" y1="2" y2="{height - 2}"><title>mean</title></line>'
        )
    return _drawing(width, height, "".join(parts), label)


def _drawing(width: float, height: float, content: str, label: str) -> str:
    return (
        f'<svg class="drawing" viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}px" role="img" '
        f'aria-label="{escape(label)}">{content}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _ticks(low: float, high: float) -> list[float]:
    for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 50.0, 100.0):
        if (high - low) / step <= 5:
            break
    first = int(low // step) + 1
    return [
        round(number * step, 4) for number in range(first, first + 7) if low < number * step < high
    ]
