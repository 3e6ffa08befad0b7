"""The look of every figure: one style, saved as PNG and as SVG beside it.

The same data give the same bytes; colours are told apart by colour-blind readers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.tables import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008), darkest first so that the first few are legible as lines.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
MARKERS = "os^DvP*X"
INK, GREY, FRAME, GRID = "#222222", "#777777", "#888888", "#e4e4e4"
DOTS_PER_INCH = 144
# A font is needed for Mandarin words; the first of these that is installed is used.
CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "WenQuanYi Zen Hei",
    "Source Han Sans SC",
    "PingFang SC",
    "SimHei",
)


_note: ContextVar[str] = ContextVar("note", default="")


@contextmanager
def noted(text: str) -> Iterator[None]:
    """Every figure that is drawn inside has the text below it."""
    before = _note.set(text)
    try:
        yield
    finally:
        _note.reset(before)


@contextmanager
def sheet(path: Path, width: float, height: float) -> Iterator[Figure]:
    """An empty figure of width and height in inches; what the caller drew is saved at
    `path` (PNG) and beside it with the ending .svg, on a transparent ground.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style = {
        **matplotlib.rcParamsDefault,
        "font.family": families(),
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "axes.edgecolor": FRAME,
        "legend.frameon": False,
        "svg.hashsalt": "serflow",  # ids in the file follow from the drawing alone
    }
    with matplotlib.rc_context(style):
        # A figure of its own: no window, no global list of figures.
        figure = Figure((width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        if _note.get():
            figure.supxlabel(_note.get(), size=7, color=GREY)
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
        with replacing(path.with_suffix(".svg")) as temporary:
            figure.savefig(
                temporary,
                format="svg",
                dpi=DOTS_PER_INCH,
                transparent=True,
                metadata={"Date": None, "Creator": None},
            )


def legend_above(axes: Axes, columns: int) -> None:
    """Puts the legend over the axes, where it covers no data."""
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns)


def families() -> list[str]:
    """The font of every figure, and a Chinese one where one is installed."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *[name for name in CHINESE_FONTS if name in installed][:1]]
