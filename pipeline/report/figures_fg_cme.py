"""Paper B: the utterance vectors of the four ablations (figure 2)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.report import charts, figures, paper_charts
from pipeline.report.paper_sources import Sources, write_rows

# Panels (a) to (d).
ABLATIONS = ("wo_excite_m", "wo_excite_s", "wo_excite_a", "FG_CME")


def ablations(sources: Sources, path: Path) -> list[str]:
    """Figure 2: one t-SNE of each, of the same test utterances."""
    return vectors(sources, path, ABLATIONS, None, "Utterance vectors, t-SNE")


def vectors(
    sources: Sources, path: Path, systems: Sequence[str], protocol: str | None, title: str
) -> list[str]:
    """A panel for each system: t-SNE of the vectors before its classifier, of the test
    part of its first fold and seed.
    """
    picked, lines = sources.pick(systems, protocol)
    classes = next(iter(picked.values())).classes
    panels: dict[str, tuple[Any, list[str]]] = {}
    rows: list[dict[str, Any]] = []
    for name, item in picked.items():
        names, values = figures.utterance_vectors(item, sources.data_root)
        points = charts.tsne_points(values)
        table = item.predictions.select(["utterance_id", "label"]).to_pylist()
        truth = {row["utterance_id"]: row["label"] for row in table}
        labels = [truth[utterance] for utterance in names]
        panels[name] = points, labels
        rows += [
            {
                "system": name,
                "experiment": item.name,
                "utterance_id": utterance,
                "class": label,
                "x": float(x),
                "y": float(y),
            }
            for utterance, label, (x, y) in zip(names, labels, points, strict=True)
        ]
    number = len({row["utterance_id"] for row in rows})
    place = f"{title}: {number} test utterances of {sources.place(picked.values())}"
    paper_charts.tsne_panels(path, panels, classes, place)
    write_rows(path, rows)
    return lines


FIGURES = {"fig2_tsne": ablations}
