"""The papers' tables: published figures beside ours, under both ways of choosing the
epoch.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pipeline.demo import CORPORA as SYNTHETIC
from pipeline.lookup import ConfigurationError
from pipeline.report.experiments import Experiment, experiments, metric

PAPERS = ("cbla", "cma", "fg_cme", "pba", "tsin")
MISSING = "–"


@dataclass(frozen=True)
class Published:
    """One figure of a paper's table in percent; `value` None where the paper gives no
    number, and `source` says why.
    """

    row: str
    corpus: str
    split: str
    metric: str
    value: float | None
    source: str


@dataclass(frozen=True)
class Figure:
    """Percent: the paper's figure, ours at validation's epoch with its 95 % interval,
    ours at the best test epoch.
    """

    published: float | None
    ours: float | None
    low: float | None
    high: float | None
    test_selected: float | None


@dataclass(frozen=True)
class Line:
    """One row of a paper's table, and the experiment that stands for it; None where
    none was run.
    """

    row: str
    split: str
    experiment: str | None
    figures: dict[str, Figure]


@dataclass(frozen=True)
class PaperTable:
    """A paper's table on one corpus; `published_corpus` is the one that the published
    figures are of.
    """

    paper: str
    corpus: str
    published_corpus: str
    metrics: tuple[str, ...]
    lines: tuple[Line, ...]


def published(paper: str) -> list[Published]:
    """Every figure of a paper's tables, in the order of the paper."""
    if paper not in PAPERS:
        raise ConfigurationError(f"unknown paper {paper!r}, expected one of {list(PAPERS)}")
    text = (resources.files("pipeline.report") / "published" / f"{paper}.csv").read_text(
        encoding="utf-8"
    )
    return [
        Published(
            item["row"],
            item["corpus"],
            item["split"],
            item["metric"],
            float(item["value"]) if item["value"] else None,
            item["source"],
        )
        for item in csv.DictReader(io.StringIO(text))
    ]


def table(paper: str, corpus: str, models_root: Path) -> PaperTable:
    """A paper's table on a corpus, from the experiments below models/ that run its rows
    there.

    A corpus that the paper does not report is put beside the paper's first one. Where
    the paper has several protocols (TSIN), a row has a line for each; else every split
    counts as the paper's.
    """
    stated = published(paper)
    known = list(dict.fromkeys(item.corpus for item in stated))
    reference = corpus if corpus in known else known[0]
    stated = [item for item in stated if item.corpus == reference]
    values = {(item.row, item.split, item.metric): item.value for item in stated}
    metrics = tuple(dict.fromkeys(item.metric for item in stated))
    rows = list(dict.fromkeys(item.row for item in stated))
    protocols = list(dict.fromkeys(item.split for item in stated))
    ours = [
        item for item in experiments(models_root) if item.corpus == corpus and item.network in rows
    ]
    run = [
        protocol
        for protocol in protocols
        if any(item.split.split("-", 1)[0] == protocol for item in ours)
    ]
    lines = []
    for protocol in (run or protocols) if len(protocols) > 1 else protocols:
        for row in rows:
            mine: list[Experiment | None] = [
                item
                for item in ours
                if item.network == row
                and (len(protocols) == 1 or item.split.split("-", 1)[0] == protocol)
            ]
            for item in mine or [None]:
                figures = {
                    name: _figure(values.get((row, protocol, name)), item, name) for name in metrics
                }
                split = protocol if item is None else item.split
                lines.append(Line(row, split, None if item is None else item.name, figures))
    return PaperTable(paper, corpus, reference, metrics, tuple(lines))


def markdown(made: PaperTable) -> str:
    """The table as Markdown with three columns for each figure, and what they mean
    below it.
    """
    head = [
        "row",
        "split",
        *(f"{name} {column}" for name in made.metrics for column in _columns(made)),
    ]
    body = [[_label(made, line), line.split, *_cells(line)] for line in made.lines]
    rows = [head, ["---", "---", *["---:"] * (len(head) - 2)], *body]
    text = f"## {made.paper} on {made.corpus}\n\n"
    if made.corpus.split("-", 1)[0] in SYNTHETIC:
        text += (
            "> Synthetic speech: these scores say that the machinery works, and nothing else.\n\n"
        )
    text += "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
    return text + f"\n\n{_note(made)}\n"


def comma_separated(made: PaperTable) -> str:
    """The table as CSV, one line per figure, in percent."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = ("published", "ours", "ours_low", "ours_high", "test_selected")
    writer.writerow(
        ["paper", "corpus", "published_corpus", "row", "split", "experiment", "metric", *columns]
    )
    for line in made.lines:
        for name, figure in line.figures.items():
            values = (figure.published, figure.ours, figure.low, figure.high, figure.test_selected)
            cells = ["" if value is None else f"{value:.4g}" for value in values]
            place = [
                made.paper,
                made.corpus,
                made.published_corpus,
                line.row,
                line.split,
                line.experiment or "",
            ]
            writer.writerow([*place, name, *cells])
    return out.getvalue()


def latex(made: PaperTable) -> str:
    """The table as a LaTeX tabular for the package booktabs."""

    def escaped(text: str) -> str:
        return text.replace("_", r"\_").replace(MISSING, "--").replace("%", r"\%")

    count = 3 * len(made.metrics)
    groups = " & ".join(rf"\multicolumn{{3}}{{c}}{{{escaped(name)}}}" for name in made.metrics)
    columns = " & ".join(escaped(column) for _ in made.metrics for column in _columns(made))
    lines = [
        f"% {_note(made)}",
        rf"\begin{{tabular}}{{ll{'r' * count}}}",
        r"\toprule",
        rf" & & {groups} \\",
        rf"row & split & {columns} \\",
        r"\midrule",
        *(
            " & ".join(map(escaped, (_label(made, line), line.split, *_cells(line)))) + r" \\"
            for line in made.lines
        ),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


FORMATS: dict[str, Callable[[PaperTable], str]] = {
    "md": markdown,
    "csv": comma_separated,
    "tex": latex,
}


def write(made: PaperTable, folder: Path) -> list[Path]:
    """Writes <paper>-<corpus>.md, .csv and .tex and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for ending, render in FORMATS.items():
        path = folder / f"{made.paper}-{made.corpus}.{ending}"
        path.write_text(render(made), encoding="utf-8")
        paths.append(path)
    return paths


def _figure(stated: float | None, experiment: Experiment | None, name: str) -> Figure:
    def percent(key: str) -> float | None:
        value = None if experiment is None else metric(experiment.metrics, key)
        return None if value is None else 100 * float(value)

    return Figure(
        stated,
        percent(name),
        percent(f"{name}_ci95.low"),
        percent(f"{name}_ci95.high"),
        percent(f"test_selected.{name}"),
    )


def _columns(made: PaperTable) -> Sequence[str]:
    other = "" if made.published_corpus == made.corpus else f" ({made.published_corpus})"
    return f"published{other}", "ours", "test-selected"


def _cells(line: Line) -> list[str]:
    cells = []
    for figure in line.figures.values():
        ours = _number(figure.ours)
        if figure.low is not None:
            ours += f" [{_number(figure.low)}, {_number(figure.high)}]"
        cells += [
            MISSING if figure.published is None else f"{figure.published:g}",
            ours,
            _number(figure.test_selected),
        ]
    return cells


def _label(made: PaperTable, line: Line) -> str:
    same = [other for other in made.lines if (other.row, other.split) == (line.row, line.split)]
    return line.row if len(same) == 1 else f"{line.row} ({line.experiment})"


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.1f}"


def _note(made: PaperTable) -> str:
    note = (
        "Percent. ours: the epoch that an inner validation set chose, mean over folds and seeds, with its 95 % "
        "interval; test-selected: the best epoch on the test fold, as some papers report; no system in use reaches it."
    )
    if made.published_corpus != made.corpus:
        note += f" The published figures are of {made.published_corpus}, which is another task than {made.corpus}."
    silent = {
        item.source
        for item in published(made.paper)
        if item.value is None and item.corpus == made.published_corpus
    }
    return note + "".join(
        f" {MISSING} in the published column: {reason}." for reason in sorted(silent)
    )
