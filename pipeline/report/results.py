"""The results over all experiments as rows, Markdown and CSV, and who beats whom on the
same utterances.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.evaluation import significance
from pipeline.report import accounts
from pipeline.report.audit import badge
from pipeline.report.experiments import Experiment, metric, percent

ALL_PAIRS = 5  # with more experiments than this in a group, each is compared with the best alone


def groups(found: Sequence[Experiment]) -> dict[tuple[str, str], list[Experiment]]:
    """Experiments on one corpus and split, best UA first: only these can be compared."""
    made: dict[tuple[str, str], list[Experiment]] = {}
    for experiment in found:
        made.setdefault((experiment.corpus, experiment.split), []).append(experiment)
    return {
        key: sorted(group, key=lambda item: (-item.metrics["ua"], item.name))
        for key, group in made.items()
    }


def comparisons(group: Sequence[Experiment], data_root: Path) -> list[dict[str, Any]]:
    """Pairs of a group as `significance.compare_all` gives them; [] where predictions
    are missing or alone.
    """
    present = [item for item in group if (item.folder / "predictions.parquet").is_file()]
    if len(present) < 2:
        return []
    tables = {item.name: item.predictions for item in reversed(present)}
    against = present[0].name if len(present) > ALL_PAIRS else None
    count = len(present) - 1 if against else len(present) * (len(present) - 1) // 2
    # The smallest p that a bootstrap can show, times the number of pairs, must stay far
    # below 0.05.
    resamples = max(2000, 200 * count)
    return significance.compare_all(
        tables, accounts.speakers(present[0], data_root), resamples, against
    )


def markdown(found: Sequence[Experiment], data_root: Path) -> str:
    """One table for each corpus and split."""
    text = "# Results\n\nPercent. UA and WA: the epoch that an inner validation set chose, with 95 % intervals.\n"
    text += "Test-selected: the best epoch on the test fold, as some papers report; never the headline.\n"
    if any(item.synthetic for item in found):
        text += "\nThe demo corpora are synthetic: their scores say that the machinery works, and nothing else.\n"
    for (corpus, split), group in groups(found).items():
        audit = accounts.read_json(accounts.split_folder(group[0], data_root) / "metrics.json")
        text += f"\n## {corpus}, {split} ({badge(audit).text})\n\n"
        text += "| experiment | network | UA | WA | macro F1 | test-selected UA | test-selected WA | n | folds x seeds |\n"
        text += "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        for item in group:
            scores = item.metrics
            cells = [
                item.name,
                item.network,
                with_interval(scores, "ua"),
                with_interval(scores, "wa"),
                percent(scores["macro_f1"]),
                percent(scores["test_selected"]["ua"]),
                percent(scores["test_selected"]["wa"]),
                str(scores["n"]),
                f"{scores['folds']} x {scores['seeds']}",
            ]
            text += "| " + " | ".join(cells) + " |\n"
    return text


def comma_separated(found: Sequence[Experiment]) -> str:
    """One line per experiment, shares in [0, 1]."""
    keys = (
        "ua",
        "ua_ci95.low",
        "ua_ci95.high",
        "wa",
        "wa_ci95.low",
        "wa_ci95.high",
        "macro_f1",
        "macro_precision",
    )
    more = (
        "test_selected.ua",
        "test_selected.wa",
        "last_epoch.ua",
        "last_epoch.wa",
        "n",
        "folds",
        "seeds",
    )
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["experiment", "corpus", "split", "network", *keys, *more])
    for item in found:
        values = [metric(item.metrics, key) for key in (*keys, *more)]
        writer.writerow([item.name, item.corpus, item.split, item.network, *values])
    return out.getvalue()


def with_interval(scores: dict[str, Any], key: str) -> str:
    """'61.2 [58.0, 64.1]' in percent."""
    low, high = metric(scores, f"{key}_ci95.low"), metric(scores, f"{key}_ci95.high")
    return f"{percent(scores[key])} [{percent(low)}, {percent(high)}]"
