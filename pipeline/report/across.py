"""Corpora by corpora: what systems trained on one reach on another."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.report import accounts
from pipeline.report.experiments import Experiment, percent


@dataclass(frozen=True)
class Matrix:
    """One system: `cells` has, by (trained on, tested on), the experiment, the one of
    highest UA where there are several; both on the same classes.
    """

    network: str
    corpora: list[str]
    classes: list[str]
    cells: dict[tuple[str, str], Experiment]

    def text(self, trained: str, tested: str) -> str:
        """UA and its interval in percent, '–' where nothing was run."""
        item = self.cells.get((trained, tested))
        if item is None:
            return "–"
        ends = item.metrics["ua_ci95"]
        low, high = percent(ends["low"]), percent(ends["high"])
        return f"{percent(item.metrics['ua'])} [{low}–{high}]"


def matrices(found: Sequence[Experiment], data_root: Path) -> list[Matrix]:
    """A matrix for each system that was tested on another corpus than it was trained
    on; the diagonal is of experiments within a corpus, whatever their folds.
    """
    placed = []
    for item in found:
        across = accounts.split_metrics(item, data_root).get("across") or {}
        pair = across.get("train", item.corpus), across.get("test", item.corpus)
        placed.append((item, pair))
    made = []
    schemes = {
        (item.network, tuple(sorted(item.classes))) for item, (own, other) in placed if own != other
    }
    for network, classes in sorted(schemes):
        mine = [
            (item, pair)
            for item, pair in placed
            if item.network == network and tuple(sorted(item.classes)) == classes
        ]
        corpora = {name for _, pair in mine if pair[0] != pair[1] for name in pair}
        cells: dict[tuple[str, str], Experiment] = {}
        for item, pair in sorted(mine, key=lambda entry: entry[0].metrics["ua"]):
            if corpora.issuperset(pair):
                cells[pair] = item
        made.append(Matrix(network, sorted(corpora), list(classes), cells))
    return made


def markdown(found: Sequence[Matrix]) -> str:
    """The matrices as tables, '' where there is none."""
    text = ""
    for matrix in found:
        text += (
            f"\n## {matrix.network} across corpora\n\nUA, {', '.join(matrix.classes)}; "
            "rows: trained on, columns: tested on.\n\n"
        )
        text += f"| | {' | '.join(matrix.corpora)} |\n|{' --- |' * (len(matrix.corpora) + 1)}\n"
        for trained in matrix.corpora:
            cells = [matrix.text(trained, tested) for tested in matrix.corpora]
            text += f"| {trained} | {' | '.join(cells)} |\n"
    return text
