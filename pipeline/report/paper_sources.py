"""What a paper's figure is drawn from: the experiments that run its systems on a
corpus, and the published values beside them.
"""

import csv
import io
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.lookup import ConfigurationError
from pipeline.report import accounts
from pipeline.report.audit import declared
from pipeline.report.experiments import Experiment
from pipeline.report.paper_charts import PUBLISHED
from pipeline.report.stated import Published
from pipeline.report.tables import UNVALIDATED, protocol_of
from pipeline.tables import write_text


@dataclass(frozen=True)
class Sources:
    """Evaluated experiments on one corpus, a paper's published figures, and the data.

    published: of the corpus where the paper has it, else of the paper's first one.
    """

    paper: str
    corpus: str
    found: Sequence[Experiment]
    published: Sequence[Published]
    data_root: Path

    def place(self, items: Collection[Experiment]) -> str:
        """Corpus and practice as titles name them."""
        made = " (synthetic)" if any(item.synthetic for item in self.found) else ""
        validated = all(item.validated for item in items)
        place = self.corpus + made + ("" if validated else ", no validation")
        shared = {declared(accounts.split_metrics(item, self.data_root)) for item in items}
        return "; test and training ".join([place, *sorted(shared - {""})])

    @property
    def published_label(self) -> str:
        """The legend's word for published values: their corpus is not always ours."""
        (corpus,) = {item.corpus for item in self.published}
        return PUBLISHED if corpus == self.corpus else f"{PUBLISHED} ({corpus})"

    def value(self, system: str, metric: str, protocol: str | None = None) -> float | None:
        """A published figure in percent, None where the paper states none."""
        for item in self.published:
            if (item.system, item.metric) == (system, metric) and protocol in (None, item.split):
                return item.value
        return None

    def pick(
        self, systems: Sequence[str], protocol: str | None = None
    ) -> tuple[dict[str, Experiment], list[str]]:
        """One experiment for each system, all on one split: the split with most of the
        systems, of equals one with validation, then the one that tests most; on it
        those that one table made. And a line for the missing systems.

        `protocol` is the split's name up to its first hyphen, any where None. Raises
        ConfigurationError where there is none at all.
        """
        by_split: dict[str, list[Experiment]] = {}
        for item in sorted(self.found, key=lambda item: item.name):
            if item.network in systems and protocol in (None, protocol_of(item)):
                by_split.setdefault(item.split, []).append(item)
        absent = list(systems)
        chosen: dict[str, Experiment] = {}
        if by_split:
            group = max(by_split.values(), key=_worth)
            tables = Counter(_table(item) for item in group)
            for system in systems:
                mine = [item for item in group if item.network == system]
                if mine:
                    chosen[system] = max(mine, key=lambda item: tables[_table(item)])
            absent = [system for system in systems if system not in chosen]
        lines = [f"no {', '.join(absent)}: {self.command(absent, protocol)}"] if absent else []
        if not chosen:
            raise ConfigurationError(lines[0])
        return chosen, lines

    def command(self, systems: Sequence[str], protocol: str | None = None) -> str:
        """The command that makes what is missing."""
        # The recipes of paper E's other protocols are named after them.
        suffix = f"-{protocol}" if protocol not in (None, "session") else ""
        return (
            f"`serflow table {self.paper} --corpus {self.corpus}{suffix} "
            f"--systems {','.join(systems)}` makes what is missing"
        )


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The numbers that a figure shows as CSV, beside it; None is an empty cell."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                key: "" if value is None else f"{value:.6g}" if isinstance(value, float) else value
                for key, value in row.items()
            }
        )
    write_text(path.with_suffix(".csv"), out.getvalue())


def _worth(group: Sequence[Experiment]) -> tuple[int, bool, int]:
    """By how many systems, whether a validation set chose the epochs, how much was
    tested.
    """
    validated = group[0].validated
    systems = {item.network for item in group}
    return len(systems), validated, max(item.metrics["n"] for item in group)


def _table(item: Experiment) -> str:
    """What experiments of one table share: they are named <table>-<system>."""
    return item.name.removesuffix(UNVALIDATED).removesuffix(f"-{item.network}")
