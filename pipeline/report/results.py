"""The results of all experiments as Markdown and CSV, and which of them differ on the
same utterances.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import folders
from pipeline.evaluation import significance
from pipeline.report import accounts, across
from pipeline.report.audit import badge, declared
from pipeline.report.experiments import REFERENCES, Experiment, experiments, metric, percent

# With more experiments than this in a group, each is compared with the best alone.
ALL_PAIRS = 5
COLUMNS = (
    "ua",
    "ua_ci95.low",
    "ua_ci95.high",
    "wa",
    "wa_ci95.low",
    "wa_ci95.high",
    "macro_f1",
    "macro_precision",
    "test_selected.ua",
    "test_selected.wa",
    "last_epoch.ua",
    "last_epoch.wa",
    "n",
    "filled",
    "folds",
    "seeds",
    "selected_by",
    "test_selected.selected_by",
)


def groups(found: Sequence[Experiment]) -> dict[tuple[str, str], list[Experiment]]:
    """Experiments on one corpus and split, which can be compared, best UA first."""
    made: dict[tuple[str, str], list[Experiment]] = {}
    for experiment in found:
        made.setdefault((experiment.corpus, experiment.split), []).append(experiment)
    return {
        key: sorted(group, key=lambda item: (-item.metrics["ua"], item.name))
        for key, group in made.items()
    }


@dataclass(frozen=True)
class ReferenceLine:
    """What an experiment has to beat on its corpus and split, shares in [0, 1].

    `majority`: WA and UA of the training part's most frequent class, None where the
    split is not here; `best`: the linear classifier with the highest UA, None without
    one; `lacks`: the linear classifiers that nobody ran on this corpus and split, which
    are the `place`.
    """

    majority: tuple[float, float] | None
    best: Experiment | None
    lacks: tuple[str, ...]
    place: tuple[str, str]

    def beats(self, experiment: Experiment) -> bool:
        """Whether an experiment's UA is higher than the line's."""
        line = 0.0 if self.majority is None else self.majority[1]
        if self.best is not None:
            line = max(line, float(self.best.metrics["ua"]))
        return float(experiment.metrics["ua"]) > line

    @property
    def text(self) -> str:
        """The line in words."""
        parts = []
        if self.majority is not None:
            wa, ua = self.majority
            parts.append(f"majority class UA {percent(ua)}, WA {percent(wa)}")
        if self.best is not None:
            scores = self.best.metrics
            parts.append(
                f"{self.best.network} ({self.best.name}) UA {percent(scores['ua'])}, "
                f"WA {percent(scores['wa'])}"
            )
        if self.lacks:
            corpus, split = self.place
            parts.append(
                f"not run: {', '.join(self.lacks)} (an experiment with such a network, the corpus "
                f"{corpus} and the split {split} adds one)"
            )
        return "Reference line: " + "; ".join(parts)


def reference_line(group: Sequence[Experiment], data_root: Path) -> ReferenceLine:
    """The line of a group of `groups`."""
    linear = [item for item in group if item.reference]
    best = max(linear, key=lambda item: item.metrics["ua"], default=None)
    run = {item.network for item in linear}
    lacks = tuple(name for name in REFERENCES if name not in run)
    place = group[0].corpus, group[0].split
    return ReferenceLine(accounts.majority(group[0], data_root), best, lacks, place)


def comparisons(group: Sequence[Experiment], data_root: Path) -> list[dict[str, Any]]:
    """Pairs of a group as `significance.compare_all` gives them; [] with less than
    two tables of predictions.
    """
    present = [item for item in group if (item.folder / folders.PREDICTIONS).is_file()]
    if len(present) < 2:
        return []
    tables = {item.name: item.predictions for item in reversed(present)}
    against = present[0].name if len(present) > ALL_PAIRS else None
    count = len(present) - 1 if against else len(present) * (len(present) - 1) // 2
    # The smallest p that a bootstrap can show, times the number of pairs, must stay far
    # below 0.05.
    resamples = max(2000, 200 * count)
    speakers = accounts.speakers(present[0], data_root)
    return significance.compare_all(tables, speakers, resamples, against)


def markdown(found: Sequence[Experiment], data_root: Path) -> str:
    """One table for each corpus and split."""
    text = (
        "# Results\n\n"
        "Percent. UA and WA: the epoch that an inner validation set chose, with 95 % intervals;\n"
        'the last epoch where a line says "no validation". Test-selected: the best epoch on the\n'
        "test fold, as some papers report; never the headline.\n"
    )
    if any(item.synthetic for item in found):
        text += (
            "\nThe demo corpora are synthetic: their scores show that the pipeline runs from end "
            "to end, and nothing else.\n"
        )
    for (corpus, split), group in groups(found).items():
        divided = accounts.split_metrics(group[0], data_root)
        text += f"\n## {plain(corpus)}, {plain(split)} ({badge(divided).text})\n\n"
        if group[0].synthetic:
            text += f"{group[0].synthetic.capitalize()}.\n\n"
        if shared := declared(divided):
            text += f"Test and training {shared}, as params.yaml allows.\n\n"
        line = reference_line(group, data_root)
        text += f"{plain(line.text)}.\n\n"
        text += (
            "| experiment | network | UA | WA | macro F1 | test-selected UA | test-selected WA "
            "| n | folds x seeds |\n"
            "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        )
        for item in group:
            scores = item.metrics
            cells = [
                plain(item.name)
                + ("" if item.validated else " (no validation)")
                + ("" if item.reference or line.beats(item) else " (not above the reference)"),
                plain(item.network),
                with_interval(scores, "ua"),
                with_interval(scores, "wa"),
                percent(scores["macro_f1"]),
                percent(scores["test_selected"]["ua"]),
                percent(scores["test_selected"]["wa"]),
                str(scores["n"]),
                f"{scores['folds']} x {scores['seeds']}",
            ]
            text += "| " + " | ".join(cells) + " |\n"
    return text + across.markdown(across.matrices(found, data_root))


def plain(name: str) -> str:
    """A name as Markdown shows it: no cell, tag, link or emphasis begins in it."""
    return re.sub(r"([\\`*<>|\[\]])", r"\\\1", " ".join(name.split()))


def comma_separated(found: Sequence[Experiment], data_root: Path) -> str:
    """One line per experiment, shares in [0, 1]."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["experiment", "corpus", "split", "network", *COLUMNS, "test_and_training"])
    for item in found:
        values = [metric(item.metrics, key) for key in COLUMNS]
        shared = declared(accounts.split_metrics(item, data_root))
        writer.writerow([item.name, item.corpus, item.split, item.network, *values, shared])
    return out.getvalue()


def frames(models_root: Path) -> dict[str, Any]:
    """The experiments below a folder as pandas tables: `experiments`, `folds` and
    `predictions`; empty where none was evaluated, without predictions that are not
    here.
    """
    import pandas as pd

    found = experiments(models_root)
    rows, folds, predictions = [], [], []
    for item in found:
        named = {"experiment": item.name, "corpus": item.corpus, "split": item.split}
        scores = {key: metric(item.metrics, key) for key in COLUMNS}
        recalls = {f"recall.{name}": value for name, value in item.metrics["recall"].items()}
        rows.append({**named, "network": item.network, **scores, **recalls})
        folds += [{"experiment": item.name, **row} for row in item.folds]
        if (item.folder / folders.PREDICTIONS).is_file():
            table = item.predictions.to_pandas()
            table.insert(0, "experiment", item.name)
            predictions.append(table)
    tested = pd.concat(predictions, ignore_index=True) if predictions else pd.DataFrame()
    return {
        "experiments": pd.DataFrame(rows).set_index("experiment") if rows else pd.DataFrame(),
        "folds": pd.DataFrame(folds),
        "predictions": tested,
    }


def with_interval(scores: dict[str, Any], key: str) -> str:
    """'61.2 [58.0, 64.1]' in percent."""
    interval = scores[f"{key}_ci95"]
    return f"{percent(scores[key])} [{percent(interval['low'])}, {percent(interval['high'])}]"
