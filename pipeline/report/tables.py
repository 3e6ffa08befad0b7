"""The papers' tables: published figures beside ours."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pipeline.lookup import ConfigurationError
from pipeline.report.experiments import Experiment, experiments, is_synthetic, metric
from pipeline.tables import write_text

PAPERS = ("cbla", "cma", "fg_cme", "pba", "tsin")
MISSING = "–"


@dataclass(frozen=True)
class Published:
    """One figure of a paper's table in percent; `value` None where the paper gives no
    number, and `source` says why.
    """

    system: str
    corpus: str
    split: str
    metric: str
    value: float | None
    source: str


@dataclass(frozen=True)
class Figure:
    """One score in percent.

    published: the paper's; ours, low, high: at the epoch that validation chose, with
    the 95 % interval; test_selected: ours at the best epoch on the test fold.
    """

    published: float | None
    ours: float | None
    low: float | None
    high: float | None
    test_selected: float | None


@dataclass(frozen=True)
class Line:
    """One system of a paper's table, and the experiment that ran it or None."""

    system: str
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
    path = resources.files("pipeline.report") / "published" / f"{paper}.csv"
    lines = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    found = []
    for line in lines:
        value = line.pop("value")
        found.append(Published(**line, value=float(value) if value else None))
    return found


def table(paper: str, corpus: str, models_root: Path) -> PaperTable:
    """A paper's table on a corpus, from the experiments below models/ that run its
    systems there.

    A corpus that the paper does not report is put beside the paper's first one. Where
    the paper has several protocols (TSIN), a system has a line for each; else every
    split counts as the paper's.
    """
    stated = published(paper)
    known = [item.corpus for item in stated]
    reference = corpus if corpus in known else known[0]
    stated = [item for item in stated if item.corpus == reference]
    values = {(item.system, item.split, item.metric): item.value for item in stated}
    metrics = tuple(dict.fromkeys(item.metric for item in stated))
    systems = list(dict.fromkeys(item.system for item in stated))
    protocols = list(dict.fromkeys(item.split for item in stated))
    several = len(protocols) > 1
    ours = [
        item
        for item in experiments(models_root)
        if item.corpus == corpus and item.network in systems
    ]
    if several:
        run = {item.split.split("-", 1)[0] for item in ours}
        protocols = [protocol for protocol in protocols if protocol in run] or protocols
    lines = []
    for protocol in protocols:
        for system in systems:
            mine: list[Experiment | None] = [
                item
                for item in ours
                if item.network == system
                and (not several or item.split.split("-", 1)[0] == protocol)
            ]
            for item in mine or [None]:
                figures = {
                    name: _figure(values.get((system, protocol, name)), item, name)
                    for name in metrics
                }
                split = protocol if item is None else item.split
                lines.append(Line(system, split, None if item is None else item.name, figures))
    return PaperTable(paper, corpus, reference, metrics, tuple(lines))


def markdown(made: PaperTable) -> str:
    """The table as Markdown, three columns for each figure, with a note below."""
    head = [
        "system",
        "split",
        *(f"{name} {column}" for name in made.metrics for column in _columns(made)),
    ]
    body = [[_label(made, line), line.split, *_cells(line)] for line in made.lines]
    rows = [head, ["---", "---", *["---:"] * (len(head) - 2)], *body]
    text = f"## {made.paper} on {made.corpus}\n\n"
    if is_synthetic(made.corpus):
        text += "> Synthetic speech: the scores show that everything runs, and nothing else.\n\n"
    text += "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
    return text + f"\n\n{_note(made)}\n"


def comma_separated(made: PaperTable) -> str:
    """The table as CSV, one line per figure, in percent."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = ("published", "ours", "ours_low", "ours_high", "test_selected")
    writer.writerow(
        ["paper", "corpus", "published_corpus", "system", "split", "experiment", "metric", *columns]
    )
    for line in made.lines:
        for name, figure in line.figures.items():
            values = (figure.published, figure.ours, figure.low, figure.high, figure.test_selected)
            cells = ["" if value is None else f"{value:.4g}" for value in values]
            place = [
                made.paper,
                made.corpus,
                made.published_corpus,
                line.system,
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
        rf"system & split & {columns} \\",
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
    paths = []
    for ending, render in FORMATS.items():
        path = folder / f"{made.paper}-{made.corpus}.{ending}"
        write_text(path, render(made))
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
    same = [
        other for other in made.lines if (other.system, other.split) == (line.system, line.split)
    ]
    return line.system if len(same) == 1 else f"{line.system} ({line.experiment})"


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.1f}"


def _note(made: PaperTable) -> str:
    note = (
        "Percent. ours: the epoch that an inner validation set chose, mean over folds and seeds, "
        "with its 95 % interval; test-selected: the best epoch on the test fold, as some papers "
        "report; it cannot be had without the test labels."
    )
    if made.published_corpus != made.corpus:
        note += f" The published figures are of {made.published_corpus}, another task."
    silent = {
        item.source
        for item in published(made.paper)
        if item.value is None and item.corpus == made.published_corpus
    }
    return note + "".join(
        f" {MISSING} in the published column: {reason}." for reason in sorted(silent)
    )
