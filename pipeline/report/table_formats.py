"""A paper's table as Markdown, CSV and LaTeX."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from pipeline.report.results import plain
from pipeline.report.stated import published
from pipeline.report.tables import Line, PaperTable, Practice, Score
from pipeline.tables import write_text

MISSING = "–"
LATEX = {character: f"\\{character}" for character in "_%&$#{}"}
LATEX |= {MISSING: "--", "\\": r"\textbackslash{}", "~": r"\~{}", "^": r"\^{}", "\n": " "}


# The columns of each practice: heading, field of a Figure.
COLUMNS: dict[Practice, tuple[tuple[str, str], ...]] = {
    "honest": (("ours", "honest"), ("test-selected", "test_selected")),
    "published": (("last epoch", "last"), ("best test epoch", "best")),
    "both": (("ours", "honest"), ("last epoch", "last"), ("best test epoch", "best")),
}
MEANING = {
    "ours": "ours: the epoch that an inner validation set chose",
    "test-selected": "test-selected: the best epoch of that training on the test fold",
    "last epoch": "last epoch: trained as the papers do, without validation, the last epoch",
    "best test epoch": "best test epoch: the best epoch of that training on the test fold, as some "
    "papers report; it cannot be had without the test labels",
}


def markdown(made: PaperTable, practice: Practice = "honest") -> str:
    """The table as Markdown, a group of columns for each measure, with a note below."""
    head = ["system", "split"]
    head += [f"{name} {column}" for name in made.metrics for column in _columns(made, practice)]
    body = [
        [plain(_label(made, line)), plain(line.split), *_cells(line, practice)]
        for line in made.lines
    ]
    rows = [head, ["---", "---", *["---:"] * (len(head) - 2)], *body]
    text = f"## {made.paper} on {plain(made.corpus)}\n\n"
    if made.synthetic:
        text += f"> {_synthetic(made)}\n\n"
    text += "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
    return text + f"\n\n{_note(made, practice)}\n"


def _synthetic(made: PaperTable) -> str:
    speech = made.synthetic.capitalize()
    return f"{speech}: the scores show that everything runs, and nothing else."


def for_terminal(made: PaperTable, practice: Practice = "honest") -> Iterator[Table | str]:
    """A table for each measure, narrow enough for a terminal, and the note."""
    if made.synthetic:
        yield _synthetic(made)
    headings = _columns(made, practice)
    for number, name in enumerate(made.metrics):
        table = Table(title=f"{made.paper} on {made.corpus}: {name}", box=SIMPLE, pad_edge=False)
        table.add_column("system", no_wrap=True)
        table.add_column("split", overflow="fold")
        for heading in headings:
            table.add_column(heading, justify="right")
        for line in made.lines:
            cells = _cells(line, practice)[number * len(headings) : (number + 1) * len(headings)]
            table.add_row(_label(made, line), line.split, *cells)
        yield table
    yield _note(made, practice)


def comma_separated(made: PaperTable, practice: Practice = "honest") -> str:
    """The table as CSV, one line per figure, in percent."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    scores = [
        f"{field}{part}"
        for field in ("ours", "test_selected", "last_epoch", "best_test_epoch")
        for part in ("", "_low", "_high")
    ]
    place = ["paper", "corpus", "published_corpus", "system", "split", "experiment", "metric"]
    writer.writerow([*place, "published", *scores])
    for line in made.lines:
        own = [made.paper, made.corpus, made.published_corpus]
        own += [line.system, line.split, line.experiment or ""]
        for name, figure in line.figures.items():
            values = [figure.published]
            for score in (figure.honest, figure.test_selected, figure.last, figure.best):
                values += [None] * 3 if score is None else [score.value, score.low, score.high]
            cells = ["" if value is None else f"{value:.4g}" for value in values]
            writer.writerow([*own, name, *cells])
    return out.getvalue()


def latex(made: PaperTable, practice: Practice = "honest") -> str:
    """The table as a LaTeX tabular for the package booktabs."""

    def escaped(text: str) -> str:
        return "".join(LATEX.get(character, character) for character in text)

    each = _columns(made, practice)
    count = len(each) * len(made.metrics)
    groups = " & ".join(
        rf"\multicolumn{{{len(each)}}}{{c}}{{{escaped(name)}}}" for name in made.metrics
    )
    columns = " & ".join(escaped(column) for _ in made.metrics for column in each)
    lines = [
        f"% {_note(made, practice)}",
        rf"\begin{{tabular}}{{ll{'r' * count}}}",
        r"\toprule",
        rf" & & {groups} \\",
        rf"system & split & {columns} \\",
        r"\midrule",
        *(
            " & ".join(map(escaped, (_label(made, line), line.split, *_cells(line, practice))))
            + r" \\"
            for line in made.lines
        ),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


FORMATS: dict[str, Callable[[PaperTable, Practice], str]] = {
    "md": markdown,
    "csv": comma_separated,
    "tex": latex,
}


def write(made: PaperTable, folder: Path, practice: Practice = "honest") -> list[Path]:
    """Writes <paper>-<corpus>.md, .csv and .tex and returns their paths."""
    paths = []
    for ending, render in FORMATS.items():
        path = folder / f"{made.paper}-{made.corpus}.{ending}"
        write_text(path, render(made, practice))
        paths.append(path)
    return paths


def _columns(made: PaperTable, practice: Practice) -> list[str]:
    other = "" if made.published_corpus == made.corpus else f" ({made.published_corpus})"
    return [f"published{other}", *(heading for heading, _ in COLUMNS[practice])]


def _cells(line: Line, practice: Practice) -> list[str]:
    cells = []
    for figure in line.figures.values():
        cells.append(MISSING if figure.published is None else f"{figure.published:g}")
        cells += [_text(getattr(figure, field)) for _, field in COLUMNS[practice]]
    return cells


def _text(score: Score | None) -> str:
    """'61.2 [58.0, 64.1]'."""
    if score is None:
        return MISSING
    interval = "" if score.low is None else f" [{score.low:.1f}, {score.high:.1f}]"
    return f"{score.value:.1f}{interval}"


def _label(made: PaperTable, line: Line) -> str:
    same = [
        other for other in made.lines if (other.system, other.split) == (line.system, line.split)
    ]
    return line.system if len(same) == 1 else f"{line.system} ({line.experiment})"


def _note(made: PaperTable, practice: Practice) -> str:
    meanings = "; ".join(MEANING[heading] for heading, _ in COLUMNS[practice])
    note = f"Percent, means over folds and seeds with 95 % intervals. {meanings}."
    for split, number in made.scored.items():
        note += f" On {split}, every system is scored on the same {number} utterances."
    for split, line in made.references.items():
        note += f" On {split}: {line[0].lower()}{line[1:]}."
        if made.below[split]:
            note += f" Not above it: {', '.join(dict.fromkeys(made.below[split]))}."
    for split, shared in made.declared.items():
        note += f" On {split}, test and training {shared}, as params.yaml allows."
    for what, counted in (("left out", made.left_out), ("fed with zeros", made.filled)):
        if counted:
            reasons = ", ".join(f"{number} without {name}" for name, number in counted.items())
            note += f" {what[0].upper()}{what[1:]}: {reasons}."
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
