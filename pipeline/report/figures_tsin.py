"""Paper E: every session and speaker by name (table I), five embeddings (figure 4), and
utterance vectors (figures 5 to 7), in three protocols.
"""

import csv
import io
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import folders
from pipeline.lookup import ConfigurationError
from pipeline.report import paper_charts
from pipeline.report.experiments import Experiment
from pipeline.report.figures_fg_cme import vectors
from pipeline.report.paper_sources import Sources, write_rows
from pipeline.report.tables import protocol_of
from pipeline.tables import read_table
from pipeline.training.folds import fold_numbers, read_fold

PROTOCOLS = {"session": "SesI", "speaker": "SpkI", "random": "SpkD"}
EMBEDDINGS = {
    "TSIN": "BERT",
    "TSIN_glove": "GloVe",
    "TSIN_googlenews": "GoogleNews",
    "TSIN_fasttext": "fastText",
    "TSIN_onehot": "one-hot",
}
VECTORS = ("Speech", "Text", "TSIN")
METRICS = ("wa", "ua")
Row = dict[str, Any]


def folds(sources: Sources, path: Path) -> list[str]:
    """Table I: TSIN on each session, speaker or group that is tested."""
    rows: list[Row] = []
    lines: list[str] = []
    shown: list[Experiment] = []
    for protocol, title in PROTOCOLS.items():
        try:
            picked, _ = sources.pick(["TSIN"], protocol)
            rows += _rows_of_folds(picked["TSIN"], protocol, sources.data_root)
            shown += picked.values()
        except (ConfigurationError, FileNotFoundError) as error:
            lines.append(f"{title}: {error}")
    _draw(sources, path, rows, "test_set", "TSIN on each test set", shown, lines)
    return lines


def embeddings(sources: Sources, path: Path) -> list[str]:
    """Figure 4. The paper prints numbers for BERT alone, in table V."""
    rows: list[Row] = []
    lines: list[str] = []
    shown: list[Experiment] = []
    for protocol, title in PROTOCOLS.items():
        try:
            picked, missing = sources.pick(list(EMBEDDINGS), protocol)
        except ConfigurationError as error:
            lines.append(f"{title}: {error}")
            continue
        lines += [f"{title}: {line}" for line in missing]
        shown += picked.values()
        for name, item in picked.items():
            row: Row = {"protocol": title, "embedding": EMBEDDINGS[name], "experiment": item.name}
            for key in METRICS:
                row[key] = 100 * item.metrics[key]
                row[f"published_{key}"] = sources.value(name, key, protocol)
            rows.append(row)
    _draw(sources, path, rows, "embedding", "TSIN with five embeddings", shown, lines)
    return lines


def _rows_of_folds(item: Experiment, protocol: str, data_root: Path) -> list[Row]:
    """WA and UA of each test set, mean over seeds, with the published values."""
    stated, rows = published_folds(), []
    tested = tested_sets(item, data_root)
    # By length first: group 10 comes after group 9.
    for fold, name in sorted(tested.items(), key=lambda pair: (len(pair[1]), pair[1])):
        runs = [run for run in item.folds if run["fold"] == fold]
        row: Row = {"protocol": PROTOCOLS[protocol], "experiment": item.name, "fold": fold}
        row |= {"test_set": name, "n": sum(int(run["n"]) for run in runs) // len(runs)}
        for key in METRICS:
            row[key] = 100 * float(np.mean([run[key] for run in runs]))
            # The groups of SpkD were drawn at random: the paper's are not ours.
            known = None if protocol == "random" else stated.get((protocol, name, key))
            row[f"published_{key}"] = known
        rows.append(row)
    return rows


def _draw(
    sources: Sources,
    path: Path,
    rows: Sequence[Row],
    group: str,
    title: str,
    shown: Sequence[Experiment],
    lines: Sequence[str],
) -> None:
    """A panel of WA and UA for each protocol that has rows."""
    if not rows:
        raise ConfigurationError("; ".join(lines))
    panels = {}
    for protocol in dict.fromkeys(row["protocol"] for row in rows):
        mine = [row for row in rows if row["protocol"] == protocol]
        ours, beside = (
            {key.upper(): [row[prefix + key] for row in mine] for key in METRICS}
            for prefix in ("", "published_")
        )
        means = ", ".join(f"{key} {np.mean(values):.1f}" for key, values in ours.items())
        head = f"{protocol}: mean {means}" if group == "test_set" else protocol
        panels[head] = ([row[group] for row in mine], ours, beside)
    paper_charts.bar_panels(
        path,
        panels,
        sources.published_label,
        "WA, UA (%)",
        f"{title}: {sources.place(shown)}",
        width=6.4,
    )
    write_rows(path, rows)


def tsne(protocol: str) -> Callable[[Sources, Path], list[str]]:
    """Figure 5, 6 or 7: Speech, Text and TSIN in one protocol."""

    def draw(sources: Sources, path: Path) -> list[str]:
        title = f"Utterance vectors, t-SNE, {PROTOCOLS[protocol]}"
        return vectors(sources, path, VECTORS, protocol, title)

    return draw


def tested_sets(item: Experiment, data_root: Path) -> dict[int, str]:
    """What each fold tests by name: its sessions or speakers as the corpus calls them,
    'group 1' … for random folds.
    """
    protocol = protocol_of(item)
    if protocol == "random":
        return {int(fold): f"group {fold + 1:.0f}" for fold in {row["fold"] for row in item.folds}}
    place = folders.split(data_root, item.corpus, item.split) / folders.FOLDS
    corpus = folders.utterances(data_root, item.corpus) / folders.UTTERANCES
    for path in (place, corpus):
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is missing: `dvc pull` fetches it, `dvc repro` makes it"
            )
    table = read_table(corpus, columns=["utterance_id", protocol]).to_pylist()
    name_of = {row["utterance_id"]: str(row[protocol]) for row in table}
    found: dict[int, set[str]] = {}
    for fold in fold_numbers(place):
        found[fold] = {name_of[utterance_id] for utterance_id, _ in read_fold(place, fold)["test"]}
    return {fold: " ".join(sorted(names)) for fold, names in found.items()}


def published_folds() -> dict[tuple[str, str, str], float]:
    """Table I: percent by protocol, test set and metric."""
    path = resources.files("pipeline.report") / "published" / "tsin_folds.csv"
    lines: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    return {
        (line["split"], line["test_set"], line["metric"]): float(line["value"]) for line in lines
    }


FIGURES = {
    "table1_folds": folds,
    "fig4_embeddings": embeddings,
    "fig5_tsne_session": tsne("session"),
    "fig6_tsne_speaker": tsne("speaker"),
    "fig7_tsne_random": tsne("random"),
}
